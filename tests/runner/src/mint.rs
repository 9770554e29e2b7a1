//! The two that sign tokens: PyJWT in a process of its own, so that the gate does not only agree
//! with the library it verifies with, and jwt-simple where there is no Python.

use crate::{
    keys::{Key, Private},
    pipe::Pipe,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jwt_simple::{common::HeaderOptions, prelude::*};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What is to be signed.
pub struct Order<'a> {
    pub key: &'a Key,
    pub algorithm: &'a str,
    pub content: Content<'a>,
}

pub enum Content<'a> {
    /// A usual token: the header holds everything but `alg`.
    Claims {
        header: &'a Map<String, Value>,
        claims: &'a Map<String, Value>,
    },
    /// The two segments, byte for byte.
    Segments { header: &'a str, payload: &'a str },
}

pub trait Minter: Send {
    /// The compact form, or why it cannot be made.
    fn mint(&mut self, order: &Order<'_>) -> Result<String, String>;
}

/// Starts the script with the first Python that has what it needs.
pub fn python(script: &Path) -> Result<Pipe, String> {
    let mut tried = Vec::new();
    for python in pythons(script) {
        match Pipe::start(Command::new(&python).arg(script)) {
            Ok(pipe) => return Ok(pipe),
            Err(error) => tried.push(format!("{}: {error}", python.display())),
        }
    }
    Err(tried.join("; "))
}

/// PyJWT, in a process of its own.
impl Minter for Pipe {
    fn mint(&mut self, order: &Order<'_>) -> Result<String, String> {
        let mut question = match &order.key.private {
            Private::Pem(pem) => json!({"pem": pem}),
            Private::Secret(secret) => json!({"secret": crate::template::hex(secret)}),
        };
        let Some(fields) = question.as_object_mut() else {
            return Err("no order".into());
        };
        fields.insert("algorithm".into(), order.algorithm.into());
        match order.content {
            Content::Claims { header, claims } => {
                fields.insert("header".into(), header.clone().into());
                fields.insert("claims".into(), claims.clone().into());
            }
            Content::Segments { header, payload } => {
                fields.insert("header_text".into(), header.into());
                fields.insert("payload_text".into(), payload.into());
            }
        }
        let answer = self.ask(&question)?;
        let token = answer.get("token").and_then(Value::as_str);
        token
            .map(str::to_owned)
            .ok_or_else(|| "no token in the answer".to_owned())
    }
}

fn pythons(script: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::env::var_os("PORTCULLIS_PYTHON")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    found.extend(
        script
            .ancestors()
            .map(|folder| folder.join(".venv/bin/python"))
            .filter(|path| path.is_file()),
    );
    found.push("python3".into());
    found
}

/// jwt-simple: usual tokens with every key, odd segments only with HMAC.
pub struct Native;

impl Minter for Native {
    fn mint(&mut self, order: &Order<'_>) -> Result<String, String> {
        match order.content {
            Content::Claims { header, claims } => usual(order, header, claims),
            Content::Segments { header, payload } => {
                let input = format!(
                    "{}.{}",
                    BASE64_URL_SAFE_NO_PAD.encode(header),
                    BASE64_URL_SAFE_NO_PAD.encode(payload)
                );
                let tag = tag(order, input.as_bytes())?;
                Ok(format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)))
            }
        }
    }
}

fn tag(order: &Order<'_>, input: &[u8]) -> Result<Vec<u8>, String> {
    let Private::Secret(secret) = &order.key.private else {
        return Err("the native minter signs odd segments with HMAC only; this needs PyJWT".into());
    };
    Ok(match order.algorithm {
        "HS256" => HS256Key::from_bytes(secret).authentication_tag(input),
        "HS384" => HS384Key::from_bytes(secret).authentication_tag(input),
        "HS512" => HS512Key::from_bytes(secret).authentication_tag(input),
        other => return Err(format!("`{other}` is no HMAC")),
    })
}

fn usual(
    order: &Order<'_>,
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<String, String> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if let Some(odd) = header
        .keys()
        .find(|name| !matches!(&***name, "kid" | "typ" | "cty"))
    {
        return Err(format!(
            "the native minter writes no header `{odd}`; this needs PyJWT"
        ));
    }
    let options = HeaderOptions {
        content_type: text("cty").map(str::to_owned),
        signature_type: text("typ").map(str::to_owned),
    };
    let claims = JWTClaims {
        issued_at: None,
        expires_at: None,
        invalid_before: None,
        issuer: None,
        subject: None,
        audiences: None,
        jwt_id: None,
        nonce: None,
        custom: claims.clone(),
    };
    macro_rules! sign {
        (pem $pair:ty) => {
            match &order.key.private {
                Private::Pem(pem) => <$pair>::from_pem(pem).and_then(|pair| match text("kid") {
                    Some(kid) => pair.with_key_id(kid).sign_with_options(claims, &options),
                    None => pair.sign_with_options(claims, &options),
                }),
                Private::Secret(_) => return Err("the key is no key pair".into()),
            }
        };
        (secret $key:ty) => {
            match &order.key.private {
                Private::Secret(secret) => {
                    let key = <$key>::from_bytes(secret);
                    match text("kid") {
                        Some(kid) => key
                            .with_key_id(kid)
                            .authenticate_with_options(claims, &options),
                        None => key.authenticate_with_options(claims, &options),
                    }
                }
                Private::Pem(_) => return Err("the key is no secret".into()),
            }
        };
    }
    match order.algorithm {
        "RS256" => sign!(pem RS256KeyPair),
        "RS384" => sign!(pem RS384KeyPair),
        "RS512" => sign!(pem RS512KeyPair),
        "PS256" => sign!(pem PS256KeyPair),
        "PS384" => sign!(pem PS384KeyPair),
        "PS512" => sign!(pem PS512KeyPair),
        "ES256" => sign!(pem ES256KeyPair),
        "ES384" => sign!(pem ES384KeyPair),
        "EdDSA" => sign!(pem Ed25519KeyPair),
        "HS256" => sign!(secret HS256Key),
        "HS384" => sign!(secret HS384Key),
        "HS512" => sign!(secret HS512Key),
        other => return Err(format!("`{other}` is no algorithm of the native minter")),
    }
    .map_err(|error| error.to_string())
}
