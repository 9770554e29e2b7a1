//! `policy.bundle` as it is written.

use super::{Secret, Size, Span};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub cluster: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
    pub name: Option<String>,
    pub token: Option<Secret>,
    #[serde(default)]
    pub poll: Poll,
    pub timeout: Option<Span>,
    pub max_bytes: Option<Size>,
    pub max_unpacked: Option<Size>,
    pub verification: Option<Verification>,
    #[serde(default)]
    pub run_tests: bool,
    #[serde(default)]
    pub allow_older: Vec<String>,
    pub status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    pub min: Option<Span>,
    pub max: Option<Span>,
    pub long: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    pub keys: BTreeMap<String, Key>,
    pub key_id: Option<String>,
    pub scope: Option<String>,
    pub required: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub algorithm: String,
    pub key: Option<String>,
    pub secret: Option<Secret>,
    pub scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub cluster: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
    pub token: Option<Secret>,
}
