//! Each file of `check/` is one case in the txtar form: above all, the arguments of `portcullis check`;
//! then the files of a folder; then what is found. `want` has a line for each finding (severity,
//! name, place), `want output` the whole output as it is printed. Exit code 1 where a line begins
//! with `error`, or the arguments say `--strict` and one with `warning`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::Folder;

#[test]
fn every_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let mut names: Vec<_> = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let failures: Vec<String> = names.iter().filter_map(|case| failure(case)).collect();
    assert!(names.len() > 20, "the cases are gone");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

#[test]
fn bad_usage_is_exit_2() {
    let folder = Folder::new();
    folder.write("gate.json", r#"{"policy": {"path": "."}}"#);
    let check = |more: &[&str]| folder.run(&[&["check"], more].concat());
    check(&[]).refused("error: there is nothing to check: no gate.yaml is here");
    check(&["nowhere"]).refused("error: nowhere: no such file or folder");
    check(&["--config", "nowhere"]).refused("error: nowhere: no such file or folder");
    check(&["gate.json"]).refused("error: gate.json: this is a configuration");
    check(&["--allow", "nothing", "."]).refused("error: invalid value 'nothing'");
    check(&["--entrypoint", "a", "."]).refused("error: invalid value 'a'");
    check(&["--envoy", "nowhere"]).refused("error: nowhere: no such file or folder");
    let why = "error: gate.json: there is no HttpConnectionManager with a wasm filter in it";
    check(&["--envoy", "gate.json"]).refused(why);
    let ecds = |source: Value| {
        let filter = json!({"name": "gate", "config_discovery": {"config_source": source}});
        folder.write("envoy.json", json!({"http_filters": [filter]}).to_string());
        check(&["--envoy", "envoy.json"])
    };
    ecds(json!({"path_config_source": {"path": "live/gate.yaml"}})).refused(
        "error: envoy.json: the filter `gate` comes by ECDS from `live/gate.yaml`, and no such",
    );
    ecds(json!({"ads": {}}))
        .refused("error: envoy.json: the filter `gate` comes by ECDS, and not from a file");
    check(&["--entrypoint", "a/b"]).refused("error: the following required arguments");
}

#[test]
fn only_errors_fail_and_with_strict_warnings_too() {
    let folder = Folder::new();
    let code = |text: &str, more: &[&str]| {
        folder.write("authz.rego", format!("package envoy.authz\n\n{text}\n"));
        folder.run(&[&["check", "authz.rego"], more].concat()).code
    };
    let asked = ["--entrypoint", "envoy/authz/allow"];
    let strict = [&asked[..], &["--strict"]].concat();
    let fine = "default allow := false";
    assert_eq!(code(fine, &strict), 0);
    let warned = "default allow := true";
    assert_eq!(code(warned, &asked), 0);
    assert_eq!(code(warned, &strict), 1);
    assert_eq!(
        code(warned, &[&asked[..], &["--warnings-as-errors"]].concat()),
        1
    );
    assert_eq!(
        code(
            warned,
            &[&strict[..], &["--allow", "default-allow"]].concat()
        ),
        0
    );
    let wrong = "allow if nowhere(1)";
    assert_eq!(code(wrong, &asked), 1);
    assert_eq!(code(wrong, &["--allow", "load"]), 1);
}

/// By the schema of OASIS, which `serde-sarif` carries, and our own `json.match_schema`.
#[test]
fn sarif_is_valid() {
    let folder = Folder::new();
    let module = "package x\n\nimport data.y\n\ndefault allow := true\n";
    folder.write("a b/x.rego", module);
    folder.write("gate.yaml", "policy: {}\n");
    let arguments = ["--entrypoint", "x/allow", "--config", "gate.yaml", "a b"];
    let sarif = |more: &[&str]| {
        let ran = folder.run(&[&["check", "--format", "sarif"], more].concat());
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let mut wrong = sarif(&arguments);
    *wrong.pointer_mut("/runs/0/results/0/level").unwrap() = "fatal".into();
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema()).unwrap()).unwrap();
    for (document, is_valid) in [
        (sarif(&arguments), true),
        (sarif(&["a b"]), true),
        (wrong, false),
    ] {
        let data = json!({"schema": schema, "document": document});
        folder.write("data.json", data.to_string());
        let query = "json.match_schema(data.document, data.schema)";
        let ran = folder.run(&["eval", "-d", "data.json", "--format", "pretty", query]);
        let answer = ran.json();
        assert_eq!(answer.pointer("/0"), Some(&is_valid.into()), "{answer:#}");
    }
}

/// Where the registry's sources are is cargo's to say.
fn schema() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata.get("packages").unwrap().as_array().unwrap();
    let named = |package: &&Value| package.get("name").unwrap() == "serde-sarif";
    let package = packages.iter().find(named).unwrap();
    let manifest = package.get("manifest_path").unwrap().as_str().unwrap();
    Path::new(manifest)
        .with_file_name("src")
        .join("schema.json")
}

