//! Credentials: found where the configuration looks, and verified or refused. What is refused
//! never reaches the policy or the upstream; what is verified becomes a proof value.

pub mod api_key;
pub mod jwt;
pub mod peer;
mod place;
pub mod signature;

pub use place::{Found, find, strip};

use crate::words::Reason;

/// A credential that was shown and is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`crate::words::check`].
    pub check: &'static str,
    pub reason: Reason,
    /// What exactly, for logs: no secret, and no value of a header.
    pub detail: Option<String>,
}
