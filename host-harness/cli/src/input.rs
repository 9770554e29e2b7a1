//! `portcullis input`: the document a policy would be asked about.

use crate::{
    failure::{Exit, Failure},
    http_file::HttpFile,
    secrets, terminal,
};
use clap::Args;
use portcullis_engine::Decision;
use portcullis_gatefile::GateFile;
use std::path::PathBuf;

/// Print the input document that a request gives the policy
///
/// The request is written as it goes over the wire: request line, header lines, an empty line, a
/// body. Exit code 1 where a credential is refused before the policy is asked.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis input --config gate.yaml --request request.http
  printf 'GET /orders HTTP/1.1\\nhost: example.com\\n' | portcullis input --request /dev/stdin")]
pub struct Input {
    /// The configuration, YAML or JSON
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    /// The request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
}

impl Input {
    pub fn run(self) -> Result<Exit, Failure> {
        let gate = GateFile::read(&self.config)?.gate(&secrets::environment)?;
        match HttpFile::read(&self.request)?.input(&gate) {
            Ok(input) => {
                terminal::print(&format!("{input:#}"))?;
                Ok(Exit::Fine)
            }
            Err(decision) => {
                terminal::say(&refusal(&decision));
                Ok(Exit::Failed)
            }
        }
    }
}

/// One line on a request that never reached the policy.
pub fn refusal(decision: &Decision) -> String {
    let reason = decision.record.reason;
    let detail = match &decision.record.detail {
        Some(detail) => format!(": {detail}"),
        None => String::new(),
    };
    match reason.allows() {
        true => format!("allowed without asking the policy: {reason}{detail}"),
        false => format!("refused before the policy: {reason}{detail}"),
    }
}
