//! What a verified token says: whether it is meant for here and now (RFC 7519 section 4.1), and
//! which of it the upstream is told.

use super::fault::{Fault, quoted};
use crate::{
    config::jwt::{ACCESS_TOKEN, Provider},
    fields,
    upstream::identity,
    words::Reason,
};
use serde_json::{Map, Value};
use std::time::Duration;

pub fn check(provider: &Provider, claims: &Map<String, Value>, now_ns: u64) -> Result<(), Fault> {
    if claims.get("sub").is_some_and(|sub| !sub.is_string()) {
        return Err(mistyped("sub"));
    }
    if provider.typ.as_deref() == Some(ACCESS_TOKEN) {
        // RFC 9068 section 2.2, by RFC 8693 section 4.3 and RFC 7519 section 4.1.7.
        for name in ["client_id", "jti"] {
            let claim = claims.get(name).unwrap_or(&Value::Null);
            if !claim.is_string() && !claim.is_null() {
                return Err(mistyped(name));
            }
        }
    }
    let expires = numeric_date(claims, "exp")?;
    let not_before = numeric_date(claims, "nbf")?;
    let issued = numeric_date(claims, "iat")?;
    for name in &provider.require {
        if claims.get(name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    let now = Duration::from_nanos(now_ns).as_secs_f64();
    let leeway = provider.leeway.as_secs_f64();
    if let Some(expires) = expires.filter(|expires| now >= expires + leeway) {
        let why = format!("it expired {} ago", length(now - expires));
        return Err(Fault::new(Reason::JwtExpired, why));
    }
    for (name, from) in [("nbf", not_before), ("iat", issued)] {
        if let Some(from) = from.filter(|from| now < from - leeway) {
            let why = format!("its `{name}` is {} ahead", length(from - now));
            return Err(Fault::new(Reason::JwtNotYetValid, why));
        }
    }
    if let Some(longest) = provider.max_lifetime {
        match (issued, expires) {
            (Some(issued), Some(expires)) if expires - issued <= longest.as_secs_f64() => {}
            (Some(issued), Some(expires)) => {
                let (found, longest) = (length(expires - issued), length(longest.as_secs_f64()));
                let why = format!("it lives {found}, longer than `max_lifetime`: {longest}");
                return Err(Fault::new(Reason::JwtLifetime, why));
            }
            (None, _) => return Err(missing("iat")),
            (_, None) => return Err(missing("exp")),
        }
    }
    check_audience(provider, claims)?;
    check_subject(provider, claims)
}

fn missing(name: &str) -> Fault {
    Fault::new(Reason::JwtClaimMissing, format!("it has no `{name}`"))
}

/// Not of the type that its RFC gives it.
fn mistyped(name: &str) -> Fault {
    let why = format!("its `{name}` is of a type that it cannot be of");
    Fault::new(Reason::JwtMalformed, why)
}

/// Of seconds, in the largest unit that there is one of: `5m`.
fn length(seconds: f64) -> String {
    let Ok(length) = Duration::try_from_secs_f64(seconds.floor()) else {
        return "a long time".into();
    };
    let text = humantime::format_duration(length).to_string();
    text.split(' ').next().unwrap_or(&text).to_owned()
}

/// Seconds since the epoch, fractions allowed (RFC 7519 section 2).
pub fn numeric_date(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(mistyped(name)),
        },
    }
}

fn check_subject(provider: &Provider, claims: &Map<String, Value>) -> Result<(), Fault> {
    let Some(wanted) = &provider.subjects else {
        return Ok(());
    };
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.ok_or_else(|| missing("sub"))?;
    if wanted.iter().any(|wanted| wanted.matches(subject)) {
        return Ok(());
    }
    let why = format!("its `sub` {} is none of `subjects`", quoted(subject));
    Err(Fault::new(Reason::JwtSubject, why))
}

fn check_audience(provider: &Provider, claims: &Map<String, Value>) -> Result<(), Fault> {
    let Some(wanted) = &provider.audiences else {
        return Ok(());
    };
    let is_wanted = |audience: &Value| {
        audience
            .as_str()
            .is_some_and(|audience| wanted.iter().any(|w| w == audience))
    };
    // Text, or a list of texts (RFC 7519 section 4.1.3).
    let good = match claims.get("aud") {
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => list.iter().any(is_wanted),
        Some(one @ Value::String(_)) => is_wanted(one),
        Some(_) => return Err(mistyped("aud")),
        None => false,
    };
    if good {
        return Ok(());
    }
    let found = match claims.get("aud") {
        Some(found) => quoted(&identity::written(found)),
        None => "absent".into(),
    };
    let why = format!("its `aud` is {found}, expected {}", wanted.join(" or "));
    Err(Fault::new(Reason::JwtAudience, why))
}

/// The headers that `claim_headers` asks for; an error where a claim cannot stand in a header.
/// A claim that is not there writes nothing.
pub fn headers(
    provider: &Provider,
    claims: &Map<String, Value>,
) -> Result<Vec<(String, String)>, Fault> {
    let mut headers = Vec::new();
    for wanted in &provider.claim_headers {
        let Some(claim) = identity::lookup(claims, &wanted.path) else {
            continue;
        };
        let value = identity::written(claim);
        if !fields::is_value(&value) {
            let header = &wanted.header;
            let why = format!("the claim for `{header}` holds what no header may");
            return Err(Fault::new(Reason::JwtMalformed, why));
        }
        headers.push((wanted.header.clone(), value));
    }
    Ok(headers)
}
