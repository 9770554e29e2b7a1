//! `portcullis scenario`: folders of configuration, requests and expectations.

use crate::{
    failure::{Exit, Failure},
    module, terminal,
};
use clap::{Args, Subcommand};
use portcullis_runner::{On, Options, Runner, scenarios};
use std::path::PathBuf;

/// Run scenarios: a configuration, requests, and what must come of them
#[derive(Subcommand)]
pub enum Scenario {
    Run(Run),
}

/// Run every scenario at or below a folder, and compare what the subjects say
///
/// Exit code 1 where one fails. A subject that is not there is named, not passed over in silence.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis scenario run tests/scenarios
  portcullis scenario run tests/scenarios/jwt-expired --on native")]
pub struct Run {
    /// A scenario, or a folder of them
    folder: PathBuf,
    /// Where they run
    #[arg(
        long, value_name = "SUBJECTS", value_delimiter = ',', value_parser = subject,
        default_value = "native,wasmtime,envoy"
    )]
    on: Vec<On>,
    /// The module [default: PORTCULLIS_WASM, or the one near this command]
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// A script that mints tokens with PyJWT; without it the gate's own library signs
    #[arg(long, value_name = "FILE")]
    minter: Option<PathBuf>,
    /// A subject that is missing is an error
    #[arg(long)]
    strict: bool,
}

impl Scenario {
    pub fn run(self) -> Result<Exit, Failure> {
        let Scenario::Run(run) = self;
        let native_only = run.on.iter().all(|on| *on == On::Native);
        let module = match native_only {
            true => PathBuf::new(),
            false => module::find(run.wasm.as_deref())?,
        };
        let unusable = |error: portcullis_runner::Error| Failure::new(error.to_string());
        let scenarios = scenarios(&run.folder).map_err(unusable)?;
        let runner = Runner::new(Options {
            on: run.on,
            module,
            minter: run.minter,
            strict: run.strict,
        })
        .map_err(unusable)?;
        let report = runner.run(&scenarios).map_err(unusable)?;
        terminal::print(report.to_string().trim_end())?;
        Ok(match report.ok() {
            true => Exit::Fine,
            false => Exit::Failed,
        })
    }
}

fn subject(name: &str) -> Result<On, String> {
    On::parse(name).ok_or_else(|| "expected native, wasmtime or envoy".into())
}
