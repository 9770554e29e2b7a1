//! Proofs of possession (DPoP, RFC 9449): a token of the client's own making for one request, signed
//! by the key that the access token is bound to. Whether one was used before, `replay` knows.

use super::{
    claims::numeric_date,
    fault::{Challenge, Fault, quoted},
    jws::Jws,
};
use crate::{
    config::{
        jwks,
        jwt::{binding::Dpop, media_type},
    },
    crypto::{Algorithm, Verifier, constant_time_eq, sha256},
    json,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fluent_uri::{Uri, component::Scheme, normalize::Normalizer};
use serde_json::{Map, Value};
use std::time::Duration;

/// How a proof is judged.
pub struct Terms<'c> {
    pub config: &'c Dpop,
    pub leeway: Duration,
    pub verifier: &'c Verifier,
}

/// The request that a proof must be for, as the gate sees it.
pub struct Target<'r> {
    pub method: &'r str,
    pub scheme: Option<&'r str>,
    pub authority: Option<&'r str>,
    /// With its query.
    pub path: &'r str,
}

/// A proof that is good, unless it was used before.
#[derive(Debug)]
pub struct Proof {
    pub jti: String,
    /// From then on it is too old. Nanoseconds since the Unix epoch.
    pub until_ns: u64,
}

/// Section 4.3, in the order of what it costs: the arithmetic comes last, and only for a key that the
/// token names.
pub fn verify(
    terms: &Terms<'_>,
    proof: &str,
    token: &str,
    bound: &[u8; 32],
    target: &Target<'_>,
    now_ns: u64,
) -> Result<Proof, Fault> {
    let bad = |why: String| Fault::binding(format!("its proof {why}")).told(Challenge::Proof);
    let no = |why: &str| bad(why.to_owned());
    let jws = Jws::parse(proof).ok_or_else(|| no("is no JWT"))?;
    let claims = json::parse_object(&jws.payload).ok_or_else(|| no("is no JWT"))?;
    if text(&jws.header, "typ").is_none_or(|typ| media_type(typ) != "dpop+jwt") {
        return Err(no("has another `typ` than `dpop+jwt`"));
    }
    let algorithm = text(&jws.header, "alg")
        .and_then(Algorithm::parse)
        .filter(|algorithm| !algorithm.is_symmetric())
        .ok_or_else(|| no("has an `alg` that is none of the asymmetric ones"))?;
    let jwk = jws
        .header
        .get("jwk")
        .and_then(Value::as_object)
        .ok_or_else(|| no("has no `jwk`"))?;
    if let Some(secret) = PRIVATE.iter().find(|member| jwk.contains_key(**member)) {
        return Err(bad(format!(
            "shows a private key: its `jwk` has `{secret}`"
        )));
    }

    // Section 4.2.
    let jti = text(&claims, "jti")
        .filter(|jti| !jti.is_empty())
        .ok_or_else(|| no("has no `jti`"))?;
    if text(&claims, "htm") != Some(target.method) {
        return Err(bad(format!(
            "is for another method than {}",
            quoted(target.method)
        )));
    }
    let url = target
        .url()
        .ok_or_else(|| no("is for a URI, and this request has none"))?;
    if !text(&claims, "htu").is_some_and(|htu| is_same(htu, &url)) {
        return Err(bad(format!("is for another URI than {}", quoted(&url))));
    }
    let hash = text(&claims, "ath").ok_or_else(|| no("has no `ath`"))?;
    let hash = URL_SAFE_NO_PAD.decode(hash).ok();
    if hash.as_deref() != Some(&sha256(token.as_bytes())) {
        return Err(no("is for another token: `ath` is not its SHA-256"));
    }
    let until_ns = in_time(terms.config, terms.leeway, &claims, now_ns).map_err(no)?;
    if let Some(nonce) = &terms.config.nonce
        && !text(&claims, "nonce").is_some_and(|shown| nonce.takes(shown, now_ns))
    {
        let fault = no("has no nonce that was given in this time");
        return Err(fault.told(Challenge::Nonce(nonce.current(now_ns))));
    }

    let print = thumbprint(jwk).ok_or_else(|| no("has a `jwk` of no kind that signs"))?;
    if !constant_time_eq(&print, bound) {
        return Err(no("is by another key than the token is bound to").told(Challenge::Token));
    }
    let key = jwks::proof_key(Value::Object(jwk.clone()), algorithm)
        .map_err(|why| bad(format!("has a `jwk` that {why}")))?;
    match jws.is_signed_by(&key, terms.verifier) {
        true => Ok(Proof {
            jti: jti.to_owned(),
            until_ns,
        }),
        false => Err(no("is not signed by its `jwk`")),
    }
}

