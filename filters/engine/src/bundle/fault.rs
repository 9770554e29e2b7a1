//! Why a bundle is not taken, and how far it came.

use std::fmt;

/// What reading a bundle goes through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The archive: gzip and tar, with their limits.
    Unpack,
    /// The signature, and the digest of each file.
    Verify,
    /// What the files say: manifest, data, patch.
    Parse,
}

/// A bundle that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub step: Step,
    /// What was found and what would be right. It quotes names and paths, and nothing of what the
    /// files hold.
    pub what: String,
}

impl Fault {
    pub(super) fn unpack(what: impl Into<String>) -> Fault {
        Fault::at(Step::Unpack, what)
    }

    pub(super) fn verify(what: impl Into<String>) -> Fault {
        Fault::at(Step::Verify, what)
    }

    pub(super) fn parse(what: impl Into<String>) -> Fault {
        Fault::at(Step::Parse, what)
    }

    pub(super) fn at(step: Step, what: impl Into<String>) -> Fault {
        let what = what.into();
        Fault { step, what }
    }
}

/// A word for logs and counters.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Unpack => "unpack",
            Step::Verify => "verify",
            Step::Parse => "parse",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.what)
    }
}

impl std::error::Error for Fault {}

/// How much of a name is told.
const TOLD: usize = 120;

/// A name as messages show it: bounded, and nothing in it writes to a terminal.
pub(super) fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(TOLD)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(TOLD).is_some() {
        shown.push_str("...");
    }
    format!("`{shown}`")
}
