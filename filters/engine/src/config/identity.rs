//! Headers that tell the upstream who was verified: one shape, for a provider's `claim_headers` and
//! for `upstream.headers`.

use crate::{error::Findings, fields};
use std::collections::BTreeMap;

pub struct IdentityHeader {
    /// Lower-case.
    pub header: String,
    /// The members to walk, from the top down.
    pub path: Vec<String>,
}

/// `takes`: what a value of the table is, for who wrote something else.
pub fn read(
    raw: BTreeMap<String, String>,
    table: &str,
    takes: &str,
    findings: &mut Findings,
) -> Vec<IdentityHeader> {
    let mut headers: Vec<IdentityHeader> = Vec::new();
    for (header, text) in raw {
        let at = format!("{table}.{header}");
        let Some(header) = writable(&header, &at, findings) else {
            continue;
        };
        if headers
            .iter()
            .any(|other| fields::is_twin(&other.header, &header))
        {
            findings.add(
                &at,
                "is written twice: upstreams read `-`, `_` and either case as one",
            );
            continue;
        }
        match path(&text) {
            Some(path) => headers.push(IdentityHeader { header, path }),
            None => findings.add(&at, format!("found `{text}`; takes {takes}")),
        }
    }
    headers
}

/// The name in lower case, where the gate may write it.
pub fn writable(name: &str, at: &str, findings: &mut Findings) -> Option<String> {
    let name = name.to_ascii_lowercase();
    if !fields::is_token(&name) || fields::is_framing(&name) {
        findings.add(at, "is no header that the gate may write");
        return None;
    }
    Some(name)
}

/// `a.b`, or a JSON pointer (RFC 6901) where a name holds a dot.
pub fn path(text: &str) -> Option<Vec<String>> {
    let members: Vec<String> = match text.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|member| member.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => text.split('.').map(str::to_owned).collect(),
    };
    members.iter().all(|m| !m.is_empty()).then_some(members)
}
