//! Entrypoints that count only where there are rules for them, and what they leave as it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_rego::{Entrypoint, Module, Moment, Policy, RegoVersion, Sources, Value};

const ALLOW: &str =
    "package envoy.authz\n\nallow if input.attributes.request.http.method == \"GET\"\n";
const LOG: &str = "package system.log\n\ndrop if input.path == \"a\"\n\nmask contains \"/input/a\"\n\nmask contains x if some x in input.masks\n";

fn sources(modules: &[&str]) -> Sources {
    let module = |(index, text): (usize, &&str)| Module::new(format!("{index}.rego"), *text);
    Sources {
        modules: modules.iter().enumerate().map(module).collect(),
        data: Value::new_object(),
        version: RegoVersion::V1,
    }
}

fn entrypoint(path: &str) -> Entrypoint {
    Entrypoint::parse(path).unwrap()
}

fn load(modules: &[&str]) -> Policy {
    Policy::load_with(
        sources(modules),
        &[entrypoint("envoy/authz/allow")],
        &[entrypoint("system/log/drop"), entrypoint("system/log/mask")],
    )
    .unwrap()
}

#[test]
fn they_are_asked_where_they_are() {
    let moment = Moment {
        now_ns: 0,
        instructions: 10_000,
        strict_builtin_errors: false,
    };
    let policy = load(&[ALLOW, LOG]);
    let (drop, mask) = (entrypoint("system/log/drop"), entrypoint("system/log/mask"));
    assert!(policy.has(&drop) && policy.has(&mask));
    let event = Value::from_json_str("{\"path\": \"a\", \"masks\": [\"/input/b\"]}").unwrap();
    let dropped = policy.evaluate(&drop, event.clone(), &moment);
    assert_eq!(dropped, Ok(Some(Value::Bool(true))));
    let masks = policy.evaluate(&mask, event, &moment).unwrap().unwrap();
    let masks = portcullis_rego::value::to_json(&masks);
    assert_eq!(masks, serde_json::json!(["/input/a", "/input/b"]));

    let without = load(&[ALLOW]);
    assert!(!without.has(&drop) && !without.has(&mask));
}

#[test]
fn what_they_read_is_not_what_the_policy_reads() {
    let reads = |modules: &[&str], path: &[&str]| load(modules).reach().leads_to(path);
    assert!(!reads(&[ALLOW, LOG], &["masks"]));
    assert!(!reads(
        &[ALLOW, "package system.log\n\ndrop if count(input) > 3\n"],
        &["masks"]
    ));
    // Unless the policy refers to them, or may.
    for other in [
        "package other\n\np if data.system.log.drop\n",
        "package other\n\nimport data.system.log\n\np if log.drop\n",
        "package other\n\np if data[\"system\"].log.drop\n",
        "package other\n\np if data.system[input.x].drop\n",
        "package system.other\n\np if data.x\n",
    ] {
        assert!(reads(&[ALLOW, LOG, other], &["masks"]), "{other}");
    }
    assert!(!reads(
        &[ALLOW, LOG, "package other\n\np if data.users[input.x]\n"],
        &["masks"]
    ));
}

/// What is wrong with them is wrong with the policy.
#[test]
fn they_are_checked() {
    let broken = "package system.log\n\ndrop if y == 1\n";
    let loaded = Policy::load_with(
        sources(&[ALLOW, broken]),
        &[entrypoint("envoy/authz/allow")],
        &[entrypoint("system/log/drop")],
    );
    assert!(loaded.is_err());
}
