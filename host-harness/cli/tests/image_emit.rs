//! `image emit`: what is asked, and the manifests that come of it, as data in `image_emit`. The images are named
//! by a digest, which takes no registry: what a registry is asked is another test's matter.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;
#[path = "image_emit/told.rs"]
mod told;

use portcullis_gatefile::Document;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, os::unix::fs::symlink};
use support::{Folder, Ran};

const MODULE: &str = include_str!("image_emit/authz.rego");
const SECRET: &str = "s3cret-of-the-gate-0123456789abcdef";
const VARIABLES: [&str; 3] = ["ORDERS_HMAC", "GITHUB_SECRET", "PEPPER"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    gate: Map<String, Value>,
    arguments: Vec<String>,
    /// Of each file there is: what stands where; `null` is nothing.
    files: BTreeMap<String, BTreeMap<String, Value>>,
    /// Parts of warnings that there are.
    warnings: Vec<String>,
    /// And that there are not.
    silent: Vec<String>,
    /// Parts of what is to be run, and of how secrets come there.
    #[serde(default)]
    told: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    name: String,
    gate: Map<String, Value>,
    arguments: Vec<String>,
    error: String,
    hint: String,
}

fn digest() -> String {
    "0123456789abcdef".repeat(4)
}

fn reference() -> String {
    let digest = digest();
    format!("registry.example.com/gates/portcullis:latest@sha256:{digest}")
}

fn pinned() -> String {
    format!("registry.example.com/gates/portcullis@sha256:{}", digest())
}

/// A folder with a `gate.yaml` of these fields and of a policy.
fn folder(gate: &Map<String, Value>) -> Folder {
    let folder = Folder::new();
    let mut gate = Value::from(gate.clone());
    gate["policy"]["modules"] = json!({"authz.rego": MODULE});
    folder.write("gate.yaml", gate.to_string());
    folder
}

fn emit(folder: &Folder, arguments: &[&str]) -> Ran {
    emit_from(&reference(), folder, arguments)
}

fn emit_from(reference: &str, folder: &Folder, arguments: &[&str]) -> Ran {
    let mut all = vec!["image", "emit", reference, "--unverified"];
    all.extend(arguments);
    let mut command = folder.command(&all);
    let output = command
        .envs(VARIABLES.map(|name| (name, SECRET)))
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn texts(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// As any reader of YAML has it.
fn parsed(folder: &Folder, text: &str) -> Value {
    let file = folder.write("read/back.yaml", text);
    Document::read(&file).unwrap().value
}

/// With the digest and the policy in their places.
fn filled(value: &Value) -> Value {
    let module = Value::from(MODULE).to_string();
    let text = value.to_string().replace("{{digest}}", &digest());
    let text = text.replace("\"{{module}}\"", &module);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_manifests_say_what_was_asked() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("image_emit/cases.json")).unwrap();
    for case in cases {
        let name = &case.name;
        let folder = folder(&case.gate);
        let mut arguments = texts(&case.arguments);
        arguments.extend(["--format", "json"]);
        let ran = emit(&folder, &arguments);
        let answer = ran.json();
        let files: BTreeMap<&str, &str> = answer["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| {
                (
                    file["name"].as_str().unwrap(),
                    file["content"].as_str().unwrap(),
                )
            })
            .collect();
        let found: Vec<&&str> = files.keys().collect();
        let wanted: Vec<&String> = case.files.keys().collect();
        assert_eq!(found, wanted, "{name}");
        for (file, wanted) in &case.files {
            let manifest = parsed(&folder, files[file.as_str()]);
            for (pointer, wanted) in wanted {
                let found = manifest.pointer(pointer).unwrap_or(&Value::Null);
                assert_eq!(found, &filled(wanted), "{name}: {file}: {pointer}");
            }
        }
        let warnings = answer["warnings"].as_array().unwrap();
        let warns = |part: &str| {
            warnings
                .iter()
                .any(|it| it.as_str().unwrap().contains(part))
        };
        for part in &case.warnings {
            assert!(warns(part), "{name}: `{part}` is not in {warnings:#?}");
        }
        for part in &case.silent {
            assert!(!warns(part), "{name}: `{part}` is in {warnings:#?}");
        }
        let lines = ["commands", "secrets"].map(|it| answer[it].as_array().unwrap().clone());
        let lines = lines.concat();
        for part in &case.told {
            let is_told = lines.iter().any(|it| it.as_str().unwrap().contains(part));
            assert!(is_told, "{name}: `{part}` is not in {lines:#?}");
        }
        // Whatever was asked.
        let first = answer["files"][0]["content"].as_str().unwrap();
        assert!(warns("NOBODY VERIFIED THIS IMAGE"), "{name}");
        assert!(first.contains("NOBODY VERIFIED THIS IMAGE"), "{name}");
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(SECRET), "{name}: a secret is told");
            assert!(
                !text.contains(folder.path().to_str().unwrap()),
                "{name}: a local path"
            );
            assert!(!text.contains("latest"), "{name}");
        }
        let all = ran.stdout.matches("registry.example.com/").count();
        let pinned = ran.stdout.matches(&pinned()).count();
        assert_eq!(pinned, all, "{name}: something is not pinned");
        assert_eq!(
            emit(&folder, &arguments).stdout,
            ran.stdout,
            "{name}: not the same again"
        );
    }
}

