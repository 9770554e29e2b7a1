//! What a token says once it is proven, and those that were proven before.

use super::{claims, fault::Fault};
use crate::{
    config::{
        Config,
        jwks::{KeySet, KeySource},
        jwt::{Proof, Provider},
    },
    remote::{Digest, Remote, Want, Word},
    words::{Reason, counter},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lru::LruCache;
use portcullis_rego::value::{self, Value};
use serde_json::{Map, Value as Json};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A token that was proven to be a provider's. Whether it is in its time, and whoever shows it may,
/// is asked again each time.
#[derive(Debug, PartialEq)]
pub struct Token {
    /// Empty of an opaque one.
    pub header: Map<String, Json>,
    pub claims: Map<String, Json>,
    pub header_value: Value,
    pub claims_value: Value,
    /// What `claim_headers` and `payload_header` say of it, checked to be fit for a header.
    pub identity_headers: Vec<(String, String)>,
}

impl Token {
    /// # Errors
    /// Where Rego cannot hold it, or a claim cannot stand in a header.
    pub fn new(
        provider: &Provider,
        header: Map<String, Json>,
        claims: Map<String, Json>,
        payload: &[u8],
    ) -> Result<Token, Fault> {
        let held = |members| {
            value::from_members(members).map_err(|error| {
                let why = format!("a policy could not hold it: {error}");
                Fault::new(Reason::JwtMalformed, why)
            })
        };
        let mut identity_headers = claims::headers(provider, &claims)?;
        if let Some(name) = &provider.payload_header {
            identity_headers.push((name.clone(), URL_SAFE_NO_PAD.encode(payload)));
        }
        Ok(Token {
            header_value: held(&header)?,
            claims_value: held(&claims)?,
            identity_headers,
            header,
            claims,
        })
    }
}

/// What is known of tokens and keys beside the configuration; it changes as time goes by.
pub struct Knowledge {
    remote: Mutex<Remote>,
    remembered: Mutex<Remembered>,
}

struct Remembered {
    tokens: Option<LruCache<Digest, Entry>>,
    counts: BTreeMap<&'static str, u64>,
}

impl Remembered {
    fn count(&mut self, name: &'static str) {
        let count = self.counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }
}

#[derive(Clone)]
struct Entry {
    provider: usize,
    /// Of the key that verified it.
    key: [u8; 32],
    token: Arc<Token>,
}

/// A longer token is verified each time.
const MAX_REMEMBERED_BYTES: usize = 4096;

impl Knowledge {
    pub fn new(config: &Config) -> Knowledge {
        Knowledge {
            remote: Mutex::new(Remote::new(config)),
            remembered: Mutex::new(Remembered {
                tokens: NonZeroUsize::new(config.token_cache).map(LruCache::new),
                counts: BTreeMap::new(),
            }),
        }
    }

    pub fn remote(&self) -> MutexGuard<'_, Remote> {
        lock(&self.remote)
    }

    /// What was counted since it was asked last, by the counters' names.
    pub fn take_counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = std::mem::take(&mut lock(&self.remembered).counts);
        counts.append(&mut self.remote().take_counts());
        counts
    }

    /// The keys that a provider has now, and `None` where they were never fetched, or too long ago.
    pub fn keys(&self, index: usize, provider: &Provider, now_ns: u64) -> Option<Arc<KeySet>> {
        match &provider.proof {
            Proof::Signature(KeySource::Inline(keys)) => Some(Arc::clone(keys)),
            Proof::Signature(KeySource::Fetched(_)) => self.remote().keys(index, now_ns),
            Proof::Introspection(_) => None,
        }
    }

    /// A token whose signature was verified before, with a key that its provider still has.
    pub fn recall(
        &self,
        digest: &Digest,
        providers: &[Provider],
        now_ns: u64,
    ) -> Option<(usize, Arc<Token>)> {
        let entry = lock(&self.remembered).tokens.as_mut()?.get(digest).cloned();
        let good = entry.filter(|entry| {
            let provider = providers.get(entry.provider);
            let keys = provider.and_then(|it| self.keys(entry.provider, it, now_ns));
            keys.is_some_and(|set| set.keys.iter().any(|key| key.fingerprint == entry.key))
        });
        let mut remembered = lock(&self.remembered);
        match &good {
            Some(_) => remembered.count(counter::JWT_CACHE_HITS),
            None => drop(remembered.tokens.as_mut()?.pop(digest)),
        }
        good.map(|entry| (entry.provider, entry.token))
    }

    /// A signature has to be verified.
    pub fn missed(&self) {
        let mut remembered = lock(&self.remembered);
        if remembered.tokens.is_some() {
            remembered.count(counter::JWT_CACHE_MISSES);
        }
    }

    pub fn remember(
        &self,
        digest: Digest,
        text: &str,
        provider: usize,
        key: [u8; 32],
        token: &Arc<Token>,
    ) {
        if text.len() > MAX_REMEMBERED_BYTES {
            return;
        }
        if let Some(tokens) = &mut lock(&self.remembered).tokens {
            let token = Arc::clone(token);
            tokens.put(
                digest,
                Entry {
                    provider,
                    key,
                    token,
                },
            );
        }
    }

    /// What an opaque token's server says of it, or what to ask it.
    pub fn introspect(
        &self,
        provider: usize,
        (digest, text): (Digest, &str),
        since_ns: u64,
        now_ns: u64,
    ) -> Result<Word, Want> {
        let word = self.remote().word(provider, &digest, since_ns, now_ns);
        word.ok_or_else(|| Want::Word {
            provider,
            digest,
            token: text.to_owned(),
        })
    }
}

/// Each change is whole before the lock goes, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
