//! `decision_log` as it is written.

use super::{Secret, Share, Size, Span};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionLog {
    #[serde(default)]
    pub proxy: bool,
    pub cluster: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
    pub token: Option<Secret>,
    pub timeout: Option<Span>,
    pub interval: Option<Span>,
    pub max_upload: Option<Size>,
    pub buffer: Option<Size>,
    pub sample_allowed: Option<Share>,
    #[serde(default)]
    pub mask: Vec<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}
