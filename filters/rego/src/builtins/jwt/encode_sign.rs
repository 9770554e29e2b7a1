//! `io.jwt.encode_sign` and `io.jwt.encode_sign_raw`. Where OPA takes randomness, the salt or the
//! number follows from the key and the message instead (RFC 6979 for ECDSA).

use portcullis_crypto::{encoding, private::PrivateKey, public};
use serde_json::Value as Json;

use super::{
    super::{
        call::{Failure, Outcome, World},
        operand,
    },
    algorithm::{Algorithm, EDWARDS, elliptic, hashing, private_rsa, sign_fault},
    jwk,
};
use crate::value::{self, Value};

pub(super) fn encode_sign(arguments: &[Value], world: &World<'_>) -> Outcome {
    let header = printed(operand::any(arguments, 0)?, world)?;
    let payload = printed(operand::any(arguments, 1)?, world)?;
    let key = printed(operand::any(arguments, 2)?, world)?;
    sign(&header, &payload, &key, world)
}

pub(super) fn encode_sign_raw(arguments: &[Value], world: &World<'_>) -> Outcome {
    let key = operand::string(arguments, 2)?;
    let header = operand::string(arguments, 0)?;
    let payload = operand::string(arguments, 1)?;
    sign(header, payload, key, world)
}

fn sign(header: &str, payload: &str, key: &str, world: &World<'_>) -> Outcome {
    let keys = jwk::set(key, world)?;
    let key = keys
        .first()
        .ok_or_else(|| Failure::error("no keys found in JWK set"))?;
    world.charge(header.len().saturating_add(payload.len()).saturating_mul(4))?;
    let members: Json = serde_json::from_str(header)
        .map_err(|_| Failure::error("missing or invalid 'alg' header: cannot parse JSON"))?;
    let member = |name: &str| members.get(name).and_then(Json::as_str);
    let alg = member("alg").ok_or_else(|| {
        Failure::error("missing or invalid 'alg' header: jwsbb: header \"alg\" not found")
    })?;
    let algorithm = Algorithm::parse(alg)
        .ok_or_else(|| Failure::error(format!("unknown JWS algorithm: {alg}")))?;
    let is_token = member("typ").is_none_or(|typ| typ == "JWT");
    if is_token && serde_json::from_str::<serde::de::IgnoredAny>(payload).is_err() {
        return Err(Failure::error("type is JWT but payload is not JSON"));
    }
    let message = format!(
        "{}.{}",
        encoding::to_url(header.as_bytes()),
        encoding::to_url(payload.as_bytes())
    );
    hashing(message.as_bytes(), world)?;
    let signature = signature(algorithm, key, message.as_bytes(), world)?;
    let token = format!("{message}.{}", encoding::to_url(&signature));
    Ok(Some(value::string(&token)))
}

fn signature(
    algorithm: Algorithm,
    key: &serde_json::Map<String, Json>,
    message: &[u8],
    world: &World<'_>,
) -> Result<Vec<u8>, Failure> {
    if let Algorithm::Hmac(hash) = algorithm {
        let secret = jwk::secret(key)?.ok_or_else(wrong_key)?;
        hashing(&secret, world)?;
        return Ok(public::mac(hash, &secret, message));
    }
    match (jwk::private_key(key, world)?, algorithm) {
        (Some(PrivateKey::Rsa(key)), Algorithm::Rsa(padding, hash)) => {
            world.charge(private_rsa(&key.public.n))?;
            key.sign(padding, hash, message).map_err(sign_fault)
        }
        (Some(PrivateKey::Ec(key)), Algorithm::Ecdsa(hash)) => {
            world.charge(elliptic(key.public.curve))?;
            key.sign(hash, message).map_err(sign_fault)
        }
        (Some(PrivateKey::Ed25519(key)), Algorithm::EdDsa) => {
            world.charge(EDWARDS)?;
            Ok(key.sign(message))
        }
        _ => Err(wrong_key()),
    }
}

fn wrong_key() -> Failure {
    Failure::error("the key is of a kind that this algorithm does not take")
}

/// JSON as Go prints it, safe in HTML.
fn printed(value: &Value, world: &World<'_>) -> Result<String, Failure> {
    let json = value::to_json(value).to_string();
    world.charge(json.len().saturating_mul(4))?;
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    Ok(text)
}
