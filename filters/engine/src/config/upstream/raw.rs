//! `upstream` as it is written.

pub use super::super::raw::Secret;
use super::super::scalar::{Span, given};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "given")]
    pub sign: Option<Sign>,
    #[serde(default, deserialize_with = "given")]
    pub wristband: Option<Wristband>,
    #[serde(default)]
    pub publish: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    pub key: Key,
    pub components: Option<Vec<String>>,
    pub label: Option<String>,
    pub lifetime: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wristband {
    pub key: Key,
    pub issuer: String,
    pub audience: Audience,
    pub lifetime: Option<Span>,
    pub header: Option<String>,
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an audience, or a list of them")]
pub enum Audience {
    One(String),
    List(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub id: String,
    pub algorithm: String,
    pub private_key: Option<Secret>,
    pub secret: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    pub id: String,
    pub algorithm: String,
    pub public_key: String,
}
