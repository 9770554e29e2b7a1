//! The `portcullis` command that `make build` leaves.

use std::process::Command;

pub fn command() -> Command {
    Command::new(portcullis_tests::root().join("target/release/portcullis"))
}