#[test]
fn what_cannot_be_said_is_refused() {
    let cases: Vec<Refused> =
        serde_json::from_str(include_str!("image_emit/refused.json")).unwrap();
    for case in cases {
        let folder = folder(&case.gate);
        let mut arguments = texts(&case.arguments);
        arguments.extend(["-o", "out"]);
        let ran = emit(&folder, &arguments);
        assert_eq!(ran.code, 2, "{}: {}{}", case.name, ran.stdout, ran.stderr);
        ran.refused(&case.error);
        assert!(
            ran.stderr.contains(&case.hint),
            "{}: {}",
            case.name,
            ran.stderr
        );
        assert!(!ran.stderr.contains(SECRET), "{}", case.name);
        assert!(!folder.path().join("out").exists(), "{}", case.name);
    }
}

const PLUGIN: &str = "out/portcullis.wasmplugin.yaml";
const ISTIO: [&str; 6] = ["--for", "istio", "--selector", "app=orders", "-o", "out"];

#[test]
fn its_own_files_are_replaced_and_no_others() {
    let folder = folder(&Map::new());
    let ran = emit(&folder, &ISTIO);
    assert_eq!((ran.code, ran.stdout.trim()), (0, PLUGIN), "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: NOBODY VERIFIED THIS IMAGE"));
    assert!(
        ran.stderr
            .contains("kubectl apply --server-side --dry-run=server -f portcullis.wasmplugin.yaml")
    );
    let written = folder.read(PLUGIN);
    // Another configuration, and its own file.
    folder.edit("gate.yaml", "allow := false", "allow := true");
    assert_eq!(emit(&folder, &ISTIO).code, 0);
    let replaced = folder.read(PLUGIN);
    assert!(replaced.contains("allow := true") && replaced != written);

    for (what, text) in [
        ("was changed since", replaced.replace("AUTHN", "AUTHZ")),
        ("did not write it", "kind: WasmPlugin\n".to_owned()),
        (
            "did not write it",
            replaced.split_once('\n').unwrap().1.to_owned(),
        ),
        ("did not write it", String::new()),
    ] {
        folder.write(PLUGIN, &text);
        let ran = emit(&folder, &ISTIO);
        ran.refused(&format!("error: {PLUGIN}: "));
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(ran.stderr.contains("--force replaces it"), "{}", ran.stderr);
        assert_eq!(folder.read(PLUGIN), text);
    }
    let forced = emit(&folder, &[ISTIO.as_slice(), &["--force"]].concat());
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert_eq!(folder.read(PLUGIN), replaced);
}

#[test]
fn one_file_that_stays_keeps_all_of_them_from_being_written() {
    let gate = json!({"decision_log": {"cluster": "logs", "authority": "logs.internal"}});
    let folder = folder(gate.as_object().unwrap());
    folder.write(PLUGIN, "mine\n");
    let more = ["--cluster", "logs=https://logs.internal"];
    emit(&folder, &[ISTIO.as_slice(), &more].concat())
        .refused("error: out/portcullis.wasmplugin.yaml");
    assert!(
        !folder
            .path()
            .join("out/portcullis.envoyfilter.yaml")
            .exists()
    );
}

