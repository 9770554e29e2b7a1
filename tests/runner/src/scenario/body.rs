//! A case's body: what it is, and how it is sent.

use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// A text, sent as it is with its length; or more to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum BodySpec {
    Text(String),
    Detailed(DetailedBody),
}

/// One of `text`, `base64` and `bytes`; without any of them it is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetailedBody {
    pub text: Option<String>,
    /// Bytes that are not text.
    pub base64: Option<String>,
    /// So many bytes, of no meaning.
    pub bytes: Option<usize>,
    pub framing: FramingName,
    /// Sizes in bytes of what is sent one after the other, each with its own chunk; the rest comes last.
    pub pieces: Vec<usize>,
    /// How long the client stops before each piece, where there are `pieces`; as `1s 200ms`.
    #[serde(deserialize_with = "super::duration")]
    pub pause: Duration,
    /// After chunks.
    pub trailers: BTreeMap<String, String>,
    /// What `content-length` says, where that is not true.
    pub length: Option<String>,
    /// Adds the body's own `content-digest` (RFC 9530).
    pub digest: Option<DigestName>,
}

/// How its end is found (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FramingName {
    #[default]
    Length,
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum DigestName {
    #[serde(rename = "sha-256")]
    Sha256,
}
