//! Where `{env: NAME}` is looked up.

use crate::{failure::Failure, place};
use base64::{Engine, prelude::BASE64_STANDARD};
use jwt_simple::prelude::{ES256KeyPair, ES384KeyPair, Ed25519KeyPair};
use portcullis_engine::{Algorithm, Secrets};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// The command's own environment, as the proxy looks in its.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// For checking a configuration away from its proxy: a secret that is not here stands in for the
/// one that is there. It fits every use: long enough for any HMAC, valid base64, and no other's. A private key
/// that is not here is a new one.
pub struct OrPlaceholder;

impl Secrets for OrPlaceholder {
    fn secret(&self, name: &str) -> Option<String> {
        let placeholder = || {
            let text = format!("{:<96}{name}", "a placeholder for");
            BASE64_STANDARD.encode(text)
        };
        environment(name).or_else(|| Some(placeholder()))
    }

    fn stand_in(&self, name: &str, algorithm: Algorithm) -> Option<String> {
        if environment(name).is_some() {
            return None;
        }
        match algorithm {
            Algorithm::EdDSA => {
                // The public key stands behind the private one.
                let both = Ed25519KeyPair::generate().to_pem();
                let end = both.find("-----BEGIN PUBLIC").unwrap_or(both.len());
                both.get(..end).map(str::to_owned)
            }
            Algorithm::ES256 => ES256KeyPair::generate().to_pem().ok(),
            Algorithm::ES384 => ES384KeyPair::generate().to_pem().ok(),
            _ => None,
        }
    }
}

/// As [`OrPlaceholder`], for a configuration that others will read: no secret may stand in it, and it is
/// known afterwards which variables it asks for.
#[derive(Default)]
pub struct ByName {
    asked: RefCell<BTreeSet<String>>,
}

impl ByName {
    /// The variables that were asked for.
    pub fn into_asked(self) -> BTreeSet<String> {
        self.asked.into_inner()
    }

    fn remember(&self, name: &str) {
        self.asked.borrow_mut().insert(name.to_owned());
    }
}

impl Secrets for ByName {
    fn secret(&self, name: &str) -> Option<String> {
        self.remember(name);
        OrPlaceholder.secret(name)
    }

    fn may_be_written_out(&self) -> bool {
        false
    }

    fn stand_in(&self, name: &str, algorithm: Algorithm) -> Option<String> {
        self.remember(name);
        OrPlaceholder.stand_in(name, algorithm)
    }
}

/// A secret as a configuration writes it: text, or `{env: NAME}`.
pub fn resolve(secret: &Value) -> Result<Vec<u8>, Failure> {
    if let Some(text) = secret.as_str() {
        return Ok(text.as_bytes().to_vec());
    }
    let name = secret
        .get("env")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let value = place::variable(name)?;
    match secret.get("encoding") {
        None => Ok(value.into_bytes()),
        Some(_) => BASE64_STANDARD
            .decode(value.trim())
            .map_err(|_| Failure::new(format!("`{name}` is not base64"))),
    }
}

/// The variables that a document names as `{env: NAME}`, and that are set: a guest gets no others,
/// as with Envoy's `host_env_keys`.
pub fn named(document: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(document, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            if let Some(name) = fields.get("env").and_then(Value::as_str)
                && let Some(value) = environment(name)
            {
                found.insert(name.to_owned(), value);
            }
            // What a policy's data holds is no configuration.
            fields
                .iter()
                .filter(|(name, _)| *name != "data" && *name != "modules")
                .for_each(|(_, value)| collect(value, found));
        }
        _ => {}
    }
}
