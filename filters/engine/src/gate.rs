//! The gate: a configuration that was checked and compiled once, and decides every request.

use crate::{decision::Decision, error::LoadErrors, request::Request};

/// Where secrets come from: the environment of the proxy or of the command.
pub trait Secrets {
    /// The value of an environment variable, if it is set.
    fn secret(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Secrets for F {
    fn secret(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The instant of a decision and its name. The engine has neither clock nor randomness.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Nanoseconds since the Unix epoch.
    pub now_ns: u64,
    /// Unique to the decision: a UUID.
    pub decision_id: &'a str,
}

pub struct Gate {}

impl Gate {
    /// Reads `gate.yaml` in its JSON form, where `policy.path` has become modules and data.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with the path of its field.
    pub fn load(_document: &[u8], _secrets: &dyn Secrets) -> Result<Gate, LoadErrors> {
        Err(crate::error::LoadError::field("", "not built yet").into())
    }

    /// Decides. Total: whatever the request holds, there is an answer.
    pub fn decide(&self, _request: &Request<'_>, _moment: &Moment<'_>) -> Decision {
        loop {}
    }

    /// The document the policy would be asked about, or the decision where it would not be asked.
    ///
    /// # Errors
    /// The decision that ends the request before the policy.
    pub fn input(
        &self,
        _request: &Request<'_>,
        _moment: &Moment<'_>,
    ) -> Result<serde_json::Value, Box<Decision>> {
        loop {}
    }
}
