//! `replay`, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use flate2::{Compression, write::GzEncoder};
use quick_xml::{Reader, events::Event};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, io::Write, path::Path};
use support::{Folder, Ran};

/// Beside this file.
fn own(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// With the policy that logs are held against, and a log.
fn folder() -> Folder {
    let folder = Folder::new();
    for file in ["authz.rego", "data.json"] {
        folder.write(&format!("policy/{file}"), own(&format!("policy/{file}")));
    }
    folder.write(
        "policy/authz_test.rego",
        "package broken.test\n\nthis is no Rego",
    );
    folder.write("decisions.jsonl", own("decisions.jsonl"));
    folder
}

fn replay(folder: &Folder, more: &[&str]) -> Ran {
    folder.run(&[&["replay", "--policy", "policy"], more].concat())
}

/// What a replay says, whatever its exit code.
fn said(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr))
}

fn replayed(folder: &Folder, log: &str, more: &[&str]) -> Value {
    said(&replay(
        folder,
        &[&[log, "--format", "json"], more].concat(),
    ))
}

/// One of our own events; what is `null` goes.
fn event(members: &Value) -> Value {
    let mut event = json!({
        "decision_id": "d", "timestamp": "2026-11-27T07:00:00Z", "path": "envoy/authz/allow",
        "input": {"attributes": {"request": {"http": {"method": "GET", "path": "/x", "host": "h"}}}},
        "result": {"allowed": true}, "allowed": true, "reason": "policy.allowed",
        "rule": "data.envoy.authz.allow", "subject": "alice",
    });
    for (name, member) in members.as_object().unwrap() {
        match member {
            Value::Null => event.as_object_mut().unwrap().remove(name),
            member => event
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), member.clone()),
        };
    }
    event
}

#[test]
fn text_and_json_are_as_they_were() {
    let folder = folder();
    for (format, golden) in [("text", "golden/text"), ("json", "golden/json")] {
        let ran = replay(&folder, &["decisions.jsonl", "--format", format]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
            fs::write(file.join(golden), &ran.stdout).unwrap();
            fs::write(file.join("golden/stderr"), &ran.stderr).unwrap();
        }
        assert_eq!(ran.stdout, own(golden), "UPDATE_GOLDEN=1 writes it anew");
        assert_eq!(ran.stderr, own("golden/stderr"));
    }
}

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

