//! The filter as Envoy takes it, for targets that have no words of their own for it.

use super::facts::Facts;
use serde_json::{Map, Value, json};

/// The type of the filter.
pub const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The filter named `name`, in a VM that no other plugin has, with its module from `code`.
pub fn of(name: &str, code: &Value, facts: &Facts) -> Value {
    let mut vm = json!({
        // What shares a VM shares its fate.
        "vm_id": name,
        "runtime": "envoy.wasm.runtime.v8",
        "code": code,
    });
    if !facts.variables.is_empty()
        && let Some(fields) = vm.as_object_mut()
    {
        // `key_values` would show them in /config_dump.
        let names = json!({"host_env_keys": facts.variables});
        fields.insert("environment_variables".to_owned(), names);
    }
    let mut config = settings(facts);
    config.extend([
        ("name".to_owned(), name.into()),
        ("root_id".to_owned(), "portcullis".into()),
        ("vm_config".to_owned(), vm),
        (
            "configuration".to_owned(),
            json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": facts.text()}),
        ),
    ]);
    json!({"@type": WASM, "config": config})
}

/// What meshes and gateways have no words for, of `envoy.extensions.wasm.v3.PluginConfig`.
pub fn settings(facts: &Facts) -> Map<String, Value> {
    let mut settings = Map::from_iter([
        // Never open; and with FAIL_CLOSED one crash would end every request until a restart.
        ("failure_policy".to_owned(), "FAIL_RELOAD".into()),
        (
            "reload_config".to_owned(),
            json!({"backoff": {"base_interval": "1s"}}),
        ),
    ]);
    if facts.holds_bodies {
        // Envoy 1.35 or newer: while headers wait, the body may come in.
        settings.insert("allow_on_headers_stop_iteration".to_owned(), true.into());
    }
    settings
}
