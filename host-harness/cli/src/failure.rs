//! How a command ends.

use portcullis_gatefile::{Finding, Findings};
use std::{fmt, process::ExitCode};

/// The exit codes, the same for every subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Fine = 0,
    /// What was checked does not pass.
    Failed = 1,
    /// Bad usage, or input that cannot be used.
    BadInput = 2,
}

/// Why a command could not do its work: one or more errors, each a line and perhaps a hint.
#[derive(Debug)]
pub struct Failure(pub Vec<Problem>);

#[derive(Debug)]
pub struct Problem {
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(vec![Problem {
            message: message.into(),
            hint: None,
        }])
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        if let Some(last) = self.0.last_mut() {
            last.hint = Some(hint.into());
        }
        self
    }

    /// Of a file, or of whatever the messages are about.
    pub fn at(mut self, place: impl fmt::Display) -> Failure {
        for problem in &mut self.0 {
            problem.message = format!("{place}: {}", problem.message);
        }
        self
    }

    /// A file that could not be written, or a stream.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Failure {
        Failure::new(format!("{what}: {error}"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Failure {
        Findings::from(finding).into()
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Failure {
        let problem = |finding: Finding| Problem {
            message: finding.to_string(),
            hint: finding.hint,
        };
        Failure(findings.into_iter().map(problem).collect())
    }
}
