//! What a token's header says of itself, and what a policy demands of a token.

use std::collections::BTreeSet;

use super::{
    super::call::{Failure, World},
    keys::{self, Keys},
};
use crate::value::{self, Value};

/// The members of a header that matter (RFC 7515 section 4.1).
pub(super) struct Header {
    pub alg: Option<String>,
    pub kid: Option<String>,
    pub cty: Option<String>,
    /// Whether all that must be understood is.
    understood: bool,
}

impl Header {
    /// # Errors
    /// A member is of the wrong type.
    pub fn read(object: &Value) -> Result<Header, Failure> {
        const KNOWN: &[&str] = &["alg", "crit", "cty", "kid", "typ"];
        let text = |name: &str| match super::decode::member(object, name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(Failure::error(format!("{name}: must be a string"))),
        };
        text("typ")?;
        let critical = match super::decode::member(object, "crit") {
            None => BTreeSet::new(),
            Some(Value::Array(names)) => {
                // OPA stops at the first that is no string.
                let names = names.iter().map_while(|name| match name {
                    Value::String(name) => Some(&**name),
                    _ => None,
                });
                let names: BTreeSet<&str> = names.collect();
                if names.is_empty() {
                    return Err(Failure::error("crit: must be a nonempty list"));
                }
                names
            }
            Some(_) => return Err(Failure::error("crit: must be a list")),
        };
        let understood = !critical
            .iter()
            .any(|name| !KNOWN.contains(name) && super::decode::member(object, name).is_some());
        Ok(Header {
            alg: text("alg")?,
            kid: text("kid")?,
            cty: text("cty")?,
            understood,
        })
    }

    /// Its algorithm, where the header is one to go by.
    pub fn valid_alg(&self) -> Option<&str> {
        let alg = self.alg.as_deref().filter(|alg| !alg.is_empty());
        alg.filter(|_| self.understood)
    }
}

/// The second argument of `io.jwt.decode_verify`.
pub(super) struct Constraints {
    pub trust: Trust,
    pub alg: Option<String>,
    pub iss: Option<String>,
    pub aud: Option<String>,
    /// Seconds.
    pub time: f64,
}

pub(super) enum Trust {
    Keys(Keys),
    Secret(String),
}

impl Constraints {
    /// # Errors
    /// One is not known, or of the wrong type, or there is not exactly one kind of key.
    pub fn read(
        entries: &regorus::value::Object,
        world: &World<'_>,
    ) -> Result<Constraints, Failure> {
        let (mut keys, mut secret, mut time) = (None, None, None);
        let (mut alg, mut iss, mut aud) = (None, None, None);
        for (name, value) in entries.iter_sorted() {
            let Value::String(name) = name else {
                return Err(Failure::error("unknown token validation constraint"));
            };
            let text = || match value {
                Value::String(text) if text.is_empty() => Ok(None),
                Value::String(text) => Ok(Some(text.to_string())),
                _ => Err(Failure::error(format!(
                    "{name} constraint: must be a string"
                ))),
            };
            match &**name {
                "cert" => match value {
                    Value::String(text) => keys = Some(keys::keys(text, world)?),
                    _ => return Err(Failure::error("cert constraint: must be a string")),
                },
                "secret" => secret = text()?,
                "alg" => alg = text()?,
                "iss" => iss = text()?,
                "aud" => aud = text()?,
                "time" => time = Some(nanoseconds(value)?),
                _ => {
                    return Err(Failure::error(format!(
                        "unknown token validation constraint: {name}"
                    )));
                }
            }
        }
        let trust = match (keys, secret) {
            (Some(_), Some(_)) => return Err(Failure::error("duplicate key constraints")),
            (Some(keys), None) => Trust::Keys(keys),
            (None, Some(secret)) => Trust::Secret(secret),
            (None, None) => return Err(Failure::error("no key constraint")),
        };
        let time = match time {
            Some(time) => time,
            None => nanoseconds(&Value::from(world.moment.now_ns))?,
        };
        Ok(Constraints {
            trust,
            alg,
            iss,
            aud,
            time: time / 1_000_000_000.0,
        })
    }

    /// Whether one of the token's audiences is the one that is wanted; OPA lets no token with an
    /// audience pass where none is.
    pub fn is_audience(&self, aud: &Value) -> bool {
        let wanted = self.aud.as_deref().unwrap_or("");
        let is = |aud: &Value| matches!(aud, Value::String(aud) if **aud == *wanted);
        match aud {
            Value::Array(all) => all.iter().any(is),
            one => is(one),
        }
    }
}

fn nanoseconds(value: &Value) -> Result<f64, Failure> {
    if !matches!(value, Value::Number(_)) {
        return Err(Failure::error("token time constraint: must be a number"));
    }
    // regorus gives no float for an integer that it would round.
    match value::to_json(value).as_f64() {
        Some(time) if time < 0.0 => Err(Failure::error(
            "token time constraint: must not be negative",
        )),
        Some(time) => Ok(time),
        None => Err(Failure::error("token time constraint: unvalid float64")),
    }
}
