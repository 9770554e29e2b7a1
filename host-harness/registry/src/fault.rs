//! What can go wrong with a registry. What it says is told in part, and nothing that was sent to it.

use crate::Target;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use std::{error::Error, io};
use thiserror::Error;

/// Why something was not pushed, pulled, signed or verified.
#[derive(Debug, Error)]
pub enum Fault {
    #[error("`{found}` {why}")]
    Reference {
        found: String,
        why: String,
        hint: String,
    },
    #[error("the Docker configuration: {0}")]
    Credentials(String),
    #[error("{host}: the registry does not take these credentials, or none")]
    Unauthorized { host: String },
    #[error("{host}: {what}")]
    Registry {
        host: String,
        what: String,
        /// Whether it was spoken to without TLS, where there was no answer.
        unanswered: Option<bool>,
    },
    #[error("the registry has {there} under that name, and {sent} was pushed")]
    Changed { sent: String, there: String },
    #[error("{host} has no `{name}`")]
    Missing { host: String, name: String },
    /// What was handed over cannot be used.
    #[error("{what}")]
    Input { what: String, hint: Option<String> },
    /// What is there is of another kind than what was asked for.
    #[error("it is a bundle of policies, and no image of a gate")]
    Bundle,
    /// What is there is not what it must be: a check that failed.
    #[error("{0}")]
    Refused(String),
}

/// Why one request came to nothing.
#[derive(Debug)]
pub(crate) enum Wrong {
    Client(OciDistributionError),
    /// What the registry does is not what a registry does.
    Registry(String),
    /// An answer has more than so many bytes.
    Long(usize),
    /// What is there is not what it must be.
    Refused(String),
}

impl From<OciDistributionError> for Wrong {
    fn from(error: OciDistributionError) -> Wrong {
        Wrong::Client(error)
    }
}

/// Without its URL, which may be one that was signed for whoever asked.
impl From<reqwest::Error> for Wrong {
    fn from(error: reqwest::Error) -> Wrong {
        Wrong::Client(error.without_url().into())
    }
}

/// How much of what a registry says is told.
const TOLD: usize = 400;

impl Fault {
    pub(crate) fn input(what: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::Input {
            what: what.into(),
            hint: Some(hint.into()),
        }
    }

    /// Whether a check failed, and nothing else.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Fault::Refused(_))
    }

    /// Whether it is of what was read, and not of how.
    pub fn is_of_content(&self) -> bool {
        matches!(self, Fault::Refused(_) | Fault::Bundle)
    }

    /// `secrets` are what was sent: a registry may say it back.
    pub(crate) fn of(target: &Target, wrong: Wrong, secrets: &[String]) -> Fault {
        let host = target.host().to_owned();
        let error = match wrong {
            Wrong::Client(OciDistributionError::RequestError(error)) => {
                OciDistributionError::RequestError(error.without_url())
            }
            Wrong::Client(error) => error,
            Wrong::Registry(what) => {
                return Fault::Registry {
                    host,
                    what,
                    unanswered: None,
                };
            }
            Wrong::Long(limit) => {
                return Fault::Refused(format!(
                    "an answer of {host} is longer than the {limit} bytes that it may have"
                ));
            }
            Wrong::Refused(why) => return Fault::Refused(why),
        };
        let status = status(&error);
        if matches!(status, Some(401 | 403)) {
            return Fault::Unauthorized { host };
        }
        let is_unanswered =
            matches!(error, OciDistributionError::RequestError(_)) && status.is_none();
        let mut what = match &error {
            OciDistributionError::RegistryError { envelope, .. } => {
                let errors = envelope.errors.iter();
                let words: Vec<&str> = errors.map(|error| &*error.message).collect();
                words.join("; ")
            }
            OciDistributionError::ServerError { code, message, .. } => {
                format!("it answers with {code}: {message}")
            }
            other => other.to_string(),
        };
        let mut cause = error.source();
        while let Some(error) = cause {
            what.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Fault::Registry {
            host,
            what: told(what, secrets),
            unanswered: is_unanswered.then(|| target.is_plain()),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Fault::Reference { hint, .. } => Some(hint.clone()),
            Fault::Credentials(_) => Some("`docker login` or `oras login` writes it anew".into()),
            Fault::Unauthorized { host } => Some(format!(
                "`docker login {host}` stores them where this command finds them"
            )),
            Fault::Registry {
                unanswered: None, ..
            } => None,
            Fault::Registry {
                unanswered: Some(true),
                ..
            } => Some("it was spoken to in plain HTTP; --plain-http=false uses TLS".into()),
            Fault::Registry { .. } => {
                Some("it was spoken to with TLS; --plain-http uses none".into())
            }
            Fault::Changed { .. } => Some("somebody else pushed to that tag meanwhile?".into()),
            Fault::Missing { .. } => Some("another tag or repository?".into()),
            Fault::Input { hint, .. } => hint.clone(),
            Fault::Bundle => Some(
                "`bundle sign` and `bundle verify` take the archive that `bundle push` was given"
                    .into(),
            ),
            Fault::Refused(_) => None,
        }
    }
}

/// In part, on one line, and without what is secret.
fn told(mut what: String, secrets: &[String]) -> String {
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        what = what.replace(secret, "...");
    }
    what.chars()
        .take(TOLD)
        .flat_map(char::escape_debug)
        .collect()
}

/// Whether other credentials, or newer ones, are wanted.
pub(crate) fn is_unauthorized(wrong: &Wrong) -> bool {
    matches!(wrong, Wrong::Client(error) if status(error) == Some(401))
}

/// Of the answer, where there was one.
fn status(error: &OciDistributionError) -> Option<u16> {
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => Some(401),
        OciDistributionError::ServerError { code, .. } => Some(*code),
        OciDistributionError::RequestError(error) => error.status().map(|it| it.as_u16()),
        OciDistributionError::RegistryError { envelope, .. } => envelope
            .errors
            .iter()
            .any(|error| matches!(error.code, OciErrorCode::Toomanyrequests))
            .then_some(429),
        _ => None,
    }
}

/// Whether trying again may help: too many requests, a server that is not well, no answer. A
/// certificate that is not trusted stays so.
pub(crate) fn may_pass(wrong: &Wrong) -> bool {
    let Wrong::Client(error) = wrong else {
        return false;
    };
    match status(error) {
        Some(status) => status == 429 || status >= 500,
        None => {
            matches!(error, OciDistributionError::RequestError(_)) && !is_about_certificates(error)
        }
    }
}

fn is_about_certificates(error: &OciDistributionError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        // As rustls tells what it does not take.
        if io.is_some_and(|io| io.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_said_back() {
        let target = Target::parse("registry.example.com/a:v1", None, None).unwrap();
        let secrets = ["hunter2".to_owned(), "tok.en".to_owned(), String::new()];
        let text = |wrong| Fault::of(&target, wrong, &secrets).to_string();
        let said = text(Wrong::Client(OciDistributionError::ServerError {
            code: 400,
            url: "https://registry.example.com/v2/?signature=abc".into(),
            message: format!("Bearer tok.en\nof {}hunter2", "x".repeat(350)),
        }));
        assert!(
            said.contains("it answers with 400: Bearer ...\\nof xxx"),
            "{said}"
        );
        for secret in ["hunter", "tok.en", "abc"] {
            assert!(!said.contains(secret), "{said}");
        }
        let refused = Fault::of(&target, Wrong::Long(7), &secrets);
        assert!(refused.is_refusal() && refused.to_string().contains("7 bytes"));
    }
}