#[test]
fn what_cannot_be_read_is_counted() {
    let folder = folder();
    let line = event(&json!({})).to_string();
    let (half, _) = line.split_at(line.len() / 2);
    let long = format!("{{\"decision_id\": \"{}\"}}", "x".repeat(17 << 20));
    let twice = line.replace("\"host\":\"h\"", "\"method\":\"PUT\",\"host\":\"h\"");
    let log = format!(
        "{line}\nhello\n{half}\n{line}\n{long}\n{twice}\n{line}{line}\n{{\"level\":\"info\"}}\n\n{half}"
    );
    folder.write("log", log);
    let ran = replay(&folder, &["log", "--format", "json", "--allow", "9"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = said(&ran);
    assert_eq!(found["totals"]["events"], 3);
    assert_eq!(
        found["unreadable"],
        json!({"broken": 3, "cut": 1, "too_long": 1})
    );
    assert_eq!(found["other_lines"], 2);
    let told = "warning: 3 records cannot be read: log:3, log:5, log:6";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    // Compressed, and copied in part.
    let mut packer = GzEncoder::new(Vec::new(), Compression::none());
    packer
        .write_all(format!("{line}\n").repeat(50).as_bytes())
        .unwrap();
    let mut packed = packer.finish().unwrap();
    packed.truncate(packed.len() - 30);
    folder.write("log.gz", packed);
    let ran = replay(&folder, &["log.gz", "--format", "json", "--allow", "99"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(said(&ran)["totals"]["events"], 49);
    assert!(
        ran.stderr.contains("log.gz: compressed data ends early"),
        "{}",
        ran.stderr
    );
}

#[test]
fn more_flips_than_are_allowed_are_a_failure() {
    let folder = folder();
    for (allow, code) in [("0", 1), ("3", 1), ("4", 0)] {
        let ran = replay(&folder, &["decisions.jsonl", "--allow", allow]);
        assert_eq!(ran.code, code, "{allow}: {}", ran.stdout);
        assert!(ran.stdout.contains("4 decisions flip"), "{}", ran.stdout);
    }
    // An uncertain one is not taken for none.
    let input = json!({"attributes": {"request": {"http": {"method": "PUT"}}}});
    let hidden = json!({"input": input, "erased": ["/input/verified"]});
    folder.write("log", event(&hidden).to_string());
    assert_eq!(replay(&folder, &["log"]).code, 1);
}

#[test]
fn what_cannot_be_used_is_one_clear_line_and_exit_2() {
    let folder = folder();
    folder.write(
        "none",
        "hello\n{\"level\":\"info\",\"msg\":\"Received request.\"}\n",
    );
    folder.write("empty", "");
    folder.write("without", event(&json!({"input": null})).to_string());
    folder.write(
        "query",
        json!({"decision_id": "d", "query": "data.x", "input": {}, "result": true}).to_string(),
    );
    folder.write("page.html", "mine");
    folder.write("broken/authz.rego", "package a\n\nallow if {\n");
    folder.write("texts/readme.txt", "no policy");
    folder.write(
        "bundled.yaml",
        "policy:\n  bundle: {cluster: b, authority: b, path: /b.tar.gz}\n",
    );
    for (arguments, error) in [
        (&["none"][..], "error: none: there is no decision in it"),
        (&["empty"], "error: empty: there is no decision in it"),
        (
            &["without"],
            "error: without: no decision can be made again: 1 without `input`",
        ),
        (
            &["query"],
            "error: query: no decision can be made again: 1 without a rule",
        ),
        (&["nowhere"], "error: nowhere: No such file"),
        (&["policy"], "error: policy: this is a folder"),
        (&["-", "-"], "error: `-` is named twice"),
        (
            &["decisions.jsonl", "--entrypoint", "allow"],
            "error: --entrypoint: `allow` is no entrypoint",
        ),
        (
            &["decisions.jsonl", "--entrypoint", "envoy/authz/gone"],
            "error: ",
        ),
        (
            &["decisions.jsonl", "-o", "page.html"],
            "error: page.html: ",
        ),
        (
            &["decisions.jsonl", "--examples", "1000"],
            "error: invalid value '1000'",
        ),
        (
            &["decisions.jsonl", "--policy", "nowhere"],
            "error: nowhere: no such file",
        ),
    ] {
        replay(&folder, arguments).refused(error);
    }
    let other = |more: &[&str]| folder.run(&[&["replay", "decisions.jsonl"], more].concat());
    other(&[]).refused("error: the following required arguments");
    other(&["--policy", "broken"]).refused("error: broken/authz.rego:");
    other(&["--policy", "texts"]).refused("error: texts: there is no .rego file in it");
    other(&["--config", "bundled.yaml"])
        .refused("error: the policy of this configuration comes with a bundle");
    assert_eq!(folder.read("page.html"), "mine");
    // All of them refused before a policy was asked: there is nothing that could flip.
    let before = json!({"path": null, "rule": null, "input": null, "result": null, "allowed": false, "reason": "jwt.expired"});
    folder.write("before", event(&before).to_string());
    let ran = replay(&folder, &["before"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_policy_is_a_folder_a_bundle_or_a_configurations() {
    let folder = folder();
    let plain = replayed(&folder, "decisions.jsonl", &[])["totals"].clone();
    fs::remove_file(folder.path().join("policy/authz_test.rego")).unwrap();
    let built = folder.run(&["bundle", "build", "policy", "-o", "authz.tar.gz"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    folder.write("gate.yaml", "policy:\n  path: policy\n");
    folder.write(
        "tight.yaml",
        "policy:\n  path: policy\n  budget: {instructions: 3}\n",
    );
    folder.write("other/authz.rego", "package envoy.authz\n\nallow := true\n");
    folder.write(
        "tried.yaml",
        "policy:\n  path: other\n  candidate:\n    entrypoint: tried/ok\n    modules:\n      tried.rego: |\n        \
         package tried\n\n        ok := false\n",
    );
    let ask = |more: &[&str]| {
        let ran = folder.run(&[&["replay", "decisions.jsonl", "--format", "json"], more].concat());
        said(&ran)
    };
    for more in [
        &["--policy", "authz.tar.gz"][..],
        &["--config", "gate.yaml"],
        &["--config", "gate.yaml", "--policy", "policy"],
        &[
            "--policy",
            "policy/authz.rego",
            "--policy",
            "policy/data.json",
        ],
    ] {
        assert_eq!(ask(more)["totals"], plain, "{more:?}");
    }
    let tight = ask(&["--config", "tight.yaml"]);
    assert_eq!(tight["reasons"], json!({"policy.budget": 7}));
    assert_eq!(tight["totals"]["flips_to_allow"], 0);
    let tried = ask(&["--config", "tried.yaml"]);
    assert_eq!(tried["reasons"], json!({"policy.denied": 7}));
    assert_eq!(tried["rules"][0]["rule"], "data.tried.ok");
    // What a gate takes for no answer is none here.
    folder.write(
        "other/authz.rego",
        "package envoy.authz\n\nallow := {\"allowed\": true, \"headers\": {\"x-envoy-a\": \"b\"}}\n",
    );
    let wrong = ask(&["--policy", "other"]);
    assert_eq!(wrong["reasons"], json!({"policy.error": 7}));
    // Its time is the decision's.
    folder.write(
        "other/authz.rego",
        "package envoy.authz\n\nallow if time.clock(time.now_ns())[1] == 0\n",
    );
    let clock = ask(&["--policy", "other"]);
    assert_eq!(
        clock["reasons"],
        json!({"policy.allowed": 3, "policy.undefined": 4})
    );
    // One that fails tells where, and not on what.
    folder.write(
        "other/authz.rego",
        "package envoy.authz\n\nallow := input.attributes.request.http.method\n\nallow := \"x\"\n",
    );
    let failed = ask(&["--policy", "other"]);
    assert_eq!(failed["reasons"], json!({"policy.error": 7}));
    let detail = failed["groups"][0]["examples"][0]["detail"]
        .as_str()
        .unwrap();
    assert!(detail.contains("other/authz.rego:"), "{detail}");
}

#[test]
fn as_many_kinds_are_kept_as_can_be_looked_at_and_all_are_counted() {
    let folder = folder();
    let mut log = String::new();
    for index in 0..3300 {
        let input = json!({"attributes": {"request": {"http": {
            "method": "PUT", "path": "/x", "host": format!("h{}", index % 1100),
        }}}});
        let event = event(
            &json!({"input": input, "decision_id": format!("d{index}"), "subject": format!("s{}", index % 150)}),
        );
        log.push_str(&format!("{event}\n"));
    }
    folder.write("log", log);
    let found = replayed(&folder, "log", &["--examples", "0"]);
    assert_eq!(found["totals"]["flips_to_deny"], 3300);
    let groups = found["groups"].as_array().unwrap();
    let counted: u64 = groups
        .iter()
        .map(|group| group["count"].as_u64().unwrap())
        .sum();
    assert_eq!((groups.len(), counted), (1000, 3000));
    assert_eq!(found["flips_in_no_group"], 300);
    let subjects = found["subjects"].as_array().unwrap();
    let counted: u64 = subjects
        .iter()
        .map(|it| it["count"].as_u64().unwrap())
        .sum();
    assert_eq!(counted + found["other_subjects"].as_u64().unwrap(), 3300);
    // Whichever core was first.
    assert_eq!(replayed(&folder, "log", &["--examples", "0"]), found);
}

/// Wherever a client, a policy or an operator may have put one into somebody's log.
fn planted() -> (Value, Vec<String>) {
    let secrets: Vec<String> = (0..18)
        .map(|index| format!("S3cr3t{index:02}zzQ"))
        .collect();
    let s = |index: usize| secrets[index].clone();
    let event = json!({
        "labels": {"token": s(0)}, "decision_id": "d-1", "timestamp": "2026-11-27T07:00:00Z",
        "path": "envoy/authz/allow", "msg": "Decision Log", "requested_by": s(1),
        "input": {
            "attributes": {
                "source": {"certificate": s(2)},
                "request": {"http": {
                    "method": "PUT",
                    "path": format!("/reset/{}/x?access_token={}#{}", s(3), s(4), s(5)),
                    "host": "shop.example.com",
                    "headers": {
                        "authorization": format!("Bearer {}", s(3)), "cookie": format!("a=1; session={}", s(6)),
                        "x-api-key": s(7), "referer": format!("https://x/?sig={}", s(8)),
                        "x-forwarded-access-token": s(9),
                    },
                    "body": format!("{{\"password\": \"{}\"}}", s(10)),
                }},
            },
            "parsed_body": {"password": s(10)}, "parsed_query": {"access_token": [s(4)]},
            "parsed_path": ["reset", s(3), "x"],
            // An access token that somebody takes for a subject.
            "verified": {"jwt": {"claims": {"sub": format!("of {}", s(6)), "jti": s(11)}}},
        },
        "result": {"allowed": true, "headers": {"x-upstream-key": s(12)}, "reason": s(13)},
        "reason": s(14), "detail": s(15), "error": {"message": s(16)}, "nd_builtin_cache": {"http.send": {"x": s(17)}},
    });
    (event, secrets)
}

#[test]
fn secrets_of_a_log_are_shown_nowhere() {
    let folder = folder();
    let (event, secrets) = planted();
    let allowed = "package envoy.authz\n\nallow := {\"allowed\": false, \"reason\": http.headers.authorization, \
                   \"headers\": {\"x\": http.headers.cookie}}\n\nhttp := input.attributes.request.http\n";
    folder.write("told/authz.rego", allowed);
    folder.write(
        "failing/authz.rego",
        allowed.replace("false", "1 / http.headers.cookie"),
    );
    let broken = event
        .to_string()
        .replace("\"decision_id\"", "\"decision_id\": oh, \"x\"");
    folder.write(
        "log",
        format!("{event}\n{broken}\n{}", event.to_string().split_at(900).0),
    );
    for policy in ["policy", "told", "failing"] {
        for format in ["text", "json", "html"] {
            let ran = folder.run(&["replay", "log", "--policy", policy, "--format", format]);
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            let shown = format!("{}{}", ran.stdout, ran.stderr);
            assert!(shown.contains("/reset/***"), "{shown}");
            for secret in &secrets {
                assert!(
                    !shown.contains(secret.as_str()),
                    "{policy}, {format}: {secret} in {shown}"
                );
            }
        }
    }
}

/// The tags of a page that is well-formed, with their attributes.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let mut tags = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    (text(attribute.key.as_ref()), text(&attribute.value))
                });
                tags.push((text(tag.name().as_ref()), attributes.collect()));
            }
            Event::Eof => return tags,
            _ => {}
        }
    }
}

#[test]
fn a_page_is_one_file_that_runs_nothing_whatever_the_log_says() {
    let folder = folder();
    let nasty = "<script>alert(1)</script>\"'&\u{202e}\u{1b}[31m";
    let input = json!({"attributes": {"request": {"http": {
        "method": nasty, "path": format!("/{nasty}/x"), "host": nasty,
    }}}});
    let event =
        event(&json!({"input": input, "subject": nasty, "decision_id": nasty, "reason": nasty}));
    folder.write("log", format!("{event}\n{}", own("decisions.jsonl")));
    let ran = replay(&folder, &["log", "--format", "html", "-o", "page.html"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let page = folder.read("page.html");
    let found = tags(&page);
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "script", "link", "img", "iframe", "object", "form", "base", "a", "image", "use",
    ] {
        assert!(!names.contains(name), "{name}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    for (name, attributes) in &found {
        for (key, value) in attributes {
            assert!(
                !key.starts_with("on") && key != "style" && key != "src" && key != "href",
                "{name} {key}"
            );
            assert!(
                !value.contains("://") || key == "xmlns",
                "{name} {key}={value}"
            );
        }
    }
    let policy = found
        .iter()
        .find(|(name, it)| {
            name == "meta"
                && it
                    .iter()
                    .any(|(_, value)| value == "Content-Security-Policy")
        })
        .unwrap();
    let policy = &policy.1.iter().find(|(key, _)| key == "content").unwrap().1;
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(names.contains("svg") && names.contains("details") && names.contains("summary"));
    // Read to those who do not see it.
    for (name, attributes) in found.iter().filter(|(name, _)| name == "svg") {
        let value = |key: &str| attributes.iter().find(|(found, _)| found == key);
        assert!(
            value("role").is_some() && value("aria-labelledby").is_some(),
            "{name}"
        );
    }
    // And nothing steers a terminal.
    let text = replay(&folder, &["log"]).stdout;
    assert!(
        !text.contains('\u{202e}') && !text.contains('\u{1b}'),
        "{text}"
    );
    let again = replay(
        &folder,
        &["log", "--format", "html", "-o", "page.html", "--force"],
    );
    assert_eq!(again.code, 1, "{}", again.stderr);
}

#[test]
fn help_has_examples() {
    let ran = Folder::new().run(&["replay", "--help"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("Examples:"));
}
