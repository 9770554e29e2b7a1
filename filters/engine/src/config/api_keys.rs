//! API keys: known by their hashes, never by themselves.

mod records;

use super::{raw, secret::Secret, source, source::Source};
use crate::{crypto, error::Findings, gate::Secrets};
use portcullis_rego::Value;
use records::{DataPath, Record};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Enumerate,
    vec::IntoIter,
};

pub struct ApiKeys {
    pub from: Vec<Source>,
    pub keep: bool,
    pepper: Option<Secret>,
    /// Those of the document itself.
    listed: Vec<Record>,
    keys_from: Option<DataPath>,
}

/// The keys that there are: those of the document, and those that stand in the policy's data. They
/// change with it.
#[derive(Default)]
pub struct Keys(Index);

#[derive(Clone)]
pub struct ApiKey {
    pub id: String,
    pub subject: String,
    pub scopes: Vec<String>,
    /// Nanoseconds since the Unix epoch; valid from `not_before` until just before `expires`, and
    /// not from `revoked` on.
    pub not_before: Option<u64>,
    pub expires: Option<u64>,
    pub revoked: Option<u64>,
    hash: Hash,
}

/// By the first bytes of the hash, which say nothing of the key; the rest is compared in constant
/// time.
type Index = BTreeMap<[u8; 4], Vec<ApiKey>>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Sha256([u8; 32]),
    HmacSha256([u8; 32]),
}

impl ApiKeys {
    /// The record of a key that a client showed. Takes as long for a wrong key as for a right one,
    /// and for one key in the list as for many.
    pub fn find<'k>(&self, keys: &'k Keys, presented: &str) -> Option<&'k ApiKey> {
        if presented.is_empty() {
            return None;
        }
        let plain = crypto::sha256(presented.as_bytes());
        let peppered = self
            .pepper
            .as_ref()
            .map(|pepper| crypto::hmac_sha256(pepper.expose(), presented.as_bytes()));
        let by_plain = keys.candidates(&plain).find(
            |key| matches!(key.hash, Hash::Sha256(hash) if crypto::constant_time_eq(&hash, &plain)),
        );
        let by_pepper = peppered.and_then(|peppered| {
            keys.candidates(&peppered).find(|key| {
                matches!(key.hash, Hash::HmacSha256(hash) if crypto::constant_time_eq(&hash, &peppered))
            })
        });
        by_plain.or(by_pepper)
    }

    /// Begins to take the keys of the document, and those that stand in the policy's data, if there
    /// is any yet.
    pub fn gather(&self, data: Option<&Value>) -> Gathering {
        let mut wrong = Findings::default();
        let items = match (&self.keys_from, data) {
            (Some(path), Some(data)) => path.list(data, &mut wrong),
            _ => Vec::new(),
        };
        Gathering {
            listed: 0,
            items: items.into_iter().enumerate(),
            keys: Keys::default(),
            ids: BTreeSet::new(),
            wrong,
        }
    }
}

impl Keys {
    /// The id of every key there is.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|key| key.id.as_str())
    }

    /// One after the other, for whoever takes them apart.
    pub fn into_each(self) -> impl Iterator<Item = ApiKey> + Send {
        self.0.into_values().flatten()
    }

    fn candidates(&self, hash: &[u8; 32]) -> impl Iterator<Item = &ApiKey> {
        self.0.get(&prefix(hash)).into_iter().flatten()
    }
}

/// Keys on their way, some at a time.
pub struct Gathering {
    /// How many of the document's own are taken.
    listed: usize,
    items: Enumerate<IntoIter<Value>>,
    keys: Keys,
    ids: BTreeSet<Box<str>>,
    wrong: Findings,
}

/// Records of one step: well under a millisecond's worth.
const STEP: usize = 32;
/// Hashes that begin with the same four bytes: of a million there are hardly two.
const MOST_ALIKE: usize = 16;
/// What is wrong with more keys than these need not be told at once.
const MOST_FINDINGS: usize = 20;

