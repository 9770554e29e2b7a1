//! `portcullis keys`: API keys, from the first to the last day of their lives.

mod by_hand;
mod format;
mod handing;
mod hash;
mod new;
mod pepper;
mod record;
mod rotate;
mod search;
mod store;
mod when;

use crate::failure::{Exit, Failure};
use clap::Subcommand;

/// Make API keys, hash them, and rotate them
#[derive(Subcommand)]
pub enum Keys {
    New(new::New),
    Hash(hash::Hash),
    Rotate(rotate::Rotate),
}

impl Keys {
    pub fn run(self) -> Result<Exit, Failure> {
        match self {
            Keys::New(command) => command.run(),
            Keys::Hash(command) => command.run(),
            Keys::Rotate(command) => command.run(),
        }
    }
}
