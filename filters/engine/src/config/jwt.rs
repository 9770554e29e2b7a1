//! JWT providers: whose tokens are taken, and what they must say.

use super::{raw, secret::Secret, source, source::Source};
use crate::{
    crypto::{Algorithm, KeyType, Material, VerificationKey, Verifier},
    error::Findings,
    fields,
    gate::Secrets,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{collections::BTreeMap, time::Duration};

pub struct Provider {
    /// The key under `jwt.providers`, and under `input.verified.jwts`.
    pub name: String,
    pub issuer: String,
    /// `None`: any audience will do.
    pub audiences: Option<Vec<String>>,
    pub algorithms: Vec<Algorithm>,
    pub keys: Vec<ProviderKey>,
    pub verifier: Verifier,
    pub from: Vec<Source>,
    pub claim_headers: Vec<ClaimHeader>,
    pub leeway: Duration,
    pub max_lifetime: Option<Duration>,
    pub require: Vec<String>,
    /// The `typ` a token must have: lower-case, without `application/`.
    pub typ: Option<String>,
    /// `bind: [ignore]`: a token bound to a key is taken from whoever bears it.
    pub ignore_binding: bool,
    pub keep: bool,
}

pub struct ProviderKey {
    pub kid: Option<String>,
    pub key: VerificationKey,
}

/// A claim that the upstream gets as a header.
pub struct ClaimHeader {
    pub header: String,
    /// The members to walk, from the claims set down.
    pub claim: Vec<String>,
}

pub fn read(
    raw: BTreeMap<String, raw::Provider>,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Vec<Provider> {
    if raw.is_empty() {
        findings.add(
            "jwt.providers",
            "is empty; name at least one provider, or remove `jwt`",
        );
    }
    let mut providers: Vec<Provider> = Vec::new();
    for (name, raw) in raw {
        let path = format!("jwt.providers.{name}");
        if let Some(twin) = providers.iter().find(|other| other.issuer == raw.issuer) {
            findings.add(
                format!("{path}.issuer"),
                format!(
                    "`{}` is also the issuer of `{}`; one provider an issuer",
                    raw.issuer, twin.name
                ),
            );
        }
        providers.push(provider(name, &path, raw, secrets, findings));
    }
    providers
}

fn provider(
    name: String,
    path: &str,
    raw: raw::Provider,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Provider {
    if raw.issuer.is_empty() {
        findings.add(
            format!("{path}.issuer"),
            "is empty; takes the exact `iss` of the tokens",
        );
    }
    let audiences = match raw.audiences {
        raw::Audiences::Any(raw::Any::Any) => None,
        raw::Audiences::List(list) => {
            if list.is_empty() {
                findings.add(
                    format!("{path}.audiences"),
                    "is empty, so no token would do; list them, or say `any`",
                );
            }
            Some(list)
        }
    };
    if raw.bind.iter().any(|bind| *bind != raw::Bind::Ignore) {
        findings.add(
            format!("{path}.bind"),
            "`mtls` and `dpop` are not supported yet; takes `[ignore]`",
        );
    }
    let algorithms = algorithms(raw.algorithms, path, findings);
    let keys = match raw.jwks.inline {
        Some(set) => keys(
            set,
            &algorithms,
            &format!("{path}.jwks.inline.keys"),
            secrets,
            findings,
        ),
        None => {
            findings.add(
                format!("{path}.jwks"),
                "has no `inline` key set: `inline: {keys: [...]}`",
            );
            Vec::new()
        }
    };
    Provider {
        issuer: raw.issuer,
        audiences,
        algorithms,
        keys,
        verifier: Verifier::default(),
        from: source::read(
            raw.from,
            &format!("{path}.from"),
            Source::bearer(),
            findings,
        ),
        claim_headers: claim_headers(raw.claim_headers, path, findings),
        leeway: raw.leeway.map_or(Duration::from_secs(60), |span| span.0),
        max_lifetime: raw.max_lifetime.map(|span| span.0),
        require: raw.require.unwrap_or_else(|| vec!["exp".into()]),
        typ: raw.typ.map(|typ| media_type(&typ)),
        ignore_binding: raw.bind.contains(&raw::Bind::Ignore),
        keep: raw.forward == Some(raw::Forward::Keep),
        name,
    }
}

/// A `typ` for comparison: RFC 7515 section 4.1.9 lets senders leave `application/` out.
pub fn media_type(typ: &str) -> String {
    let lower = typ.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => lower,
    }
}

fn algorithms(names: Option<Vec<String>>, path: &str, findings: &mut Findings) -> Vec<Algorithm> {
    let path = format!("{path}.algorithms");
    let Some(names) = names else {
        return Algorithm::ALL
            .into_iter()
            .filter(|a| !a.is_symmetric())
            .collect();
    };
    if names.is_empty() {
        findings.add(
            &path,
            "is empty, so no token would do; remove it for the asymmetric ones",
        );
    }
    let mut algorithms = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match Algorithm::parse(name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let known: Vec<_> = Algorithm::ALL.iter().map(|a| a.name()).collect();
                findings.add(
                    format!("{path}[{index}]"),
                    format!("found `{name}`; takes {}", known.join(", ")),
                );
            }
        }
    }
    algorithms
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
        let usable = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !usable {
            continue; // An issuer's set may hold encryption keys (RFC 7517 section 4.2).
        }
        match parse_jwk(&jwk, algorithms, secrets) {
            Ok(parsed) => keys.extend(parsed.into_iter().map(|key| ProviderKey {
                kid: jwk.kid.clone(),
                key,
            })),
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

/// One key for every algorithm that it may serve; none where the provider lists none of them.
fn parse_jwk(
    jwk: &raw::Jwk,
    algorithms: &[Algorithm],
    secrets: &dyn Secrets,
) -> Result<Vec<VerificationKey>, String> {
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
                let secret = shared_secret(jwk, secrets)?;
                VerificationKey::new(*algorithm, &Material::Octets(&secret))
            }
        };
        keys.push(key.map_err(|fault| format!("the key {fault}"))?);
    }
    Ok(keys)
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
            .decode(text)
            .map_err(|_| "`k` is not base64url without padding (RFC 7515 section 2)".into()),
        Some(from_environment) => {
            Secret::resolve(from_environment, secrets).map(|secret| secret.expose().to_vec())
        }
    }
}

