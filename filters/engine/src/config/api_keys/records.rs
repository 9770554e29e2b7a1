//! The records of API keys: one shape in the document and in the policy's data.

use super::{ApiKey, Hash};
use crate::{
    config::{from_serde, raw},
    error::Findings,
};
use portcullis_rego::{Value, value};
use serde::Deserialize;
use std::fmt;

/// A key, and where its record stands.
pub struct Record {
    pub path: String,
    pub key: ApiKey,
}

/// The keys of a list at `path`. Those with a hash that is none are left out.
pub fn read(
    raw: Vec<raw::ApiKey>,
    path: &str,
    is_peppered: bool,
    findings: &mut Findings,
) -> Vec<Record> {
    let one = |(index, key)| record(key, format!("{path}[{index}]"), is_peppered, findings);
    raw.into_iter().enumerate().filter_map(one).collect()
}

fn record(
    raw: raw::ApiKey,
    path: String,
    is_peppered: bool,
    findings: &mut Findings,
) -> Option<Record> {
    if raw.subject.is_empty() {
        findings.add(
            format!("{path}.subject"),
            "is empty; names who holds the key",
        );
    }
    if let (Some(from), Some(until)) = (raw.not_before, raw.expires)
        && from.0 >= until.0
    {
        findings.add(
            format!("{path}.expires"),
            "is not after `not_before`, so the key is never valid",
        );
    }
    let hash = Hash::parse(&raw.hash, is_peppered)
        .map_err(|message| findings.add(format!("{path}.hash"), message))
        .ok()?;
    Some(Record {
        path,
        key: ApiKey {
            id: raw.id,
            subject: raw.subject,
            scopes: raw.scopes,
            not_before: raw.not_before.map(|at| at.0),
            expires: raw.expires.map(|at| at.0),
            revoked: raw.revoked.0.map(|at| at.0),
            hash,
        },
    })
}

/// A place in the policy's data; shown as a path of the document.
pub struct DataPath(Vec<String>);

impl DataPath {
    /// As an entrypoint is written: `api_keys/records`, or `data.api_keys.records`.
    pub fn parse(text: &str) -> Result<DataPath, String> {
        let segments: Vec<String> = match text.strip_prefix("data.") {
            Some(rest) if !rest.contains('/') => rest.split('.').map(str::to_owned).collect(),
            _ => text.split('/').map(str::to_owned).collect(),
        };
        match segments.iter().all(|segment| !segment.is_empty()) {
            true => Ok(DataPath(segments)),
            false => Err(format!(
                "found `{text}`; takes a path in the policy's data, such as `api_keys/records`"
            )),
        }
    }

    /// The items of the list there.
    pub fn list(&self, data: &Value, findings: &mut Findings) -> Vec<Value> {
        let mut here = Some(data);
        for segment in &self.0 {
            let name = value::string(segment);
            here = here.and_then(|it| it.as_object().ok()?.get(&name));
        }
        match here {
            Some(Value::Array(items)) => items.iter().cloned().collect(),
            found => {
                let found = found.map_or("nothing", kind);
                let message = format!(
                    "`{self}` is {found}; takes a list of records as `api_keys.keys` has them"
                );
                findings.add("api_keys.keys_from", message);
                Vec::new()
            }
        }
    }

    /// The key of one of its items.
    pub fn record(
        &self,
        index: usize,
        item: &Value,
        is_peppered: bool,
        findings: &mut Findings,
    ) -> Option<Record> {
        let path = format!("{self}[{index}]");
        let mut track = serde_path_to_error::Track::new();
        let item = value::to_json(item);
        let tracked = serde_path_to_error::Deserializer::new(&item, &mut track);
        match raw::ApiKey::deserialize(tracked) {
            Ok(raw) => record(raw, path, is_peppered, findings),
            Err(error) => {
                findings.push(from_serde(
                    &path,
                    serde_path_to_error::Error::new(track.path(), error),
                ));
                None
            }
        }
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy.data.{}", self.0.join("."))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        Value::Set(_) => "a set",
        Value::Undefined => "nothing",
    }
}
