//! HTTP message signatures (RFC 9421): whose are taken, and what they must cover.

use super::{
    raw, replay,
    secret::Secret,
    webhooks::{self, Webhook},
};
use crate::{
    crypto::{Algorithm, Material, VerificationKey, Verifier},
    error::Findings,
    gate::Secrets,
    message_signature::Component,
    replay::{Kind, Space},
};
use std::{collections::BTreeSet, time::Duration};

pub struct Signatures {
    keys: Vec<Key>,
    pub webhooks: Vec<Webhook>,
    pub verifier: Verifier,
    /// Only signatures with this `tag` are looked at, where one is given.
    pub tag: Option<String>,
    pub max_age: Duration,
    pub leeway: Duration,
    pub nonce: Nonce,
    /// What may have been taken before the store remembered is refused.
    pub reject_before_start: bool,
}

/// What of a signature must be fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nonce {
    /// Its nonce, which it must have.
    Required,
    /// Its nonce, or without one the signature itself.
    IfPresent,
    Off,
}

pub struct Key {
    /// The `keyid` of signatures.
    pub id: String,
    pub subject: String,
    /// The name in RFC 9421's registry.
    pub algorithm: &'static str,
    pub key: VerificationKey,
    /// Where its signatures are remembered.
    pub space: Space,
}

impl Signatures {
    /// Whether any signature of RFC 9421 could be ours.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    pub fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

pub fn read(raw: raw::Signatures, secrets: &dyn Secrets, findings: &mut Findings) -> Signatures {
    match (raw.keys.is_empty(), &raw.components) {
        (true, _) if raw.webhooks.is_empty() => findings.add(
            "signatures.keys",
            "is empty, and so is `webhooks`; list at least one of either, or remove `signatures`",
        ),
        (true, Some(_)) => findings.add(
            "signatures.components",
            "is what signatures of `keys` must cover, and there are none; remove it",
        ),
        (false, None) => findings.add(
            "signatures.components",
            "is missing; takes what every signature must cover: `[\"@method\", \"@authority\", \"@path\", \"@query\"]`",
        ),
        _ => {}
    }
    let nonce = match raw.nonce {
        Some(raw::Nonce::Word(raw::NonceWord::Required)) => Nonce::Required,
        None | Some(raw::Nonce::Word(raw::NonceWord::IfPresent)) => Nonce::IfPresent,
        Some(raw::Nonce::Word(raw::NonceWord::Off)) => Nonce::Off,
    };
    if nonce == Nonce::Off && raw.replay.is_some() {
        findings.add(
            "signatures.replay",
            "says how signatures are remembered, and `nonce: \"off\"` remembers none; takes one or the other",
        );
    }
    let entries = raw.replay.as_ref().and_then(|it| it.entries);
    let entries = replay::entries(entries, "signatures.replay.entries", findings);
    let mut ids = BTreeSet::new();
    let mut keys = Vec::new();
    for (index, raw) in raw.keys.iter().enumerate() {
        let path = format!("signatures.keys[{index}]");
        if raw.id.is_empty() || !ids.insert(&raw.id) {
            findings.add(
                format!("{path}.id"),
                "is empty, or stands twice; every key has an id of its own",
            );
        }
        if raw.subject.is_empty() {
            findings.add(
                format!("{path}.subject"),
                "is empty; names who holds the key",
            );
        }
        match key(raw, entries, secrets) {
            Ok(key) => keys.push(key),
            Err((field, message)) => findings.add(format!("{path}{field}"), message),
        }
    }
    if raw.keys.is_empty() {
        let is_required = nonce == Nonce::Required;
        for (key, is_given) in [("tag", raw.tag.is_some()), ("nonce", is_required)] {
            if is_given {
                findings.add(
                    format!("signatures.{key}"),
                    "is of signatures of `keys`, and there are none; remove it",
                );
            }
        }
    }
    let terms = webhooks::Terms {
        ids: raw.keys.iter().map(|key| key.id.as_str()).collect(),
        max_age: raw.max_age.map(|span| span.0),
        entries,
        remembers: nonce != Nonce::Off,
        reject_before_start: raw
            .replay
            .as_ref()
            .and_then(|it| it.reject_before_start)
            .unwrap_or(false),
    };
    let webhooks = webhooks::read(&raw.webhooks, &terms, secrets, findings);
    Signatures {
        keys,
        webhooks,
        verifier: Verifier::default(),
        tag: raw.tag,
        max_age: raw.max_age.map_or(Duration::from_secs(300), |span| span.0),
        leeway: raw.leeway.map_or(Duration::from_secs(5), |span| span.0),
        nonce,
        reject_before_start: raw
            .replay
            .and_then(|it| it.reject_before_start)
            .unwrap_or(false),
    }
}

type Fault = (&'static str, String);

fn key(raw: &raw::SignatureKey, entries: u32, secrets: &dyn Secrets) -> Result<Key, Fault> {
    let Some(algorithm) = Algorithm::parse_http(&raw.algorithm) else {
        let known: Vec<&str> = Algorithm::HTTP.iter().map(|(_, name)| *name).collect();
        let message = format!("found `{}`; takes {}", raw.algorithm, known.join(", "));
        return Err((".algorithm", message));
    };
    let key = match (&raw.secret, &raw.public_key, algorithm.is_symmetric()) {
        (Some(secret), None, true) => {
            let secret =
                Secret::resolve(secret, secrets).map_err(|message| (".secret", message))?;
            VerificationKey::new(algorithm, &Material::Octets(secret.expose()))
                .map_err(|fault| (".secret", format!("the secret {fault}")))?
        }
        (None, Some(pem), false) => VerificationKey::from_pem(algorithm, pem)
            .map_err(|fault| (".public_key", format!("the key {fault}")))?,
        (_, _, true) => {
            return Err((
                "",
                "takes `secret` for `hmac-sha256`, and no `public_key`".into(),
            ));
        }
        (_, _, false) => {
            let message = format!(
                "takes `public_key` for `{}`, and no `secret`",
                raw.algorithm
            );
            return Err(("", message));
        }
    };
    Ok(Key {
        id: raw.id.clone(),
        subject: raw.subject.clone(),
        algorithm: algorithm.http_name().unwrap_or_default(),
        key,
        space: Space::new(Kind::Signature, &raw.id, entries),
    })
}

/// What signatures must cover, of the document or of one of its routes.
pub fn components(texts: &[String], path: &str, findings: &mut Findings) -> Vec<Component> {
    let mut components: Vec<Component> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        match Component::parse(text) {
            Ok(component) if components.iter().any(|other| other.is_same(&component)) => {
                findings.add(path, format!("`{text}` stands twice"));
            }
            Ok(component) => components.push(component),
            Err(error) => findings.add(
                path,
                format!("found `{text}`, which {error}; takes `@method`, a field name, `\"x-amount\";bs` or `\"@query-param\";name=\"id\"`"),
            ),
        }
    }
    components
}
