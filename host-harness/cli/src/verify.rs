//! `portcullis verify`: what the gate makes of a request's signatures.

use crate::{
    curl::Curl,
    failure::{Exit, Failure},
    http_file::HttpFile,
    secrets, terminal,
};
use clap::Args;
use portcullis_engine::SignatureReport;
use portcullis_gatefile::GateFile;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Verify the signatures of a request (RFC 9421), as the gate would
///
/// The request is a file as it goes over the wire, or a curl command. Exit code 1 where the gate
/// would not take its signatures: there is none, or one of a known key does not hold. The base that was
/// verified says what the signer must have signed.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis verify --config gate.yaml --request signed.http
  portcullis verify --config gate.yaml -- curl -H 'signature-input: ...' -H 'signature: ...' URL
  portcullis verify --config gate.yaml \"$(portcullis sign --config gate.yaml --key-id orders URL)\"")]
pub struct Verify {
    /// The configuration, YAML or JSON
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    /// The request
    #[arg(long, value_name = "FILE", required_unless_present = "curl")]
    request: Option<PathBuf>,
    /// A curl command, in one argument or in many
    #[arg(
        value_name = "CURL",
        conflicts_with = "request",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    curl: Vec<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Verify {
    pub fn run(self) -> Result<Exit, Failure> {
        let gate = GateFile::read(&self.config)?.gate(&secrets::environment)?;
        let request = match &self.request {
            Some(file) => HttpFile::read(file)?,
            None => Curl::from_command(&self.curl)?.request()?,
        };
        let found = request.signatures(&gate);
        let (reports, taken) = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                let message = format!("{}: has no `signatures`", self.config.display());
                return Err(
                    Failure::new(message).hint("there the keys stand, and what must be covered")
                );
            }
            Err(why) => {
                match self.format {
                    Format::Text => terminal::say(&format!("cannot be read: {why}")),
                    Format::Json => terminal::print(&format!("{:#}", json!({"error": why})))?,
                }
                return Ok(Exit::Failed);
            }
        };
        match self.format {
            Format::Json => {
                let all: Vec<Value> = reports.iter().map(as_json).collect();
                let answer = json!({ "accepted": taken, "signatures": all });
                terminal::print(&format!("{answer:#}"))?;
            }
            Format::Text if reports.is_empty() => terminal::say("the request has no signature"),
            Format::Text => {
                let all: Vec<String> = reports.iter().map(as_text).collect();
                terminal::print(&all.join("\n\n"))?;
            }
        }
        Ok(if taken { Exit::Fine } else { Exit::Failed })
    }
}

fn as_json(report: &SignatureReport) -> Value {
    let mut value = json!({
        "label": report.label,
        "key_id": report.key_id,
        "components": report.components,
        "base": report.base,
        "verified": report.outcome.is_ok(),
    });
    if let Some(fields) = value.as_object_mut() {
        match &report.outcome {
            Ok(subject) => {
                fields.insert("subject".into(), subject.clone().into());
            }
            Err((reason, detail)) => {
                fields.insert("reason".into(), reason.code().into());
                fields.insert("detail".into(), detail.clone().into());
            }
        }
    }
    value
}

fn as_text(report: &SignatureReport) -> String {
    let label = &report.label;
    let key = report.key_id.as_deref().unwrap_or("none");
    let outcome = match &report.outcome {
        Ok(subject) => format!("{label}: verified, key `{key}`, subject `{subject}`"),
        Err((reason, detail)) => format!("{label}: {reason}, key `{key}`: {detail}"),
    };
    match &report.base {
        None => outcome,
        Some(base) => format!(
            "{outcome}\nsignature base:\n  {}",
            base.replace('\n', "\n  ")
        ),
    }
}
