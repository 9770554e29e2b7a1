//! Where opaque tokens are asked about (RFC 7662).

use super::{
    raw,
    remote::{self, Endpoint},
    secret::Secret,
};
use crate::{error::Findings, gate::Secrets};
use std::time::Duration;

pub struct Introspection {
    pub endpoint: Endpoint,
    pub client_id: String,
    pub client_secret: Secret,
    /// Of one call.
    pub timeout: Duration,
    /// How long an answer is remembered, and never past the token's `exp`.
    pub cache: Duration,
}

pub fn read(
    raw: raw::Introspection,
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<Introspection> {
    let timeout = raw.timeout.map_or(Duration::from_secs(1), |span| span.0);
    remote::call_timeout(timeout, &format!("{path}.timeout"), findings);
    let cache = raw.cache.map_or(Duration::from_secs(30), |span| span.0);
    remote::within(cache, 0, 3600, &format!("{path}.cache"), findings);
    if raw.client_id.is_empty() {
        findings.add(
            format!("{path}.client_id"),
            "is empty; it is the gate's own name at the server",
        );
    }
    let endpoint = remote::Raw {
        cluster: raw.cluster,
        authority: raw.authority,
        path: raw.path,
    };
    let endpoint = endpoint.read(None, path, findings);
    let client_secret = Secret::resolve(&raw.client_secret, secrets)
        .map_err(|message| findings.add(format!("{path}.client_secret"), message))
        .ok()?;
    Some(Introspection {
        endpoint,
        client_id: raw.client_id,
        client_secret,
        timeout,
        cache,
    })
}