#[test]
fn a_link_is_replaced_and_not_what_it_leads_to() {
    let folder = folder(&Map::new());
    assert_eq!(emit(&folder, &ISTIO).code, 0);
    let written = folder.read(PLUGIN);
    let elsewhere = folder.write("elsewhere.yaml", &written);
    fs::remove_file(folder.path().join(PLUGIN)).unwrap();
    symlink(&elsewhere, folder.path().join(PLUGIN)).unwrap();
    folder.edit("gate.yaml", "allow := false", "allow := true");
    assert_eq!(emit(&folder, &ISTIO).code, 0);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), written);
}

#[test]
fn a_link_to_no_file_stays() {
    let folder = folder(&Map::new());
    fs::create_dir(folder.path().join("out")).unwrap();
    symlink("nothing", folder.path().join(PLUGIN)).unwrap();
    let ran = emit(&folder, &ISTIO);
    ran.refused(&format!("error: {PLUGIN}: is a link, and leads to no file"));
    let link = folder.path().join(PLUGIN);
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("nothing"));
    let forced = emit(&folder, &[ISTIO.as_slice(), &["--force"]].concat());
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert!(link.symlink_metadata().unwrap().is_file());
}

#[test]
fn what_is_no_file_keeps_all_of_them_from_being_written() {
    let gate = json!({"decision_log": {"cluster": "logs", "authority": "logs.internal"}});
    let folder = folder(gate.as_object().unwrap());
    fs::create_dir_all(folder.path().join(PLUGIN)).unwrap();
    let more = ["--cluster", "logs=https://logs.internal"];
    for force in [[].as_slice(), &["--force"]] {
        let ran = emit(&folder, &[ISTIO.as_slice(), &more, force].concat());
        ran.refused(&format!("error: {PLUGIN}: is there, and no file"));
        assert!(ran.stderr.contains("move it away"), "{}", ran.stderr);
        let there = fs::read_dir(folder.path().join("out")).unwrap();
        assert_eq!(there.count(), 1, "something was written");
    }
}

#[test]
fn the_command_says_how_the_registry_is_reached() {
    let folder = folder(&Map::new());
    let asked = ["--for", "istio", "--selector", "app=orders"];
    for plain in ["--plain-http=true", "--plain-http=false"] {
        let ran = emit(&folder, &[asked.as_slice(), &[plain]].concat());
        let command = ran.stdout.lines().nth(1).unwrap().replace('\'', "");
        assert!(command.contains(plain), "{command}");
    }
}

#[test]
fn stdout_is_one_stream_of_documents_with_the_command_on_top() {
    let gate = json!({"decision_log": {"cluster": "logs", "authority": "logs.internal"}});
    let folder = folder(gate.as_object().unwrap());
    let config = folder.path().join("gate.yaml");
    let arguments = [
        "--config",
        config.to_str().unwrap(),
        "--for",
        "istio",
        "--selector",
    ];
    let more = ["app=orders", "--cluster", "logs=https://logs.internal"];
    let ran = emit(&folder, &[arguments.as_slice(), &more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let documents: Vec<&str> = ran.stdout.split("---\n").collect();
    let kinds: Vec<Value> = documents
        .iter()
        .map(|text| parsed(&folder, text)["kind"].clone())
        .collect();
    assert_eq!(kinds, ["EnvoyFilter", "WasmPlugin"]);
    let command = format!(
        "# portcullis image emit {} --unverified --config gate.yaml --for istio --selector app=orders --cluster logs=https://logs.internal",
        pinned()
    );
    for document in documents {
        assert_eq!(document.lines().nth(1).unwrap().replace('\'', ""), command);
    }
}

#[test]
fn nothing_that_is_given_ends_a_comment() {
    let folder = folder(&Map::new());
    let path = "a\nkind: Secret\u{2028}b.wasm";
    let ran = emit(&folder, &["--for", "envoy", "--wasm-path", path]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = parsed(&folder, &ran.stdout);
    let file = "/http_filters/0/typed_config/config/vm_config/code/local/filename";
    assert_eq!(found.pointer(file).unwrap(), path);
    assert_eq!(found.as_object().unwrap().len(), 1);
}

#[test]
fn without_a_key_nothing_is_taken() {
    let folder = folder(&Map::new());
    let reference = reference();
    let ran = folder.run(&[
        "image",
        "emit",
        &reference,
        "--for",
        "istio",
        "--selector",
        "app=a",
    ]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--key"), "{}", ran.stderr);
}
