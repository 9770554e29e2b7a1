//! `portcullis bundle`: policies as OPA's bundles, from the folder to the registry.

mod archive;
mod build;
mod delta;
mod folder;
mod inspect;
mod manifest;
pub mod opened;
mod output;
mod promote;
mod push;
mod sign;
mod signature;
mod signing;
pub mod verification;
mod verify;

use crate::failure::{Exit, Failure};
use clap::{Subcommand, ValueEnum};

/// Build policies into bundles, sign them, verify them, and ship them
#[derive(Subcommand)]
pub enum Bundle {
    Build(Box<build::Build>),
    Sign(Box<sign::Sign>),
    Verify(Box<verify::Verify>),
    Inspect(Box<inspect::Inspect>),
    Push(Box<push::Push>),
    Promote(Box<promote::Promote>),
    Rollback(Box<promote::Rollback>),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Bundle {
    pub fn run(self) -> Result<Exit, Failure> {
        match self {
            Bundle::Build(command) => command.run(),
            Bundle::Sign(command) => command.run(),
            Bundle::Verify(command) => command.run(),
            Bundle::Inspect(command) => command.run(),
            Bundle::Push(command) => command.run(),
            Bundle::Promote(command) => command.run(),
            Bundle::Rollback(command) => command.run(),
        }
    }
}
