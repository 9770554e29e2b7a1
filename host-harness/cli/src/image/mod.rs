//! `portcullis image`: the module as an OCI image, from the build to the mesh that pulls it.

mod build;
mod emit;
mod inspect;
mod making;
mod pull;
mod push;
mod sign;
pub mod verify;

use crate::{
    failure::{Exit, Failure},
    registry, terminal,
};
use clap::{Subcommand, ValueEnum};
use portcullis_registry::Fault;

/// Build the module into an OCI image, ship it, sign it, and verify what a mesh would pull
#[derive(Subcommand)]
pub enum Image {
    Build(Box<build::Build>),
    Push(Box<push::Push>),
    Pull(Box<pull::Pull>),
    Inspect(Box<inspect::Inspect>),
    Sign(Box<sign::Sign>),
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
        let done = match self {
            Image::Build(command) => command.run(),
            Image::Push(command) => command.run(),
            Image::Pull(command) => command.run(),
            Image::Inspect(command) => command.run(),
            Image::Sign(command) => command.run(),
            Image::Verify(command) => command.run(),
            Image::Emit(command) => command.run(),
        };
        match done {
            Ok(()) => Ok(Exit::Fine),
            Err(Stopped::Refused(failure)) => {
                terminal::report(&failure);
                Ok(Exit::Failed)
            }
            Err(Stopped::Failed(failure)) => Err(failure),
        }
    }
}

/// Why a subcommand did not come to its end.
pub enum Stopped {
    /// A check failed.
    Refused(Failure),
    /// What was asked cannot be done.
    Failed(Failure),
}

impl Stopped {
    /// Of what was asked for.
    fn at(place: impl std::fmt::Display) -> impl Fn(Fault) -> Stopped {
        move |fault| match fault {
            Fault::Refused(why) => Stopped::Refused(Failure::new(format!("{place}: {why}"))),
            Fault::Input { what, hint } => Stopped::Failed(registry::failure(Fault::Input {
                what: format!("{place}: {what}"),
                hint,
            })),
            bundle @ Fault::Bundle => Stopped::Failed(
                Failure::new(format!("{place}: {bundle}")).hint(bundle.hint().unwrap_or_default()),
            ),
            other => Stopped::Failed(registry::failure(other)),
        }
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Stopped {
        Stopped::Failed(failure)
    }
}

/// `KEY=VALUE`, of which the key is not empty.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
