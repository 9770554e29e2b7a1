//! OPA's event (`EventV1` of `open-policy-agent/opa` `v1/plugins/logs/plugin.go`), member by member: what
//! Go would decode, and the members that are ours.

use serde_json::{Map, Value};

/// What is wrong with an event.
pub fn faults(event: &Value) -> Vec<String> {
    let Some(members) = event.as_object() else {
        return vec!["it is no object".into()];
    };
    let mut faults = Vec::new();
    for required in [
        "labels",
        "decision_id",
        "timestamp",
        "allowed",
        "reason",
        "time",
    ] {
        if !members.contains_key(required) {
            faults.push(format!("it has no `{required}`"));
        }
    }
    for (name, value) in members {
        let is_good = match name.as_str() {
            "labels" => object_of(value, Value::is_string),
            "decision_id" | "path" | "requested_by" | "reason" | "rule" | "subject" | "key_id"
            | "revision" | "detail" | "method" | "host" | "request_path" | "request_id"
            | "traceparent" => value.as_str().is_some_and(|text| !text.is_empty()),
            "trace_id" => is_hex(value, 32),
            "span_id" => is_hex(value, 16),
            "bundles" => object_of(value, |bundle| object_of(bundle, Value::is_string)),
            "erased" | "masked" => value.as_array().is_some_and(|all| {
                !all.is_empty()
                    && all
                        .iter()
                        .all(|it| it.as_str().is_some_and(|text| text.starts_with('/')))
            }),
            "timestamp" | "time" => is_time(value),
            "metrics" => object_of(value, Value::is_u64),
            "input" => value.is_object(),
            "result" => true,
            "allowed" => value.is_boolean(),
            "status" => value.as_u64().is_some_and(|it| (100..600).contains(&it)),
            "duration_us" => value.is_u64(),
            "enforced_by" => value == "candidate",
            "shadow" | "self_check" => value.is_object(),
            _ => false,
        };
        if !is_good {
            faults.push(format!("`{name}` is {value}"));
        }
    }
    faults
}

fn object_of(value: &Value, of: impl Fn(&Value) -> bool) -> bool {
    value
        .as_object()
        .is_some_and(|members: &Map<String, Value>| members.values().all(of))
}

fn is_hex(value: &Value, length: usize) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_time(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.ends_with('Z') && humantime::parse_rfc3339(text).is_ok())
}
