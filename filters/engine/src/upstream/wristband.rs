//! A wristband: a short-lived token (RFC 7519) of the gate's own about what it verified of one request,
//! so that no service behind it has to know who else makes tokens.

use super::Failure;
use crate::{
    config::upstream::Wristband,
    credential::{api_key::VerifiedApiKey, jwt::VerifiedJwt, signature::VerifiedSignature},
    gate::Moment,
    verified::Verified,
    words::Reason,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// So that no other token of the same issuer is taken for one (RFC 8725 section 3.11).
const TYPE: &str = "wristband+jwt";

/// What it says but for its times. `portcullis` names what it stands on.
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
    if let Some(id) = verified.peer.as_ref().and_then(|peer| peer.spiffe_id()) {
        grounds.insert("spiffe_id".into(), id.into());
    }
    claims.insert("portcullis".into(), grounds.into());
    claims
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
    let expires = now.saturating_add(config.lifetime.as_secs());
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