/// Members of private and of symmetric keys (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

/// Section 11.1: made lately; and from when on it is not, in nanoseconds since the Unix epoch. `exp` and `nbf` are no claims of proofs, but mean what they mean
/// (RFC 7519 section 4.1).
fn in_time(
    config: &Dpop,
    leeway: Duration,
    claims: &Map<String, Value>,
    now_ns: u64,
) -> Result<u64, &'static str> {
    const NO_TIME: &str = "has a time that is no number";
    let date = |name| numeric_date(claims, name).map_err(|_| NO_TIME);
    let (issued, expires, from) = (date("iat")?, date("exp")?, date("nbf")?);
    let issued = issued.ok_or("has no `iat`")?;
    let now = Duration::from_nanos(now_ns).as_secs_f64();
    let (leeway, max_age) = (leeway.as_secs_f64(), config.max_age.as_secs_f64());
    if now < issued - leeway || from.is_some_and(|from| now < from - leeway) {
        return Err("is from the future, by more than `leeway`");
    }
    if now > issued + max_age + leeway || expires.is_some_and(|end| now >= end + leeway) {
        return Err("is too old, by more than `dpop.max_age` and `leeway`");
    }
    // A second more than what a double may have rounded away.
    let until = Duration::try_from_secs_f64(issued + max_age + leeway + 1.0);
    let until = until.ok().and_then(|it| u64::try_from(it.as_nanos()).ok());
    Ok(until.unwrap_or(u64::MAX))
}

impl Target<'_> {
    /// The URI without query and fragment. The scheme is the proxy's word.
    fn url(&self) -> Option<String> {
        let (scheme, authority) = (self.scheme?, self.authority?);
        let path = self.path.split(['?', '#']).next()?;
        path.starts_with('/')
            .then(|| format!("{scheme}://{authority}{path}"))
    }
}

/// Section 4.3: query and fragment are ignored, and both are normalized (RFC 3986 sections 6.2.2 and
/// 6.2.3), unless they are the same as they stand: a path may hold what no URI may.
fn is_same(htu: &str, url: &str) -> bool {
    let htu = htu.split(['?', '#']).next().unwrap_or(htu);
    htu == url || normal(htu).is_some_and(|htu| normal(url) == Some(htu))
}

fn normal(url: &str) -> Option<String> {
    // It is asked before the case of the scheme is normalized.
    let default_port = |scheme: &Scheme| {
        let ports = [("http", 80), ("https", 443)];
        let is_it = |(name, _): &(&str, u16)| scheme.as_str().eq_ignore_ascii_case(name);
        ports.into_iter().find(is_it).map(|(_, port)| port)
    };
    let normal = Normalizer::new()
        .default_port_with(default_port)
        .normalize(&Uri::parse(url).ok()?)
        .ok()?;
    let mut normal = normal.into_string();
    // The path of an origin is `/`.
    let after_scheme = normal.split_once("://")?.1;
    if !after_scheme.contains('/') {
        normal.push('/');
    }
    Some(normal)
}

/// RFC 7638 section 3: the members that make the key, in the order of their names. They are base64url
/// and names of curves, which JSON does not escape.
fn thumbprint(jwk: &Map<String, Value>) -> Option<[u8; 32]> {
    let members: &[&str] = match text(jwk, "kty")? {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut parts = Vec::new();
    for member in members {
        let value = text(jwk, member)?;
        if !value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        {
            return None;
        }
        parts.push(format!("\"{member}\":\"{value}\""));
    }
    Some(sha256(format!("{{{}}}", parts.join(",")).as_bytes()))
}

#[cfg(test)]
mod tests;
