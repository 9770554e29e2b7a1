//! Where a provider's keys come from: a key set in the document, or one that is fetched.

use super::{
    raw, remote,
    remote::Endpoint,
    secret::{Secret, written_out},
};
use crate::{
    crypto::{self, Algorithm, KeyType, Material, VerificationKey},
    error::Findings,
    gate::Secrets,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::Arc;

pub enum KeySource {
    Inline(Arc<KeySet>),
    Fetched(Plan),
}

/// A JSON Web Key Set (RFC 7517 section 5), of which only the usable keys are left.
pub struct KeySet {
    pub keys: Vec<ProviderKey>,
}

pub struct ProviderKey {
    pub kid: Option<String>,
    pub key: VerificationKey,
    /// The same for the same key, in whatever set it stands.
    pub fingerprint: [u8; 32],
}

/// How a key set is fetched.
pub struct Plan {
    pub place: Place,
    pub timing: remote::Timing,
}

pub enum Place {
    Keys(Endpoint),
    /// OpenID Connect Discovery 1.0 section 4: the document names the key set's URL.
    Discovery {
        document: Endpoint,
        /// Where that URL's host is not the document's.
        keys_cluster: Option<String>,
    },
}

pub fn read(
    raw: raw::Jwks,
    issuer: &str,
    algorithms: &[Algorithm],
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> KeySource {
    let timing = remote::timing(&raw.refresh, &raw.timeout, &raw.stale_for, path, findings);
    let is_timed = raw.refresh.is_some() || raw.timeout.is_some() || raw.stale_for.is_some();
    let direct = raw.cluster.is_some() || raw.authority.is_some() || raw.path.is_some();
    let place = match (raw.inline, direct, raw.discovery) {
        (Some(set), false, None) => {
            if is_timed || raw.jwks_cluster.is_some() {
                findings.add(
                    path,
                    "has an `inline` key set, which is never fetched: `refresh`, `timeout`, \
                     `stale_for` and `jwks_cluster` go with `cluster` or `discovery`",
                );
            }
            let path = format!("{path}.inline.keys");
            let keys = keys(set, algorithms, &path, secrets, findings);
            return KeySource::Inline(Arc::new(KeySet { keys }));
        }
        (None, true, None) => {
            if raw.jwks_cluster.is_some() {
                findings.add(
                    format!("{path}.jwks_cluster"),
                    "goes with `discovery`; `cluster` is where the keys are",
                );
            }
            let endpoint = remote::Raw {
                cluster: raw.cluster,
                authority: raw.authority,
                path: raw.path,
            };
            Place::Keys(endpoint.read(None, path, findings))
        }
        (None, false, Some(discovery)) => Place::Discovery {
            document: remote::Raw {
                cluster: Some(discovery.cluster),
                authority: Some(discovery.authority),
                path: discovery.path,
            }
            .read(
                Some(&well_known(issuer)),
                &format!("{path}.discovery"),
                findings,
            ),
            keys_cluster: raw.jwks_cluster,
        },
        _ => {
            findings.add(
                path,
                "takes exactly one of `inline: {keys: [...]}`, `cluster` with `authority` and \
                 `path`, and `discovery: {cluster, authority}`",
            );
            return KeySource::Inline(Arc::new(KeySet { keys: Vec::new() }));
        }
    };
    if algorithms.iter().all(|algorithm| algorithm.is_symmetric()) {
        findings.add(
            path,
            "is fetched, and no algorithm of the provider has public keys: a shared secret is \
             never fetched",
        );
    }
    KeySource::Fetched(Plan { place, timing })
}

/// OpenID Connect Discovery 1.0 section 4.1: behind the issuer's path, whose slash at its end goes.
fn well_known(issuer: &str) -> String {
    let after_scheme = issuer.split_once("://").map_or("", |(_, rest)| rest);
    let path = after_scheme
        .find('/')
        .and_then(|at| after_scheme.get(at..))
        .unwrap_or("");
    format!(
        "{}/.well-known/openid-configuration",
        path.trim_end_matches('/')
    )
}

/// Every usable key of a set.
pub fn keys(
    set: raw::JwkSet,
    algorithms: &[Algorithm],
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Vec<ProviderKey> {
    let mut keys = Vec::new();
    let mut broken = false;
    for (index, jwk) in set.keys.into_iter().enumerate() {
        match parse_jwk(&jwk, algorithms, |jwk| shared_secret(jwk, secrets)) {
            Ok(parsed) => keys.extend(parsed),
            Err(message) => {
                broken = true;
                findings.add(format!("{path}[{index}]"), message);
            }
        }
    }
    if keys.is_empty() && !broken && !algorithms.is_empty() {
        let names: Vec<_> = algorithms.iter().map(|a| a.name()).collect();
        findings.add(
            path,
            format!("no key here verifies any of {}", names.join(", ")),
        );
    }
    keys
}

/// The usable keys of a set that was fetched, and how many others there are in it: none of them
/// keeps a good key from serving. Shared secrets are never taken from a set that a server gives away.
///
/// # Errors
/// What is wrong with the whole set.
pub fn fetched(
    body: &[u8],
    algorithms: &[Algorithm],
) -> Result<(Vec<ProviderKey>, u64), &'static str> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).map_err(|_| "the answer is no JSON Web Key Set")?;
    if set.keys.len() > MAX_KEYS {
        return Err("the set has more keys than it may have");
    }
    let (mut keys, mut unusable) = (Vec::new(), 0u64);
    for jwk in set.keys {
        let parsed = serde_json::from_value::<raw::Jwk>(jwk)
            .map_err(|_| String::new())
            .and_then(|jwk| parse_jwk(&jwk, algorithms, |_| Err("is a shared secret".into())));
        match parsed {
            Ok(parsed) if !parsed.is_empty() => keys.extend(parsed),
            _ => unusable = unusable.saturating_add(1),
        }
    }
    match keys.is_empty() {
        true => Err("the set has no key that verifies any of the provider's algorithms"),
        false => Ok((keys, unusable)),
    }
}

/// The key that a DPoP proof brings along, for the proof's algorithm.
///
/// # Errors
/// What is wrong with it, without quoting it.
pub fn proof_key(jwk: serde_json::Value, algorithm: Algorithm) -> Result<VerificationKey, String> {
    let jwk: raw::Jwk =
        serde_json::from_value(jwk).map_err(|_| "is no JWK (RFC 7517 section 4)")?;
    let keys = parse_jwk(&jwk, &[algorithm], |_| Err("is a shared secret".into()))?;
    keys.into_iter()
        .next()
        .map(|key| key.key)
        .ok_or_else(|| format!("is no key for {algorithm}"))
}

/// Of a set that is fetched. Known issuers have fewer than ten.
const MAX_KEYS: usize = 100;

/// One key for every algorithm that it may serve; none where the provider lists none of them, or the
/// key is for something else.
fn parse_jwk(
    jwk: &raw::Jwk,
    algorithms: &[Algorithm],
    shared_secret: impl Fn(&raw::Jwk) -> Result<Vec<u8>, String>,
) -> Result<Vec<ProviderKey>, String> {
    let ops = jwk.key_ops.as_ref();
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig")
        || ops.is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
    {
        return Ok(Vec::new()); // An issuer's set may hold encryption keys (RFC 7517 section 4.2).
    }
    if jwk.d.is_some() {
        return Err(
            "is a private key (it has `d`); put the public one here, and replace this one, \
                    which is now exposed"
                .into(),
        );
    }
    let key_type = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => KeyType::Rsa,
        ("EC", Some("P-256")) => KeyType::P256,
        ("EC", Some("P-384")) => KeyType::P384,
        ("EC", Some("P-521")) => KeyType::P521,
        ("OKP", Some("Ed25519")) => KeyType::Ed25519,
        ("oct", _) => KeyType::Symmetric,
        // An issuer's set may hold kinds we do not verify; without them another key must serve.
        _ => return Ok(Vec::new()),
    };
    let own = match &jwk.alg {
        Some(name) => match Algorithm::parse(name) {
            Some(algorithm) if algorithm.key_type() == key_type => Some(algorithm),
            Some(_) => {
                return Err(format!(
                    "its `alg` {name} does not go with its `kty` and `crv`"
                ));
            }
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let fitting = algorithms
        .iter()
        .filter(|a| a.key_type() == key_type && own.is_none_or(|own| own == **a));
    let mut keys = Vec::new();
    for algorithm in fitting {
        let key = match key_type {
            KeyType::Rsa => {
                let (n, e) = (member("n", &jwk.n)?, member("e", &jwk.e)?);
                VerificationKey::new(*algorithm, &Material::Rsa { n: &n, e: &e })
            }
            KeyType::P256 | KeyType::P384 | KeyType::P521 => {
                let (x, y) = (member("x", &jwk.x)?, member("y", &jwk.y)?);
                VerificationKey::new(*algorithm, &Material::Ec { x: &x, y: &y })
            }
            KeyType::Ed25519 => {
                let x = member("x", &jwk.x)?;
                VerificationKey::new(*algorithm, &Material::Okp { x: &x })
            }
            KeyType::Symmetric => {
                let secret = shared_secret(jwk)?;
                VerificationKey::new(*algorithm, &Material::Octets(&secret))
            }
        };
        keys.push(ProviderKey {
            kid: jwk.kid.clone(),
            key: key.map_err(|fault| format!("the key {fault}"))?,
            fingerprint: fingerprint(jwk, *algorithm),
        });
    }
    Ok(keys)
}

/// Of what makes the key, with its id and what it is used for. Of a shared secret, which no fetched
/// set has, it says nothing of the secret.
fn fingerprint(jwk: &raw::Jwk, algorithm: Algorithm) -> [u8; 32] {
    let members = [&jwk.kid, &jwk.crv, &jwk.n, &jwk.e, &jwk.x, &jwk.y];
    let text = serde_json::json!([algorithm.name(), jwk.kty, members]).to_string();
    crypto::sha256(text.as_bytes())
}

fn member(name: &str, value: &Option<String>) -> Result<Vec<u8>, String> {
    let value = value
        .as_ref()
        .ok_or_else(|| format!("has no `{name}` (RFC 7518 section 6)"))?;
    URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|_| format!("`{name}` is not base64url without padding (RFC 7515 section 2)"))
}

/// A JWK's `k` is base64url; what comes from the environment is the secret as it stands.
fn shared_secret(jwk: &raw::Jwk, secrets: &dyn Secrets) -> Result<Vec<u8>, String> {
    match &jwk.k {
        None => Err("has no `k` (RFC 7518 section 6.4)".into()),
        Some(raw::Secret::Text(text)) => URL_SAFE_NO_PAD
            .decode(written_out(text, secrets)?)
            .map_err(|_| "`k` is not base64url without padding (RFC 7515 section 2)".into()),
        Some(from_environment) => {
            Secret::resolve(from_environment, secrets).map(|secret| secret.expose().to_vec())
        }
    }
}
