//! A wristband: a short-lived token (RFC 7519) of the gate's own about what it verified of one request,
//! so that no service behind it has to know who else makes tokens.

use super::{Failure, identity};
use crate::{
    config::upstream::Wristband,
    credential::{api_key::VerifiedApiKey, jwt::VerifiedJwt, signature::VerifiedSignature},
    gate::Moment,
    verified::Verified,
    words::Reason,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// So that no other token of the same issuer is taken for one (RFC 8725 section 3.11).
const TYPE: &str = "wristband+jwt";

/// What it says but for its times; `exp` is when it ends at the latest. `portcullis` names what it stands
/// on.
pub fn claims(
    config: &Wristband,
    verified: &Verified<'_>,
    fact: impl Fn(&[String]) -> Option<Value>,
) -> Map<String, Value> {
    let mut claims = Map::new();
    for (name, path) in &config.claims {
        if let Some(value) = fact(path) {
            claims.insert(name.clone(), value);
        }
    }
    claims.insert("iss".into(), config.issuer.as_str().into());
    claims.insert(
        "aud".into(),
        match config.audience.as_slice() {
            [one] => one.as_str().into(),
            several => several.into(),
        },
    );
    if let Some(subject) = verified.subject() {
        claims.insert("sub".into(), subject.into());
    }
    if let Some(scope) = verified.scope() {
        claims.insert("scope".into(), scope.into());
    }
    let mut grounds = Map::new();
    if !verified.jwts.is_empty() {
        let providers = verified.jwts.iter().map(VerifiedJwt::provider);
        grounds.insert("jwt".into(), providers.collect());
    }
    if let Some(id) = verified.api_key.as_ref().map(VerifiedApiKey::id) {
        grounds.insert("api_key".into(), id.into());
    }
    if !verified.signatures.is_empty() {
        let keys = verified.signatures.iter().map(VerifiedSignature::key_id);
        grounds.insert("signature".into(), keys.collect());
    }
    if let Some(peer) = &verified.peer {
        match peer.spiffe_id() {
            Some(id) => grounds.insert("spiffe_id".into(), id.into()),
            None => {
                let name = peer.uri_san().or(peer.dns_san()).or(peer.subject());
                let name = name.or(peer.fingerprint()).unwrap_or_default();
                grounds.insert("peer".into(), name.into())
            }
        };
    }
    claims.insert("portcullis".into(), grounds.into());
    if let Some(ends) = ends(verified) {
        claims.insert("exp".into(), ends.into());
    }
    claims
}

/// When the first thing that it stands on is good no more, in seconds since the Unix epoch.
fn ends(verified: &Verified<'_>) -> Option<u64> {
    let exp = ["exp".to_owned()];
    let tokens = verified.jwts.iter().filter_map(|jwt| {
        let seconds = identity::fact(jwt.claims(), &exp)?.as_f64()?;
        let whole = Duration::try_from_secs_f64(seconds).ok()?;
        Some(whole.as_secs())
    });
    let key = verified.api_key.as_ref();
    let key = key.and_then(|key| Some(key.expires_ns()? / 1_000_000_000));
    tokens.chain(key).min()
}

/// The value of its header.
///
/// # Errors
/// The key does not sign: none that was loaded does that.
pub fn mint(
    config: &Wristband,
    claims: &Map<String, Value>,
    moment: &Moment<'_>,
) -> Result<String, Failure> {
    let now = moment.now_ns / 1_000_000_000;
    let mut claims = claims.clone();
    claims.insert("iat".into(), now.into());
    let lifetime = now.saturating_add(config.lifetime.as_secs());
    // No longer than what it stands on; a token may be past its own end, by `leeway`.
    let ends = claims.get("exp").and_then(Value::as_u64);
    let expires = ends.map_or(lifetime, |ends| {
        lifetime.min(ends).max(now.saturating_add(1))
    });
    claims.insert("exp".into(), expires.into());
    // One of them for each decision, by which logs have it, too.
    claims.insert("jti".into(), moment.decision_id.into());
    let key = &config.key;
    let header = json!({"alg": key.key.algorithm().name(), "kid": key.id, "typ": TYPE});
    let segment = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut token = format!("{}.{}", segment(&header), segment(&claims.into()));
    let signature = key.key.sign(token.as_bytes(), &mut |_| {});
    let signature = signature.map_err(|_| {
        let why = "the wristband's key signs with no algorithm of its kind";
        (Reason::HostError, why.to_owned())
    })?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(match config.is_bearer() {
        true => format!("Bearer {token}"),
        false => token,
    })
}
