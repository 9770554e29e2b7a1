//! What a token must be bound to (RFC 7800), so that it is good in the hands of its holder only.

use super::super::{raw, remote::within, replay, secret::Secret, source::Source};
use crate::{
    crypto::{constant_time_eq, hmac_sha256},
    error::Findings,
    gate::Secrets,
    replay::{Kind, Space},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;

/// The most that can be set, in seconds. A proof is remembered until it is too old.
const MAX_AGE: u64 = 3_600;
/// The most that can be set, in seconds. It is how far in advance a proof can be made.
const LIFETIME: u64 = 86_400;

/// What is asked of every token of a provider; all of it, where it is several things.
#[derive(Default)]
pub struct Binding {
    /// A token bound to a key is taken from whoever bears it.
    pub ignore: bool,
    /// To the certificate of the connection's peer (RFC 8705 section 3).
    pub mtls: bool,
    /// To the key of a proof that comes with each request (RFC 9449).
    pub dpop: Option<Dpop>,
}

/// How DPoP proofs are judged.
pub struct Dpop {
    /// How long a proof is good after its `iat`, besides the provider's leeway.
    pub max_age: Duration,
    /// `None`: proofs need no nonce.
    pub nonce: Option<Nonce>,
    /// Where its proofs are remembered.
    pub space: Space,
}

/// Nonces that nothing is kept of (RFC 9449 section 9): each is the tag of a span of time, the same
/// for every client, and known only to who has the secret.
pub struct Nonce {
    secret: Secret,
    lifetime: Duration,
}

impl Binding {
    /// Where tokens are looked for unless `from` says so. Bound ones have a scheme of their own; under
    /// `Bearer` they are looked for only to be refused (RFC 9449 section 7.2).
    pub fn default_sources(&self) -> Vec<Source> {
        match self.dpop {
            Some(_) => vec![Source::scheme(super::DPOP), Source::bearer()],
            None => vec![Source::bearer()],
        }
    }
}

impl Nonce {
    /// The one that clients are told now.
    pub fn current(&self, now_ns: u64) -> String {
        URL_SAFE_NO_PAD.encode(self.tag(self.span(now_ns)))
    }

    /// Whether this is the current one, or one beside it: the last is still under way to us, the next
    /// comes from a gate whose clock is ahead.
    pub fn takes(&self, nonce: &str, now_ns: u64) -> bool {
        let Ok(nonce) = URL_SAFE_NO_PAD.decode(nonce) else {
            return false;
        };
        let Ok(nonce) = <&[u8; 32]>::try_from(nonce.as_slice()) else {
            return false;
        };
        let now = self.span(now_ns);
        [Some(now), now.checked_sub(1), now.checked_add(1)]
            .into_iter()
            .flatten()
            .fold(false, |found, span| {
                found | constant_time_eq(nonce, &self.tag(span))
            })
    }

    fn span(&self, now_ns: u64) -> u128 {
        u128::from(now_ns)
            .checked_div(self.lifetime.as_nanos())
            .unwrap_or(0)
    }

    fn tag(&self, span: u128) -> [u8; 32] {
        let text = format!("portcullis DPoP nonce {span}");
        hmac_sha256(self.secret.expose(), text.as_bytes())
    }
}

pub fn read(
    bind: &[raw::Bind],
    dpop: Option<raw::Dpop>,
    (name, path): (&str, &str),
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Binding {
    let ignore = bind.contains(&raw::Bind::Ignore);
    if ignore && bind.iter().any(|other| *other != raw::Bind::Ignore) {
        findings.add(
            format!("{path}.bind"),
            "has `ignore` beside a binding; takes `[ignore]`, or what tokens must be bound by",
        );
    }
    let wants_proof = bind.contains(&raw::Bind::Dpop);
    if dpop.is_some() && !wants_proof {
        findings.add(
            format!("{path}.dpop"),
            "says how proofs are judged, and `bind` asks for none; add `dpop` to `bind`",
        );
    }
    let dpop = wants_proof.then(|| {
        let raw = dpop.unwrap_or_default();
        let path = format!("{path}.dpop");
        let entries = replay::entries(
            raw.replay.and_then(|it| it.entries),
            &format!("{path}.replay.entries"),
            findings,
        );
        Dpop {
            max_age: span(
                raw.max_age,
                60,
                MAX_AGE,
                &format!("{path}.max_age"),
                findings,
            ),
            nonce: raw
                .nonce
                .and_then(|raw| nonce(raw, &format!("{path}.nonce"), secrets, findings)),
            space: Space::new(Kind::Proof, name, entries),
        }
    });
    Binding {
        ignore,
        mtls: bind.contains(&raw::Bind::Mtls),
        dpop,
    }
}

fn nonce(
    raw: raw::DpopNonce,
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<Nonce> {
    let lifetime = span(
        raw.lifetime,
        300,
        LIFETIME,
        &format!("{path}.lifetime"),
        findings,
    );
    let secret = Secret::resolve(&raw.secret, secrets).and_then(|secret| {
        // As long as the hash (RFC 2104 section 3).
        match secret.expose().len() {
            0..32 => Err("is shorter than 32 bytes".into()),
            _ => Ok(secret),
        }
    });
    match secret {
        Ok(secret) => Some(Nonce { secret, lifetime }),
        Err(message) => {
            findings.add(format!("{path}.secret"), message);
            None
        }
    }
}

/// From one second on: a nonce's spans are counted, and a proof takes time to come.
fn span(
    found: Option<raw::Span>,
    default_seconds: u64,
    most_seconds: u64,
    path: &str,
    findings: &mut Findings,
) -> Duration {
    let span = found.map_or(Duration::from_secs(default_seconds), |span| span.0);
    within(span, 1, most_seconds, path, findings);
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(secret: &str) -> Nonce {
        let text = raw::Secret::Text(secret.into());
        Nonce {
            secret: Secret::resolve(&text, &|_: &str| None).unwrap(),
            lifetime: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_nonce_is_good_in_its_time_and_the_next() {
        let own = nonce("own");
        let at = |seconds: u64| seconds * 1_000_000_000;
        let told = own.current(at(600));
        for seconds in [540, 599, 600, 659, 660, 719] {
            assert!(own.takes(&told, at(seconds)), "{seconds}");
        }
        for seconds in [0, 539, 720, u64::MAX / 1_000_000_000] {
            assert!(!own.takes(&told, at(seconds)), "{seconds}");
        }
        assert!(!nonce("another").takes(&told, at(600)));
        for other in [
            "",
            "x",
            "!",
            told.trim_end_matches(char::is_alphanumeric),
            &format!("{told}A"),
        ] {
            assert!(!own.takes(other, at(600)), "{other}");
        }
        assert!(own.takes(&own.current(0), 0));
    }
}
