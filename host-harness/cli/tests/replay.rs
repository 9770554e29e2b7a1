//! `replay`, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "replay/damaged.rs"]
mod damaged;
#[path = "replay/forms.rs"]
mod forms;
#[path = "replay/shown.rs"]
mod shown;
mod support;
#[path = "replay/told_apart.rs"]
mod told_apart;

use serde_json::{Value, json};
use std::{fs, path::Path};
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
    let bundle = "bundle: {cluster: b, authority: b, path: /b.tar.gz}";
    folder.write("bundled.yaml", format!("policy:\n  {bundle}\n"));
    folder.write(
        "own.yaml",
        format!("policy:\n  path: policy\n  candidate:\n    {bundle}\n"),
    );
    folder.write("none.yaml", "headers: {max_bytes: 64KiB}\n");
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
    for (config, error) in [
        (
            "bundled.yaml",
            "error: the policy of this configuration comes with a bundle",
        ),
        (
            "own.yaml",
            "error: the candidate of this configuration comes with a bundle",
        ),
        ("none.yaml", "error: none.yaml:1:1: policy: is missing"),
    ] {
        other(&["--config", config]).refused(error);
    }
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
    // Which of a configuration's two policies it was, every form says.
    for (more, section, told) in [
        (&["--policy", "policy"][..], Value::Null, "policy"),
        (
            &["--config", "gate.yaml"],
            json!("policy"),
            "the policy of gate.yaml",
        ),
        (
            &["--config", "tried.yaml"],
            json!("policy.candidate"),
            "the candidate of tried.yaml",
        ),
    ] {
        assert_eq!(ask(more)["section"], section, "{more:?}");
        for (format, wanted) in [
            ("text", format!("9 decisions held against {told}\n")),
            ("html", format!("held against <strong>{told}</strong>")),
            ("html", format!(" against {told}</title>")),
        ] {
            let form = ["replay", "decisions.jsonl", "--format", format];
            let ran = folder.run(&[&form, more].concat());
            assert!(ran.stdout.contains(&wanted), "{wanted}: {}", ran.stdout);
        }
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

/// OPA has any path asked, and logs it.
#[test]
fn rules_that_are_not_there_take_no_places() {
    let folder = folder();
    let mut log = String::new();
    for index in 0..200 {
        for path in [
            format!("x{index}/y"),
            format!("envoy/authz/x{index}"),
            "no rule".to_owned(),
        ] {
            let event =
                event(&json!({"path": path, "rule": null, "result": false, "allowed": null}));
            log.push_str(&format!("{event}\n"));
        }
    }
    let input = json!({"attributes": {"request": {"http": {"method": "PUT", "path": "/x"}}}});
    for _ in 0..10 {
        log.push_str(&format!("{}\n", event(&json!({"input": input}))));
    }
    folder.write("log", log);
    let found = replayed(&folder, "log", &["--examples", "0"]);
    let mut groups = found["groups"].as_array().unwrap().iter();
    let flipped = groups.find(|group| group["method"] == "PUT");
    assert_eq!(flipped.unwrap()["count"], 10, "{found:#}");
}

#[test]
fn help_has_examples() {
    let ran = Folder::new().run(&["replay", "--help"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("Examples:"));
}
