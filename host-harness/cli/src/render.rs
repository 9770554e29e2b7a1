//! `portcullis render`: the document the filter takes.

use crate::{
    failure::{Exit, Failure},
    secrets, terminal,
};
use clap::Args;
use portcullis_gatefile::GateFile;
use std::{fs::OpenOptions, io::Write, path::PathBuf};

/// Print the JSON document that the filter takes: `policy.path` becomes modules and data
///
/// The configuration is checked first. Secrets belong to the proxy's environment: those that are
/// not in this one are taken to be there.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis render --config gate.yaml > gate.json
  portcullis render --config gate.yaml --format pretty
  portcullis render --config gate.yaml --output gate.json --force")]
pub struct Render {
    /// The configuration, YAML or JSON
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    /// How the JSON is laid out
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output if it exists
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Json,
    Pretty,
}

impl Render {
    pub fn run(self) -> Result<Exit, Failure> {
        let gate = GateFile::read(&self.config)?;
        gate.gate(&secrets::OrPlaceholder)?;
        let text = match self.format {
            Format::Json => gate.document.to_string(),
            Format::Pretty => format!("{:#}", gate.document),
        };
        let Some(output) = self.output else {
            terminal::print(&text)?;
            return Ok(Exit::Fine);
        };
        let mut options = OpenOptions::new();
        match self.force {
            true => options.create(true).truncate(true),
            false => options.create_new(true),
        };
        options
            .write(true)
            .open(&output)
            .and_then(|mut file| writeln!(file, "{text}"))
            .map_err(|error| {
                let failure = Failure::io(output.display(), &error);
                match error.kind() {
                    std::io::ErrorKind::AlreadyExists => failure.hint("--force overwrites it"),
                    _ => failure,
                }
            })?;
        Ok(Exit::Fine)
    }
}
