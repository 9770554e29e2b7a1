//! Credentials: found where the configuration looks, and verified or refused. What is refused
//! never reaches the policy or the upstream; what is verified becomes a proof value.

pub mod api_key;
pub mod jwt;
pub mod peer;
mod place;
pub mod signature;

pub use place::{Found, find, strip};

use crate::words::Reason;
use jwt::Challenge;

/// A credential that was shown and is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`crate::words::check`].
    pub check: &'static str,
    pub reason: Reason,
    /// What exactly, for logs: no secret, and no value of a header.
    pub detail: Option<String>,
    /// What the client is told, where its status is not all.
    pub challenge: Option<Challenge>,
}

/// Labels, key ids and the like are a client's words, of which logs want only so many.
fn shortened(mut detail: String) -> String {
    const MOST: usize = 240;
    if let Some((end, _)) = detail.char_indices().nth(MOST) {
        detail.truncate(end);
        detail.push_str("...");
    }
    detail
}
