//! JSON Web Signatures (RFC 7515), compact: the envelope of a token, and whose seal is on it. What
//! is inside is nothing to this room.

use super::fault::{Fault, quoted};
use crate::{
    config::jwks::ProviderKey,
    crypto::{Algorithm, VerificationKey, Verifier},
    json,
    words::Reason,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// A token in its parts, none of which is proven yet.
pub struct Jws<'t> {
    pub header: Map<String, Value>,
    pub payload: Vec<u8>,
    /// The JWS Signing Input: header and payload as they were sent, with the dot between them.
    signed: &'t str,
    signature: Vec<u8>,
}

/// How many keys are tried for a token that names none of them: each costs.
const MOST_TRIED: usize = 8;

impl Jws<'_> {
    /// Compact serialization (section 3.1): three parts of base64url without padding, the first a
    /// JSON object that names no member twice and asks for nothing that is not known here.
    pub fn parse(token: &str) -> Option<Jws<'_>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let header = json::parse_object(&URL_SAFE_NO_PAD.decode(header).ok()?)?;
        // Section 4.1.11: an extension that is not understood refuses the token, and none is.
        // `b64` (RFC 7797) has no place in a JWT (its section 7).
        if header.contains_key("crit") || header.contains_key("b64") {
            return None;
        }
        if header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return None;
        }
        Some(Jws {
            header,
            payload: URL_SAFE_NO_PAD.decode(payload).ok()?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The one of these keys that signed it, with one of these algorithms. Keys that it brings along
    /// or points to (`jwk`, `jku`, `x5c`, `x5u`) are not looked at (RFC 8725 section 3.10).
    pub fn verify<'k>(
        &self,
        algorithms: &[Algorithm],
        keys: &'k [ProviderKey],
        verifier: &Verifier,
    ) -> Result<&'k ProviderKey, Fault> {
        let named = self.header.get("alg").and_then(Value::as_str);
        let algorithm = named
            .and_then(Algorithm::parse)
            .filter(|algorithm| algorithms.contains(algorithm))
            .ok_or_else(|| {
                let known: Vec<&str> = algorithms.iter().map(|own| own.name()).collect();
                let named = named.map_or("absent".into(), quoted);
                let why = format!("its `alg` is {named}, none of {}", known.join(", "));
                Fault::new(Reason::JwtAlgorithm, why)
            })?;
        let kid = self.header.get("kid").and_then(Value::as_str);
        let which = || match kid {
            Some(kid) => format!("{algorithm} and `kid` {}", quoted(kid)),
            None => format!("{algorithm}"),
        };
        // A key without an id may be the one meant; a key with another id never is.
        let mut candidates = keys
            .iter()
            .filter(|key| key.key.algorithm() == algorithm)
            .filter(|key| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid)
            .take(MOST_TRIED)
            .peekable();
        if candidates.peek().is_none() {
            let why = format!("the provider has no key for {}", which());
            return Err(Fault::new(Reason::JwtKeyUnknown, why));
        }
        candidates
            .find(|candidate| self.is_signed_by(&candidate.key, verifier))
            .ok_or_else(|| {
                let why = format!("it verifies with no key for {}", which());
                Fault::new(Reason::JwtSignature, why)
            })
    }

    /// Whether it names a key that is among these.
    pub fn names_one_of(&self, keys: &[ProviderKey]) -> bool {
        let kid = self.header.get("kid").and_then(Value::as_str);
        kid.is_some() && keys.iter().any(|key| key.kid.as_deref() == kid)
    }

    /// Whether this key signed it. That its algorithm is the token's is the caller's to see to.
    pub fn is_signed_by(&self, key: &VerificationKey, verifier: &Verifier) -> bool {
        let signed = self.signed.as_bytes();
        verifier.verify(key, signed, &self.signature).is_ok()
    }
}
