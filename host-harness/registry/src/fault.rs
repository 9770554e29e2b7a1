//! Why a bundle was not pushed. What a registry says is told in part, and nothing that was sent to it.

use crate::Target;
use oci_client::errors::OciDistributionError;
use std::error::Error;
use thiserror::Error;

/// Why a bundle was not pushed.
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
}

/// How much of what a registry says is told.
const TOLD: usize = 400;

impl Fault {
    pub(crate) fn of(target: &Target, error: OciDistributionError) -> Fault {
        let host = target.host().to_owned();
        let status = match &error {
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => Some(401),
            OciDistributionError::ServerError { code, .. } => Some(*code),
            OciDistributionError::RequestError(error) => error.status().map(|it| it.as_u16()),
            _ => None,
        };
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
        }
    }
}
