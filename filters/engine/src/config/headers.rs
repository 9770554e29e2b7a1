//! Header hygiene: what clients may send, and what nobody behind them may write.

use super::raw;
use crate::{
    error::Findings,
    fields::{self, Pattern},
};

#[derive(Clone)]
pub struct Headers {
    /// Gone before the policy and the upstream see them.
    remove: Vec<Pattern>,
    /// Lower-case names that may stand once at most.
    pub single: Vec<String>,
    /// What a policy may not write, besides [`fields::FRAMING`] and pseudo-headers.
    protect: Vec<Pattern>,
    /// Whether a request may tell its upstream another method than the policy sees.
    pub keep_method_override: bool,
    pub max_count: usize,
    /// Names and values together, in bytes.
    pub max_bytes: usize,
}

impl Headers {
    /// Whether this lower-case name goes from requests. `x-forwarded-proto` stays where only a prefix
    /// means it: Envoy writes it, and finds no route without it (tried).
    pub fn removes(&self, name: &str) -> bool {
        name != FORWARDED_PROTO && self.remove.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether a policy may not write this lower-case name.
    pub fn is_protected(&self, name: &str) -> bool {
        name.starts_with(':')
            || fields::is_framing(name)
            || self.protect.iter().any(|pattern| pattern.matches(name))
    }
}

const FORWARDED_PROTO: &str = "x-forwarded-proto";

pub fn read(raw: raw::Headers, findings: &mut Findings) -> Headers {
    let single = raw.single.unwrap_or_else(|| {
        ["authorization", "host", "content-length"]
            .map(String::from)
            .into()
    });
    for (index, name) in single.iter().enumerate() {
        if !fields::is_token(name) {
            findings.add(
                format!("headers.single[{index}]"),
                format!("found `{name}`; takes a header name"),
            );
        }
    }
    let remove = patterns(raw.remove, "headers.remove", findings);
    let needed = [
        "host",
        "content-length",
        "transfer-encoding",
        ":path",
        ":method",
        ":authority",
    ];
    if let Some(name) = needed
        .iter()
        .find(|name| remove.iter().any(|p| p.matches(name)))
    {
        findings.add(
            "headers.remove",
            format!("takes `{name}` away, without which there is no request"),
        );
    }
    if remove.contains(&Pattern::Name(FORWARDED_PROTO.into())) {
        findings.add(
            "headers.remove",
            format!("takes `{FORWARDED_PROTO}` away, without which Envoy finds no route"),
        );
    }
    Headers {
        remove,
        single: single
            .into_iter()
            .map(|name| name.to_ascii_lowercase())
            .collect(),
        protect: patterns(
            raw.protect
                .unwrap_or_else(|| ["x-envoy-*", "x-forwarded-*"].map(String::from).into()),
            "headers.protect",
            findings,
        ),
        keep_method_override: raw.method_override == Some(raw::MethodOverride::Keep),
        max_count: count(raw.max_count, 100, "headers.max_count", findings),
        max_bytes: count(
            raw.max_bytes.map(|size| size.0),
            64 << 10,
            "headers.max_bytes",
            findings,
        ),
    }
}

fn count(found: Option<u64>, default: usize, path: &str, findings: &mut Findings) -> usize {
    match found.map(usize::try_from) {
        None => default,
        Some(Ok(count)) if count > 0 => count,
        Some(_) => {
            findings.add(path, "takes a number above 0");
            default
        }
    }
}

fn patterns(texts: Vec<String>, path: &str, findings: &mut Findings) -> Vec<Pattern> {
    texts
        .into_iter()
        .enumerate()
        .filter_map(|(index, text)| {
            let pattern = Pattern::parse(&text);
            if pattern.is_none() {
                findings.add(
                    format!("{path}[{index}]"),
                    format!("found `{text}`; takes a header name, or `prefix*`"),
                );
            }
            pattern
        })
        .collect()
}
