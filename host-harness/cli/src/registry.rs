//! Registries, as subcommands speak to them.

use crate::{failure::Failure, terminal};
use indicatif::{ProgressBar, ProgressStyle};
use portcullis_registry::{Fault, Progress, Target};
use std::{io::IsTerminal, sync::Arc};

pub fn failure(fault: Fault) -> Failure {
    let failure = Failure::new(fault.to_string());
    match fault.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub fn warn_of_plain(target: &Target) {
    if target.is_plain() && !target.is_loopback() {
        terminal::warn("without TLS others can read what is sent, credentials too");
    }
}

/// How far it is. Where nobody looks there is none.
pub struct Bar(ProgressBar);

impl Bar {
    /// Of so many bytes, where it is known how many.
    pub fn of(bytes: Option<usize>) -> Bar {
        if !std::io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let (bar, template) = match bytes {
            Some(bytes) => {
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes}")
            }
            None => (ProgressBar::no_length(), "{spinner} {bytes}"),
        };
        Bar(match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    pub fn progress(&self) -> Progress {
        let bar = self.0.clone();
        Arc::new(move |bytes| bar.inc(u64::try_from(bytes).unwrap_or(u64::MAX)))
    }

    pub fn clear(self) {
        self.0.finish_and_clear();
    }
}
