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
    /// What is there is not what it must be: a check that failed.
    #[error("{0}")]
    Refused(String),
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

    pub(crate) fn of(target: &Target, error: OciDistributionError) -> Fault {
        let host = target.host().to_owned();
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
            other => other.to_string(),
        };
        let mut cause = error.source();
        while let Some(error) = cause {
            what.push_str(&format!(": {error}"));
            cause = error.source();
        }
        let what: String = what
            .chars()
            .take(TOLD)
            .flat_map(char::escape_debug)
            .collect();
        Fault::Registry {
            host,
            what,
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
            Fault::Refused(_) => None,
        }
    }
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
pub(crate) fn may_pass(error: &OciDistributionError) -> bool {
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
