//! The policy in a document that the filter takes.

use portcullis_rego::{Module, RegoVersion, Sources, value};
use serde_json::Value;

/// The modules and data of `policy`, as the engine takes them.
///
/// # Errors
/// Data that Rego cannot hold.
pub fn policy_sources(document: &Value) -> Result<Sources, value::ValueError> {
    sources_of(&document["policy"])
}

/// Those of a policy, or of its candidate.
///
/// # Errors
/// Data that Rego cannot hold.
pub fn sources_of(policy: &Value) -> Result<Sources, value::ValueError> {
    let policy = |key: &str| policy.get(key);
    let modules = policy("modules").and_then(Value::as_object);
    let module =
        |(path, text): (&String, &Value)| Module::new(path, text.as_str().unwrap_or_default());
    Ok(Sources {
        modules: modules.into_iter().flatten().map(module).collect(),
        data: policy("data").map_or_else(|| Ok(value::object([])), value::from_json)?,
        version: match policy("rego_version").and_then(Value::as_u64) {
            Some(0) => RegoVersion::V0,
            _ => RegoVersion::V1,
        },
    })
}
