//! Signing requests (RFC 9421) for scenarios: by libraries that know nothing of the gate, in Python
//! and in Node, and by the gate's own code where they are not to be had.

use crate::{
    keys::{Key, Private},
    pipe::Pipe,
    scenario::MacHash,
    subject::Exchange,
};
use portcullis_engine::{
    Algorithm, SigningKey,
    message_signature::{Component, Message, Proposal, sign},
};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// A signature to make over a request.
pub struct SignOrder<'a> {
    pub key: &'a Key,
    pub key_id: &'a str,
    pub label: &'a str,
    pub components: &'a [String],
    pub created: Option<i64>,
    pub expires: Option<i64>,
    pub nonce: Option<&'a str>,
    pub tag: Option<&'a str>,
    pub alg: bool,
    pub twin: bool,
    pub exchange: &'a Exchange,
}

/// `Signature-Input` and `Signature`.
pub type Fields = [String; 2];

pub trait Signer: Send {
    /// The two fields, or why they cannot be made.
    fn sign(&mut self, order: &SignOrder<'_>) -> Result<Fields, String>;
}

/// Asks a process.
impl Signer for Pipe {
    fn sign(&mut self, order: &SignOrder<'_>) -> Result<Fields, String> {
        let exchange = order.exchange;
        let mut headers = Vec::new();
        // Libraries would put theirs into the fields that are there.
        let lines = exchange.lines.iter();
        for (name, value) in lines.filter(|(name, _)| !name.starts_with("signature")) {
            let value = std::str::from_utf8(value).map_err(|_| "takes text only")?;
            headers.push(json!([name.to_ascii_lowercase(), value]));
        }
        let host = exchange.lines.iter().find(|(name, _)| name == "host");
        let host = host.map(|(_, value)| String::from_utf8_lossy(value));
        let mut question = match &order.key.private {
            Private::Pem(pem) => json!({"pem": pem}),
            Private::Secret(secret) => json!({"secret": crate::template::hex(secret)}),
        };
        let fields = json!({
            "request": {
                "method": exchange.method,
                "url": format!("{}://{}{}", exchange.scheme(), host.unwrap_or_default(), exchange.path),
                "headers": headers,
            },
            "algorithm": algorithm(order.key)?.http_name(),
            "keyid": order.key_id,
            "label": order.label,
            "components": order.components,
            "created": order.created,
            "expires": order.expires,
            "nonce": order.nonce,
            "tag": order.tag,
            "alg": order.alg,
            "twin": order.twin,
        });
        if let (Some(question), Value::Object(fields)) = (question.as_object_mut(), fields) {
            question.extend(fields);
        }
        let answer = self.ask(&question)?;
        let text = |name: &str| {
            let found = answer.get(name).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .ok_or_else(|| format!("no {name} in the answer"))
        };
        Ok([text("signature_input")?, text("signature")?])
    }
}

impl Pipe {
    /// An HMAC of Python's, or why it cannot be made.
    pub fn mac(&mut self, hash: MacHash, key: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
        let (key, message) = (crate::template::hex(key), crate::template::hex(message));
        let answer = self.ask(&json!({"mac": {"hash": hash, "key": key, "message": message}}))?;
        let mac = answer.get("mac").and_then(Value::as_str);
        mac.and_then(crate::template::from_hex)
            .ok_or_else(|| "no mac in the answer".to_owned())
    }
}

/// Node with the npm package, where both are there.
pub fn npm(script: &Path) -> Result<Pipe, String> {
    Pipe::start(Command::new("node").arg(script))
}

/// The gate's own code.
pub struct Native;

impl Signer for Native {
    fn sign(&mut self, order: &SignOrder<'_>) -> Result<Fields, String> {
        let key = match &order.key.private {
            Private::Pem(pem) => SigningKey::from_pem(algorithm(order.key)?, pem)?,
            Private::Secret(secret) => SigningKey::from_secret(secret.clone()),
        };
        let headers = order.exchange.filter_headers()?;
        let lines: Vec<(&str, &[u8])> = headers.iter().collect();
        let message = Message::new(&lines, None).ok_or("takes text only")?;
        let components: Vec<Component> = order
            .components
            .iter()
            .map(|text| Component::parse(text).map_err(|error| format!("`{text}` {error}")))
            .collect::<Result<_, _>>()?;
        let proposal = Proposal {
            label: order.label,
            components: &components,
            key_id: order.key_id,
            created: order.created,
            expires: order.expires,
            nonce: order.nonce,
            tag: order.tag,
            name_algorithm: order.alg,
        };
        let mut failed = false;
        let mut random = |buffer: &mut [u8]| failed |= getrandom::fill(buffer).is_err();
        let signed = sign(&message, &proposal, &key, &mut random);
        match (signed, failed) {
            (Ok(signed), false) => Ok([signed.signature_input, signed.signature]),
            (Err(error), _) => Err(error.to_string()),
            (_, true) => Err("there is no randomness".into()),
        }
    }
}

fn algorithm(key: &Key) -> Result<Algorithm, String> {
    Algorithm::parse(&key.algorithm)
        .filter(|algorithm| algorithm.http_name().is_some())
        .ok_or_else(|| format!("`{}` signs no HTTP messages", key.algorithm))
}

/// What RFC 9421 calls a JWS algorithm.
pub fn http_name(algorithm: &str) -> Option<&'static str> {
    Algorithm::parse(algorithm)?.http_name()
}
