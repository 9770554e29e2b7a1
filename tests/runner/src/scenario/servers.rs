//! The servers of a scenario, which the gate asks by the names of their clusters.

use super::duration;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// A server, or what changes about one before a case.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSpec {
    /// Whether it refuses connections.
    pub dead: Option<bool>,
    /// What it answers by path; a path that is not here is a 404.
    pub paths: BTreeMap<String, ReplySpec>,
}

/// An answer: one of `keys`, `json`, `body` and `bundle`, or no body. Who has its `etag` already gets a 304.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplySpec {
    /// 200, where it is not said.
    pub status: Option<u16>,
    pub headers: BTreeMap<String, String>,
    /// A key set of the scenario's keys; of an HMAC key it has the secret.
    pub keys: Option<Vec<String>>,
    /// So many bytes more in the key set, in a member that means nothing.
    pub padding: Option<usize>,
    pub json: Option<Value>,
    pub body: Option<String>,
    pub bundle: Option<BundleSpec>,
    #[serde(deserialize_with = "duration")]
    pub delay: Duration,
    /// There is no answer until the path has another one.
    pub held: bool,
    /// The connection ends after so many bytes of the body.
    pub cut: Option<usize>,
    /// What `content-length` says, where it is not the truth.
    pub content_length: Option<usize>,
}

/// An OPA bundle, which Python makes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BundleSpec {
    /// Text by name; what is no text is written as JSON.
    pub files: BTreeMap<String, Value>,
    /// `.manifest`, with `revision`; without either there is none.
    pub manifest: Option<serde_json::Map<String, Value>>,
    pub revision: Option<String>,
    /// `metadata.portcullis`.
    pub declares: serde_json::Map<String, Value>,
    pub signed: Option<SignedBundleSpec>,
    /// Files that are changed after it was signed; `null` takes one out.
    pub changed: BTreeMap<String, Value>,
    /// Entries as they stand: `name`, `type` (as Python's `tarfile` has them), `link`, `content`.
    pub entries: Vec<Value>,
    /// What stands before every name.
    pub prefix: Option<String>,
    /// So many bytes are missing at its end.
    pub cut: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBundleSpec {
    /// One of the scenario's keys.
    pub key: String,
    /// `kid`, if it is not the key's name.
    pub id: Option<String>,
    #[serde(default)]
    pub scope: String,
    pub hash: Option<String>,
    /// Over the usual ones.
    #[serde(default)]
    pub claims: serde_json::Map<String, Value>,
    #[serde(default)]
    pub header: serde_json::Map<String, Value>,
}

/// How often the paths of each server must have been asked for since they were last given an answer.
pub type ExpectFetches = BTreeMap<String, BTreeMap<String, Count>>;

/// The events of decisions that a path of a server must have taken since the case before, in order; each is
/// what stands at some JSON pointers of it, `null` where nothing does.
pub type ExpectEvents = BTreeMap<String, BTreeMap<String, Vec<BTreeMap<String, Value>>>>;

/// The events that were taken.
pub type Events = BTreeMap<String, BTreeMap<String, Vec<Value>>>;

/// How often they were.
pub type Fetches = BTreeMap<String, BTreeMap<String, u64>>;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Count {
    Exactly(u64),
    /// Where time has a say in it.
    AtLeast(AtLeast),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtLeast {
    pub at_least: u64,
}

impl Count {
    pub fn least(self) -> u64 {
        match self {
            Count::Exactly(count) => count,
            Count::AtLeast(AtLeast { at_least }) => at_least,
        }
    }

    pub fn is(self, count: u64) -> bool {
        match self {
            Count::Exactly(wanted) => count == wanted,
            Count::AtLeast(AtLeast { at_least }) => count >= at_least,
        }
    }
}
