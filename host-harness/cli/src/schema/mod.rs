//! `portcullis schema`: JSON Schema (2020-12) for editors and for reading.

use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::{Args, ValueEnum};

const CONFIG: &str = include_str!("config.json");
pub const INPUT: &str = include_str!("input.json");

/// Print the JSON Schema of the configuration, or of the policy's input
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis schema > gate.schema.json    # then in gate.yaml, for editors:
  # yaml-language-server: $schema=gate.schema.json
  portcullis schema input")]
pub struct Schema {
    /// Of which document
    #[arg(value_enum, default_value_t = Of::Config)]
    of: Of,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    /// gate.yaml
    Config,
    /// What a policy is asked about
    Input,
}

impl Schema {
    pub fn run(self) -> Result<Exit, Failure> {
        terminal::print(match self.of {
            Of::Config => CONFIG.trim_end(),
            Of::Input => INPUT.trim_end(),
        })?;
        Ok(Exit::Fine)
    }
}
