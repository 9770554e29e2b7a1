//! `portcullis explain`: why a request is allowed or denied.

mod asked;
mod json;
mod logged;
mod place;
mod report;
pub mod text;

use crate::{
    curl::Curl,
    failure::{Exit, Failure},
    http_file::HttpFile,
    policy::{self, Which},
    secrets, terminal,
};
use clap::Args;
pub use place::{agrees, place};
use portcullis_gatefile::GateFile;
use portcullis_rego::tools::Explainer;
use report::Report;
pub use report::mask_of;
use std::{io, path::PathBuf};

/// Say why the gate allows or denies a request
///
/// What became of each credential, which rules were tried, and the first condition of each that does
/// not hold with the values in it. Credentials are not shown. The request is a file as it goes over
/// the wire, a curl command, or an event of a decision log that holds the policy's input: of any log
/// that `portcullis replay` reads, compressed or with a proxy's words before each line. The rules are
/// those of the policy that decides: of the candidate, where that does. Bundles are not fetched.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis explain --config gate.yaml --request request.http
  portcullis explain --config gate.yaml -- curl -X DELETE -H 'authorization: Bearer ...' URL
  portcullis explain --config gate.yaml --log decisions.jsonl 3f2b6c1e-...   # else the last one
  portcullis explain --config gate.yaml --log decisions.jsonl --policy authz.tar.gz 3f2b6c1e-...
  portcullis explain --request request.http --format json | jq .policy")]
pub struct Explain {
    /// The configuration, YAML or JSON
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    /// The request
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// A decision log, as `replay` reads them; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    log: Option<PathBuf>,
    /// The policy that a logged decision is explained with, in the place of the configuration's: files and
    /// folders, placed as OPA places them, or a bundle
    #[arg(short, long, value_name = "PATH", requires = "log")]
    policy: Vec<PathBuf>,
    /// A curl command, in one argument or in many; with --log the decision's id
    #[arg(
        value_name = "CURL | ID",
        conflicts_with = "request",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Explain {
    pub fn run(self) -> Result<Exit, Failure> {
        if self.request.is_none() && self.log.is_none() && self.words.is_empty() {
            return Err(Failure::new(
                "there is nothing to explain: it takes --request FILE, --log FILE [ID], or -- curl ... URL",
            ));
        }
        let file = GateFile::read(&self.config)?;
        let report = match &self.log {
            Some(log) => {
                // What does not load explains nothing.
                let gate = file.gate(&secrets::OrPlaceholder)?;
                let id = match self.words.as_slice() {
                    [] => None,
                    [id] => Some(id.as_str()),
                    _ => return Err(Failure::new("with --log there is one id, or none")),
                };
                let event = logged::find(log, id)?;
                Report::of_event(&file, &gate, &event, &self.policy)?
            }
            None => {
                let request = match &self.request {
                    Some(request) => HttpFile::read(request)?,
                    None => Curl::from_command(&self.words)?.request()?,
                };
                let gate = file.gate(&secrets::environment)?;
                Report::of_request(&file, &gate, &request)?
            }
        };
        match self.format {
            Format::Json => terminal::print(&format!("{:#}", report.to_json()))?,
            Format::Text => {
                let coloured = terminal::colourful(&io::stdout());
                terminal::print(report.to_text(coloured).trim_end())?;
            }
        }
        Ok(Exit::Fine)
    }
}

/// Something that can be asked why, made of a policy that the configuration holds itself.
pub fn explainer(file: &GateFile, which: Which) -> Result<Option<Explainer>, Failure> {
    let sources = policy::own_sources(file, which)?;
    let explainer = sources.map(|sources| Explainer::new(&sources)).transpose();
    explainer.map_err(|errors| policy::refused(errors, file.base()))
}
