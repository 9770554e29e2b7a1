//! What a provider's server said of opaque tokens (RFC 7662).

use super::{
    call::{Answer, Call, CallId},
    schedule::{given_up_at, nanoseconds},
};
use crate::{
    config::{introspection::Introspection, jwt::Provider},
    credential::jwt::Token,
    json, query,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lru::LruCache;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc};

/// SHA-256 of a token.
pub type Digest = [u8; 32];

pub struct Introspected {
    /// Apart from the others, so that made-up tokens do not drive good ones out.
    active: LruCache<Digest, Known>,
    /// Bytes of the answers that are kept in it.
    active_bytes: usize,
    others: LruCache<Digest, Known>,
    /// What is asked about, or about to be.
    open: BTreeMap<Digest, Open>,
}

struct Known {
    word: Word,
    bytes: usize,
    said_at: u64,
    until: u64,
}

/// What the server said.
#[derive(Clone)]
pub enum Word {
    /// What its answer says of it.
    Active(Arc<Token>),
    /// The same, and no policy or header could hold it.
    Unfit,
    Inactive,
    /// Nothing that is an answer.
    Failed,
}

struct Open {
    token: String,
    call: Option<(CallId, u64)>,
}

const SECOND: u64 = 1_000_000_000;
/// How long a failure is remembered, so that one token does not make a flood.
const FAILED_FOR: u64 = SECOND;
/// How many are asked about at once, whoever still waits for them.
const MAX_OPEN: usize = 100;
/// Of answers that are remembered.
const MAX_KNOWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);
/// Of one answer, and of all that are remembered: parsed, they take many times as much.
const MAX_BODY: usize = 16 * 1024;
const MAX_ACTIVE_BYTES: usize = 1024 * 1024;

impl Introspected {
    pub fn new() -> Introspected {
        Introspected {
            active: LruCache::new(MAX_KNOWN),
            active_bytes: 0,
            others: LruCache::new(MAX_KNOWN),
            open: BTreeMap::new(),
        }
    }

    /// `since`: when the request came that shows the token. What was said after that is news to it,
    /// however short it is kept.
    pub fn word(&mut self, digest: &Digest, since: u64, now: u64) -> Option<Word> {
        let known = match self.active.get(digest) {
            Some(known) => known,
            None => self.others.get(digest)?,
        };
        (now < known.until || since <= known.said_at).then(|| known.word.clone())
    }

    /// Has the server asked. False where too many are open.
    pub fn want(&mut self, digest: Digest, token: &str) -> bool {
        if self.open.contains_key(&digest) {
            return true;
        }
        if self.open.len() >= MAX_OPEN {
            return false;
        }
        let token = token.to_owned();
        self.open.insert(digest, Open { token, call: None });
        true
    }

    pub fn is_open(&self, digest: &Digest) -> bool {
        self.open.contains_key(digest)
    }

    /// The clock was set back by so much: what was measured by the old one moves with it.
    pub fn set_back(&mut self, by: u64) {
        let known = self.active.iter_mut().chain(self.others.iter_mut());
        for (_, known) in known {
            known.said_at = known.said_at.saturating_sub(by);
            known.until = known.until.saturating_sub(by);
        }
        for (_, until) in self.open.values_mut().filter_map(|open| open.call.as_mut()) {
            *until = until.saturating_sub(by);
        }
    }

    pub fn calls(
        &mut self,
        config: &Introspection,
        now: u64,
        next_id: &mut impl FnMut() -> CallId,
    ) -> Vec<Call> {
        let lost: Vec<Digest> = self
            .open
            .iter()
            .filter(|(_, open)| open.call.is_some_and(|(_, until)| until <= now))
            .map(|(digest, _)| *digest)
            .collect();
        for digest in lost {
            self.settle(digest, Word::Failed, 0, now, FAILED_FOR);
        }
        let until = given_up_at(now, config.timeout);
        let waiting = self.open.values_mut().filter(|open| open.call.is_none());
        waiting
            .map(|open| {
                let id = next_id();
                open.call = Some((id, until));
                call(config, id, &open.token)
            })
            .collect()
    }

