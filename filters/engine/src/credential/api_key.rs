//! API keys: shown by the client, known here by hash.

use super::{Found, Refusal, find, strip};
use crate::{
    config::api_keys::{ApiKeys, Keys},
    headers::Headers,
    words::{Reason, check},
};

/// Proof that the request showed a key that is on the list and in its time. Only [`verify`]
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedApiKey {
    id: String,
    subject: String,
    scopes: Vec<String>,
    /// Nanoseconds since the Unix epoch.
    expires_ns: Option<u64>,
}

impl VerifiedApiKey {
    /// From when on it is good no more, in nanoseconds since the Unix epoch.
    pub fn expires_ns(&self) -> Option<u64> {
        self.expires_ns
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

/// Looks at every place. `Err` ends the request whatever `when_invalid` says; otherwise each key
/// is verified or refused, and there is one at most.
pub fn verify(
    config: &ApiKeys,
    keys: &Keys,
    now_ns: u64,
    headers: &Headers<'_>,
) -> Result<Option<Result<VerifiedApiKey, Refusal>>, Reason> {
    let mut shown: Option<String> = None;
    for source in &config.from {
        match find(source, headers) {
            Found::Nothing => {}
            Found::Refused(reason) => return Err(reason),
            Found::One(key) if shown.as_ref().is_none_or(|other| *other == key) => {
                shown = Some(key)
            }
            Found::One(_) => return Err(Reason::RequestMalformed),
        }
    }
    Ok(shown.map(|shown| verify_one(config, keys, &shown, now_ns)))
}

/// Takes the key away from every place it may have come from.
pub fn strip_all(keys: &ApiKeys, headers: &mut Headers<'_>) {
    for source in &keys.from {
        strip(source, headers);
    }
}

fn verify_one(
    config: &ApiKeys,
    keys: &Keys,
    shown: &str,
    now_ns: u64,
) -> Result<VerifiedApiKey, Refusal> {
    // Of a key that is listed the log says which: who still uses an old one, or tries a revoked one.
    let refuse = |reason, id: Option<&str>| {
        Err(Refusal {
            check: check::API_KEY,
            reason,
            detail: id.map(|id| format!("the key `{id}`")),
            challenge: None,
        })
    };
    let Some(key) = config.find(keys, shown) else {
        return refuse(Reason::ApiKeyUnknown, None);
    };
    let id = Some(key.id.as_str());
    if key.revoked.is_some_and(|from| now_ns >= from) {
        return refuse(Reason::ApiKeyRevoked, id);
    }
    if key.not_before.is_some_and(|from| now_ns < from) {
        return refuse(Reason::ApiKeyNotYetValid, id);
    }
    if key.expires.is_some_and(|until| now_ns >= until) {
        return refuse(Reason::ApiKeyExpired, id);
    }
    Ok(VerifiedApiKey {
        id: key.id.clone(),
        subject: key.subject.clone(),
        scopes: key.scopes.clone(),
        expires_ns: key.expires,
    })
}