/// Results name their rules, and files so that they mean the same elsewhere.
#[test]
fn sarif_ties_results_to_rules_and_files() {
    let folder = Folder::new();
    let module = "package x\n\nimport data.y\n\ndefault allow := true\n";
    folder.write("a b/x.rego", module);
    let arguments = ["a b", "--entrypoint", "x/allow", "--format", "sarif"];
    let text = folder.run(&[&["check"], &arguments[..]].concat()).stdout;
    let sarif: Value = serde_json::from_str(&text).unwrap();
    let results = sarif.pointer("/runs/0/results").unwrap();
    assert_eq!(results.as_array().unwrap().len(), 3);
    for result in results.as_array().unwrap() {
        let at = |pointer: &str| result.pointer(pointer).unwrap_or(&Value::Null);
        let rule = at("/ruleIndex").as_u64().unwrap();
        let rule = format!("/runs/0/tool/driver/rules/{rule}/id");
        assert_eq!(sarif.pointer(&rule), Some(at("/ruleId")));
        let uri = "/locations/0/physicalLocation/artifactLocation/uri";
        assert_eq!(at(uri), "a%20b/x.rego");
    }
}

/// What stands in this repository to be copied raises no alarm.
#[test]
fn the_policies_to_start_from_are_fine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let check = |arguments: &[&str]| {
        let mut command = Folder::started().command(&["check", "--strict", "--format", "json"]);
        let output = command.args(arguments).current_dir(&root).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {found}");
    };
    check(&["--config", "envoy/gate.yaml"]);
    check(&["--envoy", "envoy/envoy.yaml"]);
    check(&["--envoy", "envoy/ecds/envoy.yaml"]);
    check(&["policies/rbac", "--entrypoint", "envoy/authz/allow"]);
    check(&["policies/library"]);
    let started = Folder::started();
    let ran = started.run(&["check", "--strict"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let ran = started.run(&["check", "--strict", "policies"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

/// A line of a configuration may hold a secret, and is not shown.
#[test]
fn secrets_are_not_shown() {
    let folder = Folder::new();
    let secret = "correct-horse-battery-staple-correct-horse";
    folder.write(
        "authz.rego",
        "package envoy.authz\n\ndefault allow := false\n",
    );
    for line in [
        format!(
            "signatures: {{keys: [{{id: a, algorithm: hmac-sha256, secret: {secret}, sbject: a}}], components: []}}"
        ),
        format!("api_keys: {{pepper: {secret}, kys: []}}"),
        format!("api_keys: {{pepper: [{secret}]}}"),
        format!("api_keys: {secret}"),
    ] {
        folder.write(
            "gate.yaml",
            format!("policy: {{path: authz.rego}}\n{line}\n"),
        );
        for format in ["text", "json", "sarif"] {
            let ran = folder.run(&["check", "--format", format]);
            assert_eq!(ran.code, 1, "{line}");
            let all = [ran.stdout, ran.stderr].concat();
            assert!(!all.contains("battery"), "{all}");
        }
    }
}

/// Each kind of finding is found by some case.
#[test]
fn every_kind_has_a_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(cases).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let wanted = text.split_once("-- want --\n").map_or("", |(_, want)| want);
        found.extend(
            wanted
                .lines()
                .filter_map(|line| Some(line.split(' ').nth(1)?.to_owned())),
        );
    }
    let folder = Folder::new();
    for line in folder.run(&["check", "--list"]).stdout.lines() {
        let name = line.split(' ').next().unwrap();
        assert!(found.contains(name), "no case finds `{name}`");
    }
}

fn failure(case: &Path) -> Option<String> {
    let text = fs::read_to_string(case).unwrap();
    let folder = Folder::new();
    let mut sections = text.split("\n-- ");
    let arguments: Vec<&str> = sections.next().unwrap().split_whitespace().collect();
    let mut wanted = None;
    for section in sections {
        let (name, content) = section.split_once(" --\n").unwrap();
        match name.strip_prefix("want") {
            Some(kind) => wanted = Some((kind, content)),
            None => drop(folder.write(name, format!("{content}\n"))),
        }
    }
    let (kind, wanted) = wanted.unwrap();
    let mut all = vec!["check"];
    all.extend(&arguments);
    if kind.is_empty() {
        all.extend(["--format", "json"]);
    }
    let ran = folder.run(&all);
    let found = match kind {
        "" => lines(&ran.stdout),
        _ => ran.stdout.replace(env!("CARGO_PKG_VERSION"), "{{version}}"),
    };
    let strict = arguments.contains(&"--strict");
    let fails = |line: &str| line.starts_with("error") || (strict && line.starts_with("warning"));
    let code = i32::from(kind.is_empty() && found.lines().any(fails));
    let same = found.trim() == wanted.trim() && (!kind.is_empty() || ran.code == code);
    (!same).then(|| {
        let name = case.file_name().unwrap().display();
        let (code, stderr) = (ran.code, ran.stderr);
        format!("{name}: wanted\n{wanted}\nfound (exit code {code})\n{found}\n{stderr}")
    })
}

fn lines(json: &str) -> String {
    let document: Value = serde_json::from_str(json).unwrap_or_default();
    let findings = document.get("findings").and_then(Value::as_array);
    let mut lines = String::new();
    for finding in findings.into_iter().flatten() {
        let text = |name: &str| {
            finding
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let number = |name: &str| {
            finding
                .get(name)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        lines.push_str(&format!(
            "{} {} {}:{}:{}\n",
            text("severity"),
            text("name"),
            text("file"),
            number("line"),
            number("column")
        ));
    }
    lines
}
