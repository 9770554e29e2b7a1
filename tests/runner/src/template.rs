//! `{{...}}` in `gate.yaml` and `cases.yaml`: what only a run can know, such as times, keys and tokens.

use crate::error::Error;
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};

/// What the words that name keys, tokens and certificates stand for.
pub trait Names {
    fn jwk(&self, key: &str) -> Result<Value, Error>;
    fn pem(&self, key: &str) -> Result<String, Error>;
    /// The private half as PEM, for keys of the gate's own.
    fn private(&self, key: &str) -> Result<String, Error>;
    fn token(&self, token: &str) -> Result<String, Error>;
    fn fingerprint(&self, certificate: &str) -> Result<String, Error>;
    /// The JWK's thumbprint (RFC 7638), as `cnf.jkt` has it.
    fn thumbprint(&self, key: &str) -> Result<String, Error>;
    fn cluster(&self, server: &str) -> Result<String, Error>;
    /// Seconds since the Unix epoch, the same for the whole scenario.
    fn now(&self) -> u64;
}

/// Expands a text: one that is a template as a whole becomes the template's value, else its text.
pub fn value(names: &dyn Names, text: &str) -> Result<Value, Error> {
    if let Some(inner) = text
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        && !inner.contains("{{")
    {
        return evaluate(names, inner);
    }
    self::text(names, text).map(Value::String)
}

/// Expands every template inside a text.
pub fn text(names: &dyn Names, text: &str) -> Result<String, Error> {
    replace(text, false, |inner, _| {
        evaluate(names, inner).map(|value| plain(&value))
    })
}

/// Expands the text of a YAML document: `"{{jwk a}}"`, quotes and all, becomes JSON.
pub fn document(names: &dyn Names, text: &str) -> Result<String, Error> {
    replace(text, true, |inner, quoted| {
        let value = evaluate(names, inner)?;
        Ok(if quoted {
            value.to_string()
        } else {
            plain(&value)
        })
    })
}

/// Expands every text inside a JSON value.
pub fn deep(names: &dyn Names, found: &Value) -> Result<Value, Error> {
    Ok(match found {
        Value::String(text) => value(names, text)?,
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| deep(names, item))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => Value::Object(deep_map(names, map)?),
        other => other.clone(),
    })
}

pub fn deep_map(names: &dyn Names, map: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    map.iter()
        .map(|(key, value)| Ok((key.clone(), deep(names, value)?)))
        .collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// With `quotes`, those around a template that stands alone in them go too, and `expand` is told.
fn replace(
    text: &str,
    quotes: bool,
    mut expand: impl FnMut(&str, bool) -> Result<String, Error>,
) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, after)) = after.split_once("}}") else {
            return Err(fault(after, "is not closed"));
        };
        let quoted = before
            .strip_suffix('"')
            .zip(after.strip_prefix('"'))
            .filter(|_| quotes);
        let (before, after) = quoted.unwrap_or((before, after));
        out.push_str(before);
        out.push_str(&expand(inner, quoted.is_some())?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn evaluate(names: &dyn Names, inner: &str) -> Result<Value, Error> {
    let (word, argument) = inner.trim().split_once(' ').unwrap_or((inner.trim(), ""));
    let argument = argument.trim();
    if let Some(offset) = word.strip_prefix("now") {
        return Ok(instant(names, inner, offset)?.into());
    }
    Ok(match word {
        "rfc3339" => {
            let seconds = instant(
                names,
                inner,
                argument.strip_prefix("now").unwrap_or(argument),
            )?;
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            humantime::format_rfc3339_seconds(time).to_string().into()
        }
        // RFC 9110 section 5.6.7.
        "http" => {
            let offset = argument.strip_prefix("now").unwrap_or(argument);
            let since = std::time::Duration::from_secs(instant(names, inner, offset)?);
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + since).into()
        }
        "jwk" => names.jwk(argument)?,
        "pem" => names.pem(argument)?.into(),
        "private" => names.private(argument)?.into(),
        "token" => names.token(argument)?.into(),
        "fingerprint" => names.fingerprint(argument)?.into(),
        "thumbprint" => names.thumbprint(argument)?.into(),
        // As `cnf.x5t#S256` has it (RFC 8705 section 3.1).
        "x5t" => {
            let digest = from_hex(&names.fingerprint(argument)?)
                .ok_or_else(|| fault(inner, "is of no certificate"))?;
            BASE64_URL_SAFE_NO_PAD.encode(digest).into()
        }
        // A token's hash (RFC 9449 section 4.2), and its claims as they were signed.
        "ath" => {
            let token = names.token(argument)?;
            let hash = hmac_sha256::Hash::hash(token.as_bytes());
            BASE64_URL_SAFE_NO_PAD.encode(hash).into()
        }
        "payload" => {
            let token = names.token(argument)?;
            let payload = token.split('.').nth(1);
            payload
                .ok_or_else(|| fault(inner, "is no token in parts"))?
                .into()
        }
        "cluster" => names.cluster(argument)?.into(),
        "sha256" => hex(&hmac_sha256::Hash::hash(argument.as_bytes())).into(),
        "hmac_sha256" => {
            let (key, text) = argument
                .split_once(' ')
                .ok_or_else(|| fault(inner, "takes a key and a text"))?;
            hex(&hmac_sha256::HMAC::mac(text, key)).into()
        }
        // Of this secret and a lifetime in seconds: what the gate gives as `DPoP-Nonce` now.
        "dpop_nonce" => {
            let (secret, lifetime) = argument
                .split_once(' ')
                .and_then(|(secret, lifetime)| Some((secret, lifetime.parse::<u64>().ok()?)))
                .ok_or_else(|| fault(inner, "takes a secret and a lifetime in seconds"))?;
            let span = names.now().checked_div(lifetime).unwrap_or_default();
            let tag = hmac_sha256::HMAC::mac(format!("portcullis DPoP nonce {span}"), secret);
            BASE64_URL_SAFE_NO_PAD.encode(tag).into()
        }
        "base64" => BASE64_STANDARD.encode(argument).into(),
        "repeat" => {
            let (count, text) = argument
                .split_once(' ')
                .and_then(|(count, text)| Some((count.parse().ok()?, text)))
                .ok_or_else(|| fault(inner, "takes a count and a text"))?;
            text.repeat(count).into()
        }
        _ => {
            return Err(fault(
                inner,
                "is none of now, rfc3339, http, jwk, pem, token, fingerprint, cluster, thumbprint, x5t, ath, payload, sha256, hmac_sha256, dpop_nonce, base64, repeat",
            ));
        }
    })
}

fn instant(names: &dyn Names, inner: &str, offset: &str) -> Result<u64, Error> {
    if offset.is_empty() {
        return Ok(names.now());
    }
    offset
        .parse::<i64>()
        .ok()
        .and_then(|offset| names.now().checked_add_signed(offset))
        .ok_or_else(|| fault(inner, "takes an offset in seconds, such as `now+60`"))
}

/// `None` where it is not hexadecimal.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| {
            let digits = text.get(at..at.checked_add(2)?)?;
            u8::from_str_radix(digits, 16).ok()
        })
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fault(template: &str, message: &str) -> Error {
    Error::Template {
        template: template.to_owned(),
        message: message.to_owned(),
    }
}
