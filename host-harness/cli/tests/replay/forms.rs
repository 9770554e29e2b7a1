//! Logs in every form that they have.

use crate::{event, folder, replayed};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write;

#[test]
fn whoever_wrote_the_log_it_comes_to_the_same() {
    let folder = folder();
    let decisions: Vec<(Value, bool)> = [("GET", true), ("POST", false), ("PUT", false)]
        .into_iter()
        .enumerate()
        .map(|(index, (method, allowed))| {
            let input = json!({"attributes": {"request": {"http": {
                "method": method, "path": format!("/orders/{index}?q=1"), "host": "h",
            }}}, "verified": {"jwt": {"claims": {"sub": "alice", "roles": []}}}});
            (input, allowed)
        })
        .collect();
    let ours = |(input, allowed): &(Value, bool)| {
        event(
            &json!({"input": input, "allowed": allowed, "result": {"allowed": allowed},
            "reason": if *allowed { "policy.allowed" } else { "policy.denied" }}),
        )
    };
    let opas = |(input, allowed): &(Value, bool)| {
        event(
            &json!({"input": input, "allowed": null, "result": allowed, "reason": null, "rule": null,
            "subject": null, "level": "info", "msg": "Decision Log", "time": "2026-11-27T07:00:01Z",
            "type": "openpolicyagent.org/decision_logs", "nd_builtin_cache": {"x": 1.5}}),
        )
    };
    // As `serve` wrote it before it wrote OPA's `path`.
    let old = |(input, allowed): &(Value, bool)| {
        event(
            &json!({"input": input, "allowed": null, "reason": if *allowed { "policy.allowed" } else { "policy.denied" }, "path": "/orders", "result": allowed,
            "time": "2026-11-27T07:00:00.000Z", "place": "policies/authz.rego:4"}),
        )
    };
    let lines = |write: &dyn Fn(&(Value, bool)) -> Value| -> String {
        decisions
            .iter()
            .map(|it| format!("{}\n", write(it)))
            .collect()
    };
    let array: Value = decisions.iter().map(opas).collect();
    let gzip = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let halves = |text: &str| {
        let end = text.find('\n').unwrap() + 1;
        let (first, rest) = text.split_at(end);
        [gzip(first), gzip(rest)].concat()
    };
    let envoy = lines(&ours)
        .lines()
        .map(|line| {
            format!("[2026-11-27 07:00:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1195] wasm log portcullis {{x}}: {line}\n[2026-11-27 07:00:00.001][12][info][main] {{\"no\": \"event\"}} starting\n")
        })
        .collect::<String>();
    let logs: Vec<(&str, Vec<u8>)> = vec![
        ("ours", lines(&ours).into_bytes()),
        ("opas", lines(&opas).into_bytes()),
        ("old", lines(&old).into_bytes()),
        ("crlf", lines(&ours).replace('\n', "\r\n").into_bytes()),
        ("bom", format!("\u{feff}{}", lines(&ours)).into_bytes()),
        ("envoy", envoy.clone().into_bytes()),
        ("array", array.to_string().into_bytes()),
        (
            "arrays",
            format!("{}\n[]\n[{}]\n", json!([array[0], array[1]]), array[2]).into_bytes(),
        ),
        ("pretty", format!("{array:#}\n").into_bytes()),
        (
            "laid-out",
            decisions
                .iter()
                .map(|it| format!("{:#}\n", ours(it)))
                .collect::<String>()
                .into_bytes(),
        ),
        ("gzip", gzip(&lines(&opas))),
        ("members", halves(&lines(&opas))),
        ("gzip-array", gzip(&array.to_string())),
        ("gzip-envoy", gzip(&envoy)),
    ];
    for (name, log) in &logs {
        folder.write(name, log);
        let found = replayed(&folder, name, &[]);
        assert_eq!(
            found["totals"],
            json!({"events": 3, "replayed": 3, "same": 2, "flips_to_allow": 1, "flips_to_deny": 0,
                "uncertain": 0, "uncertain_flips_to_allow": 0, "uncertain_flips_to_deny": 0,
                "not_the_policys": 0, "without_input": 0, "without_rule": 0, "without_outcome": 0}),
            "{name}"
        );
        assert_eq!(
            found["unreadable"],
            json!({"broken": 0, "cut": 0, "too_long": 0}),
            "{name}"
        );
        let group = &found["groups"][0];
        let seen = [&group["method"], &group["subjects"][0]["subject"]];
        assert_eq!(seen, [&json!("POST"), &json!("alice")], "{name}");
        let route = if *name == "old" {
            "/orders"
        } else {
            "/orders/{id}"
        };
        assert_eq!(group["route"], route, "{name}");
    }
    let ran = folder.run_with(&["replay", "-", "--policy", "policy"], &lines(&opas));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("3 decisions held against policy\n"),
        "{}",
        ran.stdout
    );
    // Several are one.
    let found = replayed(&folder, "ours", &["gzip", "array"]);
    assert_eq!(found["totals"]["events"], 9);
    assert_eq!(found["groups"][0]["count"], 3);
}
