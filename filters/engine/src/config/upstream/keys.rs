//! The gate's own keys: those that sign, and the public ones that upstreams verify with.

use super::{super::secret::Secret, raw};
use crate::{
    crypto::{Algorithm, Material, SigningKey, VerificationKey},
    error::Findings,
    gate::Secrets,
};
use serde_json::{Map, Value, json};

/// A key that signs for the upstream. It has no `Debug`: it is secret.
pub struct Key {
    /// `keyid` of signatures, `kid` of tokens and of the key set.
    pub id: String,
    pub key: SigningKey,
}

/// What a key signs, and so by which names its algorithm goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Signature,
    Token,
}

/// Those that need no randomness to sign: Ed25519 (RFC 8032), ECDSA as RFC 6979 has it, HMAC. An RSA
/// signature takes a blinding that nobody can guess, which a filter cannot vouch for, and
/// milliseconds of each request.
const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::HS256,
];

impl Kind {
    fn name(self, algorithm: Algorithm) -> &'static str {
        match self {
            Kind::Signature => algorithm.http_name().unwrap_or_default(),
            Kind::Token => algorithm.name(),
        }
    }

    fn algorithm(self, name: &str) -> Result<Algorithm, String> {
        let found = ALGORITHMS.into_iter().find(|it| self.name(*it) == name);
        found.ok_or_else(|| {
            let takes = ALGORITHMS.map(|it| self.name(it)).join(", ");
            let known = Algorithm::parse(name).or(Algorithm::parse_http(name));
            match known.filter(|it| !ALGORITHMS.contains(it)) {
                Some(_) => format!(
                    "found `{name}`, which the gate verifies and does not sign with; takes {takes}"
                ),
                None => format!("found `{name}`; takes {takes}"),
            }
        })
    }
}

pub fn read(
    raw: &raw::Key,
    kind: Kind,
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<Key> {
    if raw.id.is_empty() || !raw.id.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        findings.add(
            format!("{path}.id"),
            "is empty or not plain ASCII; it is how upstreams find the key",
        );
    }
    match signing_key(raw, kind, secrets) {
        Ok(key) => Some(Key {
            id: raw.id.clone(),
            key,
        }),
        Err((field, message)) => {
            findings.add(format!("{path}{field}"), message);
            None
        }
    }
}

type Fault = (&'static str, String);

fn signing_key(raw: &raw::Key, kind: Kind, secrets: &dyn Secrets) -> Result<SigningKey, Fault> {
    let algorithm = kind
        .algorithm(&raw.algorithm)
        .map_err(|message| (".algorithm", message))?;
    match (&raw.private_key, &raw.secret, algorithm.is_symmetric()) {
        (Some(pem), None, false) => {
            let fault = |message| (".private_key", message);
            if let raw::Secret::Environment(environment) = pem
                && let Some(pem) = secrets.stand_in(&environment.env, algorithm)
            {
                return SigningKey::from_pem(algorithm, &pem)
                    .map_err(|why| (".private_key", format!("the key that stands in {why}")));
            }
            let pem = Secret::resolve_key(pem, secrets).map_err(fault)?;
            let key = std::str::from_utf8(pem.expose())
                .map_err(|_| "is no text")
                .and_then(|pem| SigningKey::from_pem(algorithm, pem));
            key.map_err(|why| {
                (
                    ".private_key",
                    format!("the key {why}; `openssl genpkey` makes one"),
                )
            })
        }
        (None, Some(secret), true) => {
            let secret =
                Secret::resolve(secret, secrets).map_err(|message| (".secret", message))?;
            // As long as a verifier asks for.
            VerificationKey::new(algorithm, &Material::Octets(secret.expose()))
                .map_err(|why| (".secret", format!("the secret {why}")))?;
            Ok(SigningKey::from_secret(secret.expose().to_vec()))
        }
        (_, _, true) => Err((
            "",
            format!(
                "takes `secret` for `{}`, and no `private_key`",
                raw.algorithm
            ),
        )),
        (_, _, false) => Err((
            "",
            format!(
                "takes `private_key` for `{}`, and no `secret`",
                raw.algorithm
            ),
        )),
    }
}

/// Public keys by their ids.
pub struct Published(Vec<(String, VerificationKey)>);

impl Published {
    pub fn read(raw: &[raw::PublicKey], findings: &mut Findings) -> Published {
        let mut keys: Vec<(String, VerificationKey)> = Vec::new();
        for (index, raw) in raw.iter().enumerate() {
            let path = format!("upstream.publish[{index}]");
            if raw.id.is_empty() || keys.iter().any(|(id, _)| *id == raw.id) {
                findings.add(
                    format!("{path}.id"),
                    "is empty, or stands twice; every key has an id of its own",
                );
            }
            // Either name will do: the key may verify signatures, or tokens.
            let algorithm = Kind::Signature
                .algorithm(&raw.algorithm)
                .or_else(|_| Kind::Token.algorithm(&raw.algorithm));
            let key = algorithm
                .map_err(|message| (".algorithm", message))
                .and_then(|algorithm| {
                    VerificationKey::from_pem(algorithm, &raw.public_key)
                        .map_err(|why| (".public_key", format!("the key {why}")))
                });
            match key {
                Ok(key) => keys.push((raw.id.clone(), key)),
                Err((field, message)) => findings.add(format!("{path}{field}"), message),
            }
        }
        Published(keys)
    }

    /// The key set, with the gate's own keys first.
    pub fn with<const N: usize>(
        self,
        own: [(&str, Option<&Key>); N],
        findings: &mut Findings,
    ) -> Option<String> {
        let mut set: Vec<Value> = Vec::new();
        let mut add = |path: &str, id: &str, key: &VerificationKey| {
            let Some(jwk) = jwk(id, key) else { return };
            match set.iter().find(|other| other.get("kid") == jwk.get("kid")) {
                // One key may sign both, and be listed before and after it does.
                Some(other) if *other == jwk => {}
                Some(_) => findings.add(
                    path,
                    format!("has the id `{id}`, which is another key's, too; upstreams could not tell them apart"),
                ),
                None => set.push(jwk),
            }
        };
        for (path, key) in own {
            if let Some(key) = key
                && let Some(public) = key.key.public()
            {
                add(path, &key.id, &public);
            }
        }
        for (id, key) in &self.0 {
            add("upstream.publish", id, key);
        }
        // A shared secret is in no set, and its id must name no key that is.
        for (path, key) in own {
            if let Some(key) = key.filter(|key| key.key.public().is_none())
                && set
                    .iter()
                    .any(|jwk| jwk.get("kid").is_some_and(|kid| *kid == key.id))
            {
                let id = &key.id;
                findings.add(
                    path,
                    format!("has the id `{id}`, which is another key's, too; upstreams could not tell them apart"),
                );
            }
        }
        (!set.is_empty()).then(|| json!({"keys": set}).to_string())
    }
}

/// RFC 7517 section 4.
fn jwk(id: &str, key: &VerificationKey) -> Option<Value> {
    let mut jwk = Map::new();
    for (name, text) in key.jwk_members()? {
        jwk.insert(name.into(), text.into());
    }
    jwk.insert("kid".into(), id.into());
    jwk.insert("use".into(), "sig".into());
    jwk.insert("alg".into(), key.algorithm().name().into());
    Some(jwk.into())
}

/// A key of a structured field's dictionary (RFC 9651 section 3.1.2).
pub fn is_label(text: &str) -> bool {
    sfv::KeyRef::from_str(text).is_ok()
}