fn claim_headers(
    raw: BTreeMap<String, String>,
    path: &str,
    findings: &mut Findings,
) -> Vec<ClaimHeader> {
    let mut headers = Vec::new();
    for (header, claim) in raw {
        let path = format!("{path}.claim_headers.{header}");
        let header = header.to_ascii_lowercase();
        if !fields::is_token(&header) || fields::is_framing(&header) {
            findings.add(&path, "is no header that the gate may write");
            continue;
        }
        if headers
            .iter()
            .any(|other: &ClaimHeader| fields::is_twin(&other.header, &header))
        {
            findings.add(
                &path,
                "is written twice: upstreams read `-`, `_` and either case as one",
            );
            continue;
        }
        match claim_path(&claim) {
            Some(claim) => headers.push(ClaimHeader { header, claim }),
            None => findings.add(
                &path,
                format!("found `{claim}`; takes a claim, a dotted path (`realm.roles`) or a JSON pointer (`/https:~1~1example.com~1roles`)"),
            ),
        }
    }
    headers
}

/// `a.b`, or a JSON pointer (RFC 6901) where a name holds a dot.
fn claim_path(text: &str) -> Option<Vec<String>> {
    let members: Vec<String> = match text.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|member| member.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => text.split('.').map(str::to_owned).collect(),
    };
    members.iter().all(|m| !m.is_empty()).then_some(members)
}
