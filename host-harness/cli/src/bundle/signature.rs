//! `.signatures.json`, in OPA's form (`v1/bundle/sign.go`): one JWT whose claim `files` has the digest
//! of each file. It says no time, so that it is the same each time.

use super::{archive::Files, signing::SigningKey};
use crate::failure::Failure;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis_crypto::VerificationKey;
use portcullis_engine::{
    Verifier,
    bundle::{self, Verification, digest},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub fn make(
    files: &Files,
    key: &SigningKey,
    key_id: &str,
    scope: Option<&str>,
    issuer: Option<&str>,
) -> Result<Vec<u8>, Failure> {
    let files: Result<Vec<Value>, Failure> = files
        .iter()
        .map(|(name, content)| {
            let digest = digest(name, content).map_err(|fault| Failure::new(fault.to_string()))?;
            let hash = base16ct::lower::encode_string(&digest);
            Ok(json!({"name": name, "hash": hash, "algorithm": "SHA-256"}))
        })
        .collect();
    let mut claims = Map::from_iter([("files".to_owned(), Value::from(files?))]);
    for (name, value) in [("scope", scope), ("iss", issuer)] {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value.into());
        }
    }
    let header = json!({"alg": key.algorithm.name(), "kid": key_id});
    let encode = |part: String| BASE64_URL_SAFE_NO_PAD.encode(part);
    let signed = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(Value::Object(claims).to_string())
    );
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
    Ok(json!({"signatures": [format!("{signed}.{signature}")]})
        .to_string()
        .into_bytes())
}

/// A key, and the name that signatures give it.
pub struct Key {
    pub id: String,
    pub key: VerificationKey,
}

/// By this key alone. `anonymous` is for a signature that names none.
pub fn verification(key: Key, scope: Option<String>, anonymous: bool) -> Verification {
    let Key { id, key } = key;
    Verification {
        key_id: anonymous.then(|| id.clone()),
        keys: BTreeMap::from([(id, bundle::Key { key, scope: None })]),
        scope,
        required: true,
        verifier: Verifier::default(),
    }
}

/// What a signature says of itself: nothing of it is proven.
pub struct Told {
    pub key_id: Option<String>,
    pub algorithm: Option<String>,
    pub scope: Option<String>,
    pub issuer: Option<String>,
}

/// `None` where there is no such thing in it.
pub fn told(document: &[u8]) -> Option<Told> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let token = document.get("signatures")?.get(0)?.as_str()?;
    let mut parts = token.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    });
    let (header, claims) = (parts.next()??, parts.next()??);
    let text = |from: &Value, name: &str| Some(from.get(name)?.as_str()?.to_owned());
    Some(Told {
        key_id: text(&header, "kid").or_else(|| text(&claims, "keyid")),
        algorithm: text(&header, "alg"),
        scope: text(&claims, "scope"),
        issuer: text(&claims, "iss"),
    })
}
