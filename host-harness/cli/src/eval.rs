//! `portcullis eval`: any query, answered as `opa eval` answers.

use crate::{
    failure::{Exit, Failure},
    http_file::HttpFile,
    input::refusal,
    moment,
    policy::{self, rego_value},
    secrets, terminal,
};
use clap::Args;
use portcullis_gatefile::{GateFile, Policies, Tests, read_data};
use portcullis_rego::{Module, Moment, QueryError, RegoVersion, Rows, Sources, query};
use serde_json::Value;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Answer a Rego query, as `opa eval` does
///
/// Either over files and folders (-d) and an input document (-i), or over the policy of a
/// configuration, `gate.yaml` where none is named, and the input that a request gives it (--request).
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis eval -d policies -i input.json 'data.envoy.authz.allow'
  portcullis eval --request request.http
  portcullis eval --config gate.yaml --request request.http 'input.verified'
  echo '{\"x\": 1}' | portcullis eval -I 'input.x + 1' --format pretty")]
pub struct Eval {
    /// The query, such as `data.a.b`; with --config the policy's entrypoint
    query: Option<String>,
    /// Policies and data: files, or folders placed as OPA places them
    #[arg(short, long, value_name = "PATH", conflicts_with = "config")]
    data: Vec<PathBuf>,
    /// The input document, JSON or YAML
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["stdin_input", "request"])]
    input: Option<PathBuf>,
    /// Read the input document from stdin
    #[arg(short = 'I', long, conflicts_with = "request")]
    stdin_input: bool,
    /// A configuration, whose policy is asked [default with --request: gate.yaml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A request, whose input is asked about: request line, headers, an empty line, a body
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    request: Option<PathBuf>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Read modules as Rego v0, where they do not import `rego.v1`
    #[arg(long, conflicts_with_all = ["config", "request"])]
    v0_compatible: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// As `opa eval --format json`
    Json,
    /// The value alone, where the answer is one
    Pretty,
    /// An array of the values of each result, as `opa eval --format values`
    Values,
}

impl Eval {
    pub fn run(self) -> Result<Exit, Failure> {
        let asked = match (&self.config, &self.request) {
            (Some(config), _) => self.of_configuration(config)?,
            (None, Some(_)) => self.of_configuration(Path::new("gate.yaml"))?,
            (None, None) => self.of_files()?,
        };
        let Some(asked) = asked else {
            return Ok(Exit::Failed);
        };
        let moment = Moment {
            now_ns: moment::nanoseconds(moment::now()),
            instructions: u32::MAX,
            strict_builtin_errors: false,
        };
        let input = asked.input.as_ref().map(rego_value).transpose()?;
        let rows = query(asked.sources, input, &asked.query, &moment)
            .map_err(|error| failure(error, &asked.base))?;
        terminal::print(&self.format.show(&rows))?;
        Ok(Exit::Fine)
    }

    fn of_files(&self) -> Result<Option<Asked>, Failure> {
        let Some(query) = self.query.clone() else {
            return Err(Failure::new("there is no query")
                .hint("name one, such as 'data.envoy.authz.allow', or --config gate.yaml"));
        };
        let policies = Policies::read(Path::new(""), &self.data, Tests::Read)?;
        let version = match self.v0_compatible {
            true => RegoVersion::V0,
            false => RegoVersion::V1,
        };
        let modules = policies.modules.into_iter();
        Ok(Some(Asked {
            query,
            sources: Sources {
                modules: modules
                    .map(|(path, text)| Module::new(path, text))
                    .collect(),
                data: rego_value(&Value::Object(policies.data))?,
                version,
            },
            input: self.given_input()?,
            base: PathBuf::new(),
        }))
    }

    /// `None` where the request was refused before the policy, and that was said.
    fn of_configuration(&self, config: &Path) -> Result<Option<Asked>, Failure> {
        let file = GateFile::read(config)?;
        let input = match &self.request {
            None => {
                file.gate(&secrets::OrPlaceholder)?;
                self.given_input()?
            }
            Some(request) => {
                let gate = file.gate(&secrets::environment)?;
                match HttpFile::read(request)?.input(&gate) {
                    Ok(input) => Some(input),
                    Err(decision) => {
                        terminal::say(&refusal(&decision));
                        return Ok(None);
                    }
                }
            }
        };
        Ok(Some(Asked {
            query: match &self.query {
                Some(query) => query.clone(),
                None => policy::entrypoint(&file),
            },
            sources: policy::sources(&file)?,
            input,
            base: file.base().to_owned(),
        }))
    }

    fn given_input(&self) -> Result<Option<Value>, Failure> {
        if let Some(file) = &self.input {
            return Ok(Some(read_data(file)?));
        }
        if !self.stdin_input {
            return Ok(None);
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::io("stdin", &error))?;
        let input = serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("stdin: invalid JSON: {error}")))?;
        Ok(Some(input))
    }
}

struct Asked {
    query: String,
    sources: Sources,
    input: Option<Value>,
    /// What the modules' paths are relative to.
    base: PathBuf,
}

impl Format {
    fn show(self, rows: &Rows) -> String {
        let json = rows.to_json();
        let rows: Vec<Vec<&Value>> = json
            .get("result")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|row| row.get("expressions")?.as_array())
            .map(|row| row.iter().filter_map(|cell| cell.get("value")).collect())
            .collect();
        match self {
            Format::Json => format!("{json:#}"),
            Format::Values => {
                let rows = rows.iter().map(|row| match row.as_slice() {
                    [one] => (*one).clone(),
                    many => many.iter().copied().cloned().collect(),
                });
                format!("{:#}", rows.collect::<Value>())
            }
            Format::Pretty => match rows.as_slice() {
                [] => "undefined".to_owned(),
                [row] if row.len() == 1 => row.iter().map(|value| format!("{value:#}")).collect(),
                _ => format!("{json:#}"),
            },
        }
    }
}

fn failure(error: QueryError, base: &Path) -> Failure {
    match error {
        QueryError::Load(errors) => policy::refused(errors, base),
        QueryError::Query(error) => Failure(vec![policy::problem(error, base)]),
        QueryError::Eval(error) => Failure::new(error.to_string()),
    }
}
