//! API keys: known by their hashes, never by themselves.

use super::{raw, secret::Secret, source, source::Source};
use crate::{crypto, error::Findings, gate::Secrets};
use std::collections::{BTreeMap, BTreeSet};

pub struct ApiKeys {
    pub from: Vec<Source>,
    pub keep: bool,
    pepper: Option<Secret>,
    /// By the first bytes of the hash, which say nothing of the key; the rest is compared in
    /// constant time.
    keys: BTreeMap<[u8; 4], Vec<ApiKey>>,
}

pub struct ApiKey {
    pub id: String,
    pub subject: String,
    pub scopes: Vec<String>,
    /// Nanoseconds since the Unix epoch; valid from `not_before` until just before `expires`.
    pub not_before: Option<u64>,
    pub expires: Option<u64>,
    hash: Hash,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Sha256([u8; 32]),
    HmacSha256([u8; 32]),
}

impl ApiKeys {
    /// The record of a key that a client showed. Takes as long for a wrong key as for a right one.
    pub fn find(&self, presented: &str) -> Option<&ApiKey> {
        if presented.is_empty() {
            return None;
        }
        let plain = crypto::sha256(presented.as_bytes());
        let peppered = self
            .pepper
            .as_ref()
            .map(|pepper| crypto::hmac_sha256(pepper.expose(), presented.as_bytes()));
        let by_plain = self.candidates(&plain).find(
            |key| matches!(key.hash, Hash::Sha256(hash) if crypto::constant_time_eq(&hash, &plain)),
        );
        let by_pepper = peppered.and_then(|peppered| {
            self.candidates(&peppered).find(|key| {
                matches!(key.hash, Hash::HmacSha256(hash) if crypto::constant_time_eq(&hash, &peppered))
            })
        });
        by_plain.or(by_pepper)
    }

    fn candidates(&self, hash: &[u8; 32]) -> impl Iterator<Item = &ApiKey> {
        self.keys.get(&prefix(hash)).into_iter().flatten()
    }
}

fn prefix(hash: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = *hash;
    [a, b, c, d]
}

impl Hash {
    fn bytes(&self) -> &[u8; 32] {
        match self {
            Hash::Sha256(bytes) | Hash::HmacSha256(bytes) => bytes,
        }
    }
}

pub fn read(raw: raw::ApiKeys, secrets: &dyn Secrets, findings: &mut Findings) -> ApiKeys {
    let from = source::read(
        raw.from,
        "api_keys.from",
        vec![Source::Header {
            name: "x-api-key".into(),
            scheme: None,
        }],
        findings,
    );
    let pepper = raw.pepper.as_ref().and_then(|pepper| {
        Secret::resolve(pepper, secrets)
            .map_err(|message| findings.add("api_keys.pepper", message))
            .ok()
    });
    if raw.keys.is_empty() {
        findings.add(
            "api_keys.keys",
            "is empty; list at least one key, or remove `api_keys`",
        );
    }
    let mut keys: BTreeMap<[u8; 4], Vec<ApiKey>> = BTreeMap::new();
    let (mut ids, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for (index, key) in raw.keys.into_iter().enumerate() {
        let path = format!("api_keys.keys[{index}]");
        if key.id.is_empty() || !ids.insert(key.id.clone()) {
            findings.add(
                format!("{path}.id"),
                "is empty, or stands twice; every key has an id of its own",
            );
        }
        if key.subject.is_empty() {
            findings.add(
                format!("{path}.subject"),
                "is empty; names who holds the key",
            );
        }
        if let (Some(from), Some(until)) = (key.not_before, key.expires)
            && from.0 >= until.0
        {
            findings.add(
                format!("{path}.expires"),
                "is not after `not_before`, so the key is never valid",
            );
        }
        let hash = match parse_hash(&key.hash, raw.pepper.is_some()) {
            Ok(hash) => hash,
            Err(message) => {
                findings.add(format!("{path}.hash"), message);
                continue;
            }
        };
        if ["", "\n"]
            .iter()
            .any(|none| *hash.bytes() == crypto::sha256(none.as_bytes()))
        {
            findings.add(
                format!("{path}.hash"),
                "is the hash of no key at all; was the variable that should hold it empty?",
            );
        }
        if !hashes.insert(hash) {
            findings.add(format!("{path}.hash"), "stands twice: two ids for one key");
        }
        keys.entry(prefix(hash.bytes())).or_default().push(ApiKey {
            id: key.id,
            subject: key.subject,
            scopes: key.scopes,
            not_before: key.not_before.map(|at| at.0),
            expires: key.expires.map(|at| at.0),
            hash,
        });
    }
    let peppered = |key: &ApiKey| matches!(key.hash, Hash::HmacSha256(_));
    if raw.pepper.is_some() && !keys.values().flatten().any(peppered) {
        findings.add(
            "api_keys.pepper",
            "serves no key: none has an `hmac-sha256:` hash",
        );
    }
    ApiKeys {
        from,
        keep: raw.forward == Some(raw::Forward::Keep),
        pepper,
        keys,
    }
}

/// The message never quotes what was found: a careless hand may have put the key itself there.
fn parse_hash(text: &str, peppered: bool) -> Result<Hash, &'static str> {
    const SHAPE: &str = "takes `sha256:` or `hmac-sha256:` and 64 hex digits \
                         (`printf %s \"$KEY\" | sha256sum`), never the key itself";
    let (keyed, digits) = match text.split_once(':') {
        Some(("sha256", digits)) => (false, digits),
        Some(("hmac-sha256", digits)) => (true, digits),
        _ => return Err(SHAPE),
    };
    let mut bytes = [0; 32];
    let decoded = base16ct::mixed::decode(digits, &mut bytes).map_err(|_| SHAPE)?;
    if decoded.len() != 32 {
        return Err(SHAPE);
    }
    match keyed {
        false => Ok(Hash::Sha256(bytes)),
        true if peppered => Ok(Hash::HmacSha256(bytes)),
        true => Err("is `hmac-sha256:`, which needs `api_keys.pepper`"),
    }
}
