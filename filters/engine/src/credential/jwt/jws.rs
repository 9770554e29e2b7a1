//! JSON Web Signatures (RFC 7515), compact: the envelope of a token, and whose seal is on it. What
//! is inside is nothing to this room.

use crate::{config::jwks::ProviderKey, crypto::Algorithm, json, words::Reason};
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
    ) -> Result<&'k ProviderKey, Reason> {
        let algorithm = self
            .header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::parse)
            .filter(|algorithm| algorithms.contains(algorithm))
            .ok_or(Reason::JwtAlgorithm)?;
        let kid = self.header.get("kid").and_then(Value::as_str);
        // A key without an id may be the one meant; a key with another id never is.
        let mut candidates = keys
            .iter()
            .filter(|key| key.key.algorithm() == algorithm)
            .filter(|key| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid)
            .peekable();
        if candidates.peek().is_none() {
            return Err(Reason::JwtKeyUnknown);
        }
        let message = self.signed.as_bytes();
        candidates
            .find(|candidate| candidate.key.verify(message, &self.signature).is_ok())
            .ok_or(Reason::JwtSignature)
    }
}
