//! What a verified token says: whether it is meant for here and now (RFC 7519 section 4.1), and
//! which of it the upstream is told.

use crate::{config::jwt::Provider, fields, words::Reason};
use serde_json::{Map, Value};
use std::time::Duration;

/// A claim that refuses the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsFault {
    /// Not of the type that RFC 7519 gives it.
    Malformed,
    Missing,
    Expired,
    NotYetValid,
    Audience,
    Lifetime,
    /// Bound to a key (`cnf`, RFC 7800) that nobody here checks.
    Binding,
}

impl ClaimsFault {
    pub const fn reason(self) -> Reason {
        match self {
            ClaimsFault::Malformed => Reason::JwtMalformed,
            ClaimsFault::Missing => Reason::JwtClaimMissing,
            ClaimsFault::Expired => Reason::JwtExpired,
            ClaimsFault::NotYetValid => Reason::JwtNotYetValid,
            ClaimsFault::Audience => Reason::JwtAudience,
            ClaimsFault::Lifetime => Reason::JwtLifetime,
            ClaimsFault::Binding => Reason::JwtBinding,
        }
    }
}

pub fn check(
    provider: &Provider,
    claims: &Map<String, Value>,
    now_ns: u64,
) -> Result<(), ClaimsFault> {
    if claims.get("sub").is_some_and(|sub| !sub.is_string()) {
        return Err(ClaimsFault::Malformed);
    }
    let expires = numeric_date(claims, "exp")?;
    let not_before = numeric_date(claims, "nbf")?;
    let issued = numeric_date(claims, "iat")?;
    for name in &provider.require {
        if claims.get(name).is_none_or(Value::is_null) {
            return Err(ClaimsFault::Missing);
        }
    }
    let now = Duration::from_nanos(now_ns).as_secs_f64();
    let leeway = provider.leeway.as_secs_f64();
    if expires.is_some_and(|expires| now >= expires + leeway) {
        return Err(ClaimsFault::Expired);
    }
    if not_before.is_some_and(|from| now < from - leeway)
        || issued.is_some_and(|issued| now < issued - leeway)
    {
        return Err(ClaimsFault::NotYetValid);
    }
    if let Some(longest) = provider.max_lifetime {
        match (issued, expires) {
            (Some(issued), Some(expires)) if expires - issued <= longest.as_secs_f64() => {}
            (Some(_), Some(_)) => return Err(ClaimsFault::Lifetime),
            _ => return Err(ClaimsFault::Missing),
        }
    }
    check_audience(provider, claims)?;
    if claims.contains_key("cnf") && !provider.ignore_binding {
        return Err(ClaimsFault::Binding);
    }
    Ok(())
}

/// Seconds since the epoch, fractions allowed (RFC 7519 section 2).
fn numeric_date(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, ClaimsFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(ClaimsFault::Malformed),
        },
    }
}

fn check_audience(provider: &Provider, claims: &Map<String, Value>) -> Result<(), ClaimsFault> {
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
        Some(_) => return Err(ClaimsFault::Malformed),
        None => false,
    };
    good.then_some(()).ok_or(ClaimsFault::Audience)
}

/// The headers that `claim_headers` asks for; `None` where a claim cannot stand in a header.
/// A claim that is not there writes nothing.
pub fn headers(provider: &Provider, claims: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for wanted in &provider.claim_headers {
        let Some(claim) = lookup(claims, &wanted.claim) else {
            continue;
        };
        let value = render(claim);
        if !fields::is_value(&value) {
            return None;
        }
        headers.push((wanted.header.clone(), value));
    }
    Some(headers)
}

fn lookup<'v>(claims: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let mut value = claims.get(first)?;
    for member in rest {
        value = value.as_object()?.get(member)?;
    }
    (!value.is_null()).then_some(value)
}

/// Text as it is, a list joined with commas, anything else as JSON. A list with an element that
/// holds a comma would read as another list, so it is JSON too.
fn render(claim: &Value) -> String {
    match claim {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let joined: Option<Vec<String>> = items
                .iter()
                .map(|item| match item {
                    Value::String(text) if !text.contains(',') => Some(text.clone()),
                    Value::Number(_) | Value::Bool(_) => Some(item.to_string()),
                    _ => None,
                })
                .collect();
            joined.map_or_else(|| claim.to_string(), |items| items.join(","))
        }
        other => other.to_string(),
    }
}