impl Gathering {
    /// Takes some more. The keys, once it has all.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn step(&mut self, of: &ApiKeys) -> Option<Result<Keys, Findings>> {
        for _ in 0..STEP {
            if self.wrong.len() > MOST_FINDINGS {
                break;
            }
            if let Some(Record { path, key }) = of.listed.get(self.listed) {
                self.listed = self.listed.saturating_add(1);
                self.add(path, key.clone());
                continue;
            }
            let Some((index, item)) = self.items.next() else {
                // To drop a hundred thousand of them at once takes long.
                if self.ids.pop_first().is_some() {
                    continue;
                }
                let wrong = std::mem::take(&mut self.wrong);
                return Some(match wrong.is_empty() {
                    true => Ok(std::mem::take(&mut self.keys)),
                    false => Err(wrong),
                });
            };
            let Some(path) = &of.keys_from else {
                continue;
            };
            let record = path.record(index, &item, of.pepper.is_some(), &mut self.wrong);
            if let Some(Record { path, key }) = record {
                self.add(&path, key);
            }
        }
        if self.wrong.len() > MOST_FINDINGS {
            return Some(Err(std::mem::take(&mut self.wrong)));
        }
        None
    }

    fn add(&mut self, path: &str, key: ApiKey) {
        if key.id.is_empty() || !self.ids.insert(key.id.as_str().into()) {
            self.wrong.add(
                format!("{path}.id"),
                "is empty, or stands twice; every key has an id of its own",
            );
        }
        let place = self.keys.0.entry(prefix(key.hash.bytes())).or_default();
        if place.iter().any(|other| other.hash == key.hash) {
            self.wrong
                .add(format!("{path}.hash"), "stands twice: two ids for one key");
        }
        if place.len() >= MOST_ALIKE {
            self.wrong.add(
                format!("{path}.hash"),
                "begins as too many others do; the hashes of real keys do not",
            );
            return;
        }
        place.push(key);
    }
}

/// The hash of a key, as a record has it: with a pepper an HMAC (RFC 2104).
pub fn hash(key: &str, pepper: Option<&[u8]>) -> String {
    let (name, bytes) = match pepper {
        None => (SHA256, crypto::sha256(key.as_bytes())),
        Some(pepper) => (HMAC_SHA256, crypto::hmac_sha256(pepper, key.as_bytes())),
    };
    format!("{name}:{}", base16ct::lower::encode_string(&bytes))
}

const SHA256: &str = "sha256";
const HMAC_SHA256: &str = "hmac-sha256";

impl Hash {
    /// The message never quotes what was found: a careless hand may have put the key itself there.
    fn parse(text: &str, is_peppered: bool) -> Result<Hash, &'static str> {
        const SHAPE: &str = "takes `sha256:` or `hmac-sha256:` and 64 hex digits \
                             (`portcullis keys hash`), never the key itself";
        let (keyed, digits) = match text.split_once(':') {
            Some((SHA256, digits)) => (false, digits),
            Some((HMAC_SHA256, digits)) => (true, digits),
            _ => return Err(SHAPE),
        };
        let mut bytes = [0; 32];
        let decoded = base16ct::mixed::decode(digits, &mut bytes).map_err(|_| SHAPE)?;
        if decoded.len() != 32 {
            return Err(SHAPE);
        }
        if ["", "\n"]
            .iter()
            .any(|none| bytes == crypto::sha256(none.as_bytes()))
        {
            return Err(
                "is the hash of no key at all; was the variable that should hold it empty?",
            );
        }
        match keyed {
            false => Ok(Hash::Sha256(bytes)),
            true if is_peppered => Ok(Hash::HmacSha256(bytes)),
            true => Err("is `hmac-sha256:`, which needs `api_keys.pepper`"),
        }
    }

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
    let is_peppered = raw.pepper.is_some();
    let pepper = raw.pepper.as_ref().and_then(|pepper| {
        Secret::resolve(pepper, secrets)
            .map_err(|message| findings.add("api_keys.pepper", message))
            .ok()
    });
    if raw.keys.is_empty() && raw.keys_from.is_none() {
        findings.add(
            "api_keys.keys",
            "is empty; list at least one key, say in `keys_from` where they are, or remove `api_keys`",
        );
    }
    let listed = records::read(raw.keys, "api_keys.keys", is_peppered, findings);
    let serves = |it: &Record| matches!(it.key.hash, Hash::HmacSha256(_));
    if is_peppered && raw.keys_from.is_none() && !listed.iter().any(serves) {
        findings.add(
            "api_keys.pepper",
            "serves no key: none has an `hmac-sha256:` hash",
        );
    }
    let keys_from = raw.keys_from.and_then(|text| {
        DataPath::parse(&text)
            .map_err(|message| findings.add("api_keys.keys_from", message))
            .ok()
    });
    ApiKeys {
        from,
        keep: raw.forward == Some(raw::Forward::Keep),
        pepper,
        listed,
        keys_from,
    }
}

fn prefix(hash: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = *hash;
    [a, b, c, d]
}
