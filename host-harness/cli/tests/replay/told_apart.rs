//! What is known of a decision, and what is not.

use crate::{event, folder, replayed};
use serde_json::{Value, json};

#[test]
fn what_cannot_be_told_is_told_apart() {
    let folder = folder();
    let reader = |more: Value| {
        let mut input = json!({"attributes": {"request": {"http": {"method": "GET"}}},
            "verified": {"jwt": {"claims": {"sub": "alice", "roles": []}}}});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        input
    };
    // What an event has besides, and what of the totals is more than none.
    let cases: Vec<(Value, Value)> = vec![
        (json!({}), json!({"events": 1, "replayed": 1, "same": 1})),
        (
            json!({"allowed": false, "result": {"allowed": false}}),
            json!({"events": 1, "replayed": 1, "flips_to_allow": 1}),
        ),
        // The policy looks at it.
        (
            json!({"masked": ["/input/attributes/request/http/method"]}),
            json!({"events": 1, "replayed": 1, "uncertain": 1}),
        ),
        (
            json!({"erased": ["/input/verified/jwt"], "allowed": false}),
            json!({"events": 1, "replayed": 1, "uncertain": 1, "uncertain_flips_to_allow": 1}),
        ),
        (
            json!({"erased": ["/input/verified/jwt"], "input": {}}),
            json!({"events": 1, "replayed": 1, "uncertain": 1, "uncertain_flips_to_deny": 1}),
        ),
        // It does not.
        (
            json!({"masked": ["/input/attributes/request/http/headers/cookie"], "erased": ["/subject"]}),
            json!({"events": 1, "replayed": 1, "same": 1}),
        ),
        (
            json!({"timestamp": null}),
            json!({"events": 1, "replayed": 1, "uncertain": 1}),
        ),
        (
            json!({"path": null, "rule": null, "input": null, "result": null, "allowed": false, "reason": "jwt.expired"}),
            json!({"events": 1, "not_the_policys": 1}),
        ),
        (
            json!({"path": null, "rule": null, "input": null, "result": null, "allowed": true, "reason": "gate.off"}),
            json!({"events": 1, "not_the_policys": 1}),
        ),
        // The policy allowed it, and its body was not what it had to be.
        (
            json!({"allowed": false, "reason": "digest.mismatch"}),
            json!({"events": 1, "not_the_policys": 1}),
        ),
        (
            json!({"input": null, "erased": ["/input"]}),
            json!({"events": 1, "without_input": 1}),
        ),
        (
            json!({"path": null, "rule": null}),
            json!({"events": 1, "without_rule": 1}),
        ),
        (
            json!({"path": "not a/rule", "rule": null}),
            json!({"events": 1, "without_rule": 1}),
        ),
        (
            json!({"allowed": null, "reason": null, "result": null, "erased": ["/result"]}),
            json!({"events": 1, "without_outcome": 1}),
        ),
        (
            json!({"allowed": null, "reason": null, "result": ["a violation"]}),
            json!({"events": 1, "without_outcome": 1}),
        ),
        // Undefined then, an allow now.
        (
            json!({"allowed": null, "result": null, "reason": null}),
            json!({"events": 1, "replayed": 1, "flips_to_allow": 1}),
        ),
        // No such rule any more.
        (
            json!({"path": "envoy/authz/gone", "rule": null}),
            json!({"events": 1, "replayed": 1, "flips_to_deny": 1}),
        ),
    ];
    let plain = event(&json!({"input": reader(json!({}))}));
    for (members, expected) in cases {
        let mut members = members;
        if members.get("input").is_none() {
            members["input"] = reader(json!({}));
        }
        // Beside one that can be decided again.
        folder.write("log", format!("{}\n{plain}\n", event(&members)));
        let found = replayed(&folder, "log", &[]);
        let mut totals = found["totals"].clone();
        for name in ["events", "replayed", "same"] {
            let one_less = totals[name].as_u64().unwrap() - 1;
            totals[name] = one_less.into();
        }
        totals
            .as_object_mut()
            .unwrap()
            .retain(|_, count| *count != 0);
        assert_eq!(totals, expected, "{members}");
    }
    let absent = "the policy has no rule data.envoy.authz.gone: 1 decision of it is refused now";
    folder.write(
        "log",
        event(&json!({"path": "envoy/authz/gone"})).to_string(),
    );
    let found = replayed(&folder, "log", &[]);
    assert_eq!(found["notes"], json!([absent]));
    assert_eq!(found["groups"][0]["examples"][0]["new"], "policy.undefined");
    // Unless another is asked.
    let found = replayed(&folder, "log", &["--entrypoint", "envoy/authz/allow"]);
    assert_eq!(found["rules"][0]["rule"], "data.envoy.authz.allow");
}
