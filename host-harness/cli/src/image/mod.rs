//! `portcullis image`: the module as an OCI image, from the build to the mesh that pulls it.

mod emit;
mod verify;

use crate::failure::{Exit, Failure};
use clap::{Subcommand, ValueEnum};

/// Build the module into an OCI image, ship it, sign it, and verify what a mesh would pull
#[derive(Subcommand)]
pub enum Image {
    Verify(Box<verify::Verify>),
    Emit(Box<emit::Emit>),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Image {
    pub fn run(self) -> Result<Exit, Failure> {
        match self {
            Image::Verify(command) => command.run(),
            Image::Emit(command) => command.run(),
        }
    }
}