    pub fn next(&self) -> Option<u64> {
        self.open
            .values()
            .map(|open| open.call.map_or(0, |(_, until)| until))
            .min()
    }

    /// Whether the answer was to a call of this, and was none.
    pub fn answered(
        &mut self,
        id: CallId,
        answer: &Answer,
        (provider, config): (&Provider, &Introspection),
        now: u64,
    ) -> Option<Result<(), String>> {
        let mut open = self.open.iter();
        let (digest, _) = open.find(|(_, open)| open.call.is_some_and(|(own, _)| own == id))?;
        let digest = *digest;
        let body = match answer.content() {
            Ok(body) => body,
            Err(fault) => return Some(Err(self.failed(digest, config, &fault, now))),
        };
        let short = (body.len() <= MAX_BODY).then_some(body);
        let members = short.and_then(json::parse_object);
        let is_active = members.as_ref().and_then(|it| it.get("active")?.as_bool());
        let kept = nanoseconds(config.cache);
        let (word, kept) = match (is_active, members) {
            (Some(true), Some(members)) => {
                let left = expiry(&members).saturating_sub(now);
                // Made once: a token may be shown with every request.
                let token = Token::new(provider, Map::new(), members, body);
                let word = token.map_or(Word::Unfit, |token| Word::Active(Arc::new(token)));
                (word, kept.min(left))
            }
            (Some(false), _) => (Word::Inactive, kept),
            _ => {
                let fault = "the answer is none that RFC 7662 section 2.2 knows";
                return Some(Err(self.failed(digest, config, fault, now)));
            }
        };
        self.settle(digest, word, body.len(), now, kept);
        Some(Ok(()))
    }

    fn failed(&mut self, digest: Digest, config: &Introspection, fault: &str, now: u64) -> String {
        self.settle(digest, Word::Failed, 0, now, FAILED_FOR);
        config.endpoint.asked(fault)
    }

    fn settle(&mut self, digest: Digest, word: Word, bytes: usize, now: u64, kept: u64) {
        self.open.remove(&digest);
        if let Some(known) = self.active.pop(&digest) {
            self.active_bytes = self.active_bytes.saturating_sub(known.bytes);
        }
        self.others.pop(&digest);
        let known = Known {
            word,
            bytes,
            said_at: now,
            until: now.saturating_add(kept),
        };
        if !matches!(known.word, Word::Active(_)) {
            self.others.put(digest, known);
            return;
        }
        self.active_bytes = self.active_bytes.saturating_add(bytes);
        if let Some((_, old)) = self.active.push(digest, known) {
            self.active_bytes = self.active_bytes.saturating_sub(old.bytes);
        }
        while self.active_bytes > MAX_ACTIVE_BYTES
            && let Some((_, old)) = self.active.pop_lru()
        {
            self.active_bytes = self.active_bytes.saturating_sub(old.bytes);
        }
    }
}

/// `exp`, in nanoseconds.
fn expiry(members: &Map<String, Value>) -> u64 {
    let seconds = members.get("exp").and_then(Value::as_f64);
    let nanoseconds =
        seconds.map(|seconds| std::time::Duration::try_from_secs_f64(seconds.max(0.0)));
    match nanoseconds {
        Some(Ok(span)) => self::nanoseconds(span),
        _ => u64::MAX,
    }
}

/// RFC 7662 section 2.1, and RFC 6749 section 2.3.1 for who asks.
fn call(config: &Introspection, id: CallId, token: &str) -> Call {
    let mut call = Call::new(id, "POST", &config.endpoint, config.timeout);
    let form = "application/x-www-form-urlencoded";
    let secret = String::from_utf8_lossy(config.client_secret.expose());
    let (user, password) = (
        query::form_encode(&config.client_id),
        query::form_encode(&secret),
    );
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    call.headers.extend([
        ("content-type".to_owned(), form.to_owned()),
        ("authorization".to_owned(), format!("Basic {credentials}")),
    ]);
    call.body = format!(
        "token={}&token_type_hint=access_token",
        query::form_encode(token)
    )
    .into_bytes();
    call
}
