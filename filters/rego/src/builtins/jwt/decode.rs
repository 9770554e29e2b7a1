//! `io.jwt.decode`, and the parts of a token that the others read as well.

use portcullis_crypto::encoding;

use super::super::{
    call::{Failure, Outcome, World},
    json, operand,
};
use crate::value::{self, Value};

/// A token's parts, as they are written.
pub(super) struct Token<'a> {
    pub header: &'a str,
    pub payload: &'a str,
    pub signature: &'a str,
    /// What is signed: the header, the dot and the payload.
    pub signed: &'a str,
}

impl<'a> Token<'a> {
    /// # Errors
    /// It is not three parts.
    pub fn split(text: &'a str) -> Result<Token<'a>, Failure> {
        let Some((signed, signature)) = text.rsplit_once('.') else {
            return Err(Failure::error("encoded JWT had no period separators"));
        };
        match signed.split_once('.') {
            Some((header, payload)) if !payload.contains('.') => Ok(Token {
                header,
                payload,
                signature,
                signed,
            }),
            _ => Err(Failure::error(format!(
                "encoded JWT must have 3 sections, found {}",
                text.split('.').count()
            ))),
        }
    }

    /// The header as an object, where it is of no JWE (RFC 7516 section 9).
    ///
    /// # Errors
    /// It is none.
    pub fn header(&self, world: &World<'_>) -> Result<Value, Failure> {
        let bytes = part(self.header, "header", world)?;
        let header = object(&bytes, world).map_err(|failure| match failure {
            Failure::Error(why) => Failure::error(format!("bad JWT header: {why}")),
            other => other,
        })?;
        match member(&header, "enc") {
            Some(_) => Err(Failure::error(
                "JWT is a JWE object, which is not supported",
            )),
            None => Ok(header),
        }
    }

    /// # Errors
    /// It is no base64url.
    pub fn payload(&self, world: &World<'_>) -> Result<Vec<u8>, Failure> {
        part(self.payload, "payload", world)
    }

    /// # Errors
    /// It is no base64url.
    pub fn signature(&self, world: &World<'_>) -> Result<Vec<u8>, Failure> {
        part(self.signature, "signature", world)
    }
}

pub(super) fn decode(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut text = operand::string(arguments, 0)?.to_string();
    // Each round reads a token inside a token, which is three quarters as long.
    loop {
        world.charge(text.len())?;
        let token = Token::split(&text)?;
        let header = token.header(world)?;
        let payload = token.payload(world)?;
        match member(&header, "cty") {
            Some(Value::String(cty)) if **cty == *"JWT" => {
                let inner = written(&payload);
                let inner = inner.trim_matches(['"', '\'']).to_owned();
                text = inner;
                continue;
            }
            None | Some(Value::String(_)) => {}
            Some(_) => return Err(Failure::Unsupported("a `cty` that is no string")),
        }
        let payload = object(&payload, world)?;
        let signature = encoding::to_hex(&token.signature(world)?);
        return Ok(Some(value::array([
            header,
            payload,
            value::string(&signature),
        ])));
    }
}

/// A part of a token. OPA adds the padding that is missing.
fn part(text: &str, name: &str, world: &World<'_>) -> Result<Vec<u8>, Failure> {
    world.charge(text.len())?;
    let padding = match text.len() & 3 {
        _ if text.ends_with('=') => Some(""),
        0 => Some(""),
        2 => Some("=="),
        3 => Some("="),
        _ => None,
    };
    let Some(padding) = padding else {
        return Err(Failure::error(format!(
            "JWT {name} had invalid encoding: illegal base64url string"
        )));
    };
    encoding::url([text, padding].concat().as_bytes()).map_err(|at| {
        Failure::error(format!(
            "JWT {name} had invalid encoding: illegal base64 data at input byte {at}"
        ))
    })
}

/// A document that is an object. Of members of one name, the last counts.
pub(super) fn object(bytes: &[u8], world: &World<'_>) -> Result<Value, Failure> {
    let value = json::parse(&written(bytes), world).map_err(|failure| match failure {
        Failure::Error(why) => Failure::error(format!("invalid JSON: {why}")),
        other => other,
    })?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Failure::error("decoded JSON type was not an Object")),
    }
}

/// Text, with Go's sign in place of each byte that is none.
pub(super) fn written(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

pub(super) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    match object {
        Value::Object(entries) => entries.get(&value::string(name)),
        _ => None,
    }
}
