//! Keys that live as long as the run: no private key is ever in the repository.

use crate::{
    error::Error,
    scenario::{DetailedKey, KeySpec},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jwt_simple::prelude::*;
use p521::{
    SecretKey,
    elliptic_curve::sec1::ToSec1Point as _,
    pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding},
};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A key and what others may know of it.
pub struct Key {
    pub algorithm: String,
    pub private: Private,
    /// The public JWK; of an HMAC key the secret one, which is all there is.
    pub jwk: Map<String, Value>,
    pub public_pem: Option<String>,
}

pub enum Private {
    /// PKCS #8.
    Pem(String),
    Secret(Vec<u8>),
}

/// Makes each key once: RSA keys are slow to come by.
#[derive(Default)]
pub struct Keyring {
    made: Mutex<HashMap<(String, String), Arc<Key>>>,
}

impl Keyring {
    /// The key of that name, with the JWK as this scenario wants it.
    pub fn key(&self, name: &str, spec: &KeySpec) -> Result<Key, Error> {
        if let KeySpec::Detailed(DetailedKey {
            algorithm,
            secret: Some(text),
            ..
        }) = spec
        {
            return Ok(symmetric(name, algorithm, text.clone().into_bytes()));
        }
        let (algorithm, overrides) = match spec {
            KeySpec::Algorithm(algorithm) => (algorithm, None),
            KeySpec::Detailed(detailed) => (&detailed.algorithm, Some(&detailed.jwk)),
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = (name.to_owned(), algorithm.clone());
        let key = match made.get(&entry) {
            Some(key) => Arc::clone(key),
            None => {
                let key = Arc::new(generate(name, algorithm)?);
                made.insert(entry, Arc::clone(&key));
                key
            }
        };
        let mut jwk = key.jwk.clone();
        for (member, value) in overrides.into_iter().flatten() {
            if value.is_null() {
                jwk.remove(member);
            } else {
                jwk.insert(member.clone(), value.clone());
            }
        }
        Ok(Key {
            algorithm: key.algorithm.clone(),
            private: match &key.private {
                Private::Pem(pem) => Private::Pem(pem.clone()),
                Private::Secret(secret) => Private::Secret(secret.clone()),
            },
            jwk,
            public_pem: key.public_pem.clone(),
        })
    }
}

fn generate(name: &str, algorithm: &str) -> Result<Key, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Key(name.to_owned(), error.to_string());
    macro_rules! pair {
        ($pair:expr) => {{
            let pair = $pair;
            let public = pair.public_key();
            (pair.to_pem(), public.to_pem(), public.to_jwk())
        }};
    }
    let (private, public, jwk) = match algorithm {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
            let pair = RS256KeyPair::generate(2048).map_err(|error| failed(&error))?;
            let (private, public, jwk) = pair!(pair);
            (
                private.map_err(|error| failed(&error))?,
                public.map_err(|error| failed(&error))?,
                jwk,
            )
        }
        "ES256" => {
            let (private, public, jwk) = pair!(ES256KeyPair::generate());
            (
                private.map_err(|error| failed(&error))?,
                public.map_err(|error| failed(&error))?,
                jwk,
            )
        }
        "ES384" => {
            let (private, public, jwk) = pair!(ES384KeyPair::generate());
            (
                private.map_err(|error| failed(&error))?,
                public.map_err(|error| failed(&error))?,
                jwk,
            )
        }
        "ES512" => p521().map_err(|error| failed(&error))?,
        "EdDSA" => {
            // ed25519-compact writes the public key after the private one.
            let (both, public, jwk) = pair!(Ed25519KeyPair::generate());
            let private = both.replace(public.trim(), "");
            (private, public, jwk)
        }
        "HS256" | "HS384" | "HS512" => return secret(name, algorithm),
        other => {
            return Err(failed(&format!(
                "`{other}` is no algorithm that keys are made for"
            )));
        }
    };
    let mut jwk: Map<String, Value> = serde_json::from_str(&jwk).map_err(|error| failed(&error))?;
    name_it(&mut jwk, name, algorithm);
    Ok(Key {
        algorithm: algorithm.to_owned(),
        private: Private::Pem(private),
        jwk,
        public_pem: Some(public),
    })
}

/// In PEM both halves, and the JWK. jwt-simple has no P-521.
fn p521() -> Result<(String, String, String), String> {
    let mut number = [0; 66];
    getrandom::fill(&mut number).map_err(|error| error.to_string())?;
    // Of 521 bits the highest stay zero, so that it is below the order.
    number[0] = 0;
    let private = SecretKey::from_slice(&number).map_err(|error| error.to_string())?;
    let public = private.public_key();
    let point = public.to_sec1_point(false);
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let [x, y] = [point.x(), point.y()].map(|it| it.map(|it| text(it)));
    let jwk = json!({"kty": "EC", "crv": "P-521", "x": x, "y": y});
    let pem = private.to_pkcs8_pem(LineEnding::LF);
    let pem = pem.map_err(|error| error.to_string())?.to_string();
    let public = public.to_public_key_pem(LineEnding::LF);
    Ok((
        pem,
        public.map_err(|error| error.to_string())?,
        jwk.to_string(),
    ))
}

fn secret(name: &str, algorithm: &str) -> Result<Key, Error> {
    // As long as the hash's output at least: RFC 7518, section 3.2.
    let mut secret = vec![0; 64];
    getrandom::fill(&mut secret).map_err(|error| Error::Key(name.to_owned(), error.to_string()))?;
    Ok(symmetric(name, algorithm, secret))
}

fn symmetric(name: &str, algorithm: &str, secret: Vec<u8>) -> Key {
    let mut jwk = Map::new();
    jwk.insert("kty".into(), json!("oct"));
    jwk.insert("k".into(), BASE64_URL_SAFE_NO_PAD.encode(&secret).into());
    name_it(&mut jwk, name, algorithm);
    Key {
        algorithm: algorithm.to_owned(),
        private: Private::Secret(secret),
        jwk,
        public_pem: None,
    }
}

fn name_it(jwk: &mut Map<String, Value>, name: &str, algorithm: &str) {
    jwk.insert("kid".into(), name.into());
    jwk.insert("alg".into(), algorithm.into());
    jwk.insert("use".into(), "sig".into());
}
