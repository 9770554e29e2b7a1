//! `portcullis image`, as far as it needs no registry; tests/system/image.py has the rest.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use std::fs;
use support::Folder;

/// An Envoy would load it, and it does nothing.
const MODULE: &str = r#"(module
  (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 0))"#;
const BOM: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6"}"#;
const PUBLIC: &str = include_str!("../../registry/src/image/keys/ours.pub");
const PRIVATE: &str = include_str!("../../registry/src/image/keys/ours.pem");
const LOCKED: &str = include_str!("../../registry/src/image/keys/locked.key");

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("gate.wasm", wat::parse_str(MODULE).unwrap());
    folder.write("bom.json", BOM);
    folder.write("ci.pub", PUBLIC);
    folder.write("ci.pem", PRIVATE);
    folder.write("locked.key", LOCKED);
    folder
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// With nobody's credentials and times.
fn run(folder: &Folder, line: &str) -> support::Ran {
    let output = folder
        .command(&words(line))
        .env("DOCKER_CONFIG", folder.path())
        .env_remove("SOURCE_DATE_EPOCH")
        .env_remove("COSIGN_PASSWORD")
        .output()
        .unwrap();
    support::Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn manifest(folder: &Folder, image: &str) -> Value {
    let top: Value = serde_json::from_str(&folder.read(&format!("{image}/index.json"))).unwrap();
    blob(
        folder,
        image,
        top["manifests"][0]["digest"].as_str().unwrap(),
    )
}

fn blob(folder: &Folder, image: &str, digest: &str) -> Value {
    let file = format!(
        "{image}/blobs/sha256/{}",
        digest.trim_start_matches("sha256:")
    );
    serde_json::from_str(&folder.read(&file)).unwrap()
}

#[test]
fn the_same_module_has_the_same_digest() {
    let folder = folder();
    for layout in ["compat", "oci"] {
        let line = format!("image build --wasm gate.wasm --layout {layout} --sbom bom.json");
        let digest = run(&folder, &line).stdout;
        assert!(digest.starts_with("sha256:"), "{digest}");
        for output in ["a", "b", "a.tar", "b.tar"] {
            let ran = run(&folder, &format!("{line} -o {layout}-{output}"));
            assert_eq!((ran.code, &ran.stdout), (0, &digest), "{}", ran.stderr);
        }
        let read = |name: &str| fs::read(folder.path().join(format!("{layout}-{name}"))).unwrap();
        assert_eq!(read("a.tar"), read("b.tar"));
        for image in ["a", "a.tar"] {
            let line = format!("image inspect {layout}-{image} --format json");
            let shown = run(&folder, &line).json();
            assert_eq!(shown["digest"].as_str(), Some(digest.trim()));
            assert_eq!(shown["layout"], layout);
            assert_eq!(shown["module"]["envoy"], ">=1.34");
            assert_eq!(
                shown["module"]["imports"],
                json!(["env.proxy_log", "wasi_snapshot_preview1.sched_yield"])
            );
            let kinds = shown["referrers"].as_array().unwrap();
            let kinds: Vec<&Value> = kinds.iter().map(|it| &it["kind"]).collect();
            assert_eq!(kinds, ["SBOM", "provenance"]);
        }
    }
}

#[test]
fn what_is_known_is_annotated_and_in_the_provenance() {
    let folder = folder();
    let line = "image build --wasm gate.wasm -o out --source https://git.example.com/gate --revision \
                0123abc --version v1 --license MIT --annotation team=edge";
    let output = folder
        .command(&words(line))
        .env("SOURCE_DATE_EPOCH", "1800000000")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let annotations = &manifest(&folder, "out")["annotations"];
    assert_eq!(
        *annotations,
        json!({
            "module.wasm.image/variant": "compat",
            "portcullis.wasm.image/abi": "proxy_abi_version_0_2_1",
            "portcullis.wasm.image/envoy": ">=1.34",
            "org.opencontainers.image.created": "2027-01-15T08:00:00Z",
            "org.opencontainers.image.licenses": "MIT",
            "org.opencontainers.image.revision": "0123abc",
            "org.opencontainers.image.source": "https://git.example.com/gate",
            "org.opencontainers.image.title": "portcullis",
            "org.opencontainers.image.version": "v1",
            "team": "edge",
        })
    );
    let top: Value = serde_json::from_str(&folder.read("out/index.json")).unwrap();
    let referrer = blob(
        &folder,
        "out",
        top["manifests"][1]["digest"].as_str().unwrap(),
    );
    let layer = referrer["layers"][0]["digest"].as_str().unwrap();
    let statement = blob(&folder, "out", layer);
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let details = &statement["predicate"]["runDetails"];
    assert_eq!(details["metadata"]["finishedOn"], "2027-01-15T08:00:00Z");
    let built = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(
        *built,
        json!([{"uri": "https://git.example.com/gate", "digest": {"gitCommit": "0123abc"}}])
    );
}

#[test]
fn what_cannot_be_built_is_refused_with_a_hint() {
    let folder = folder();
    let module = |text: String| wat::parse_str(text).unwrap();
    folder.write("text.wasm", MODULE);
    folder.write(
        "files.wasm",
        module(MODULE.replace("sched_yield", "path_link")),
    );
    folder.write(
        "old.wasm",
        module(MODULE.replace("version_0_2_1", "version_0_1_0")),
    );
    folder.write("component.wasm", module("(component)".into()));
    folder.write("spdx.json", r#"{"spdxVersion": "SPDX-2.3"}"#);
    let cases = [
        ("--wasm none.wasm", "none.wasm: no such file"),
        ("--wasm text.wasm", "text.wasm: it is no wasm module"),
        (
            "--wasm files.wasm",
            "files.wasm: it imports `wasi_snapshot_preview1.path_link`, which no Envoy has",
        ),
        ("--wasm old.wasm", "old.wasm: it exports neither"),
        ("--wasm component.wasm", "component.wasm: it is a component"),
        (
            "--wasm gate.wasm --sbom spdx.json",
            "spdx.json: the SBOM: its `bomFormat` is not `CycloneDX`",
        ),
        (
            "--wasm gate.wasm --provenance bom.json",
            "bom.json: the provenance: its `_type` is not",
        ),
        (
            "--wasm gate.wasm --annotation portcullis.wasm.image/abi=x",
            "--annotation portcullis.wasm.image/abi: it has one already",
        ),
        (
            "--wasm gate.wasm --annotation org.opencontainers.image.title=x",
            "--annotation org.opencontainers.image.title: it has one already",
        ),
        ("--wasm gate.wasm -o ci.pub", "ci.pub: "),
    ];
    for (line, wanted) in cases {
        let ran = run(&folder, &format!("image build {line}"));
        ran.refused(&format!("error: {wanted}"));
        assert!(ran.stderr.contains("\nhint: "), "{line}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    }
    let written = fs::read_dir(folder.path()).unwrap();
    assert!(!written.flatten().any(|it| it.path().is_dir()));
}

#[test]
fn an_image_on_disk_that_was_changed_is_not_read() {
    let folder = folder();
    let build = "image build --wasm gate.wasm -o out";
    assert_eq!(run(&folder, build).code, 0);
    let manifest = manifest(&folder, "out");
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let layer = format!("out/blobs/sha256/{}", layer.trim_start_matches("sha256:"));
    let whole = fs::read(folder.path().join(&layer)).unwrap();
    let mut changed = whole.clone();
    changed[20] ^= 1;
    let top = folder.read("out/index.json");
    type Change<'a> = (&'a str, Vec<u8>, &'a str);
    let cases: [Change<'_>; 4] = [
        (&layer, changed, "was changed"),
        (
            "out/index.json",
            b"{}".to_vec(),
            "index.json: missing field",
        ),
        ("out/oci-layout", b"{}".to_vec(), "its version is not 1.0.0"),
        (
            "out/index.json",
            top.replace("\"manifests\":[{", "\"manifests\":[{\"size\":1,")
                .into_bytes(),
            "index.json: ",
        ),
    ];
    for (file, content, wanted) in cases {
        let before = fs::read(folder.path().join(file)).unwrap();
        folder.write(file, content);
        for line in ["inspect out", "push localhost:1/gate:v1 --image out"] {
            let ran = run(&folder, &format!("image {line}"));
            ran.refused("error: out: ");
            assert!(ran.stderr.contains(wanted), "{file}: {}", ran.stderr);
        }
        folder.write(file, before);
    }
    assert_eq!(run(&folder, "image inspect out").code, 0);
}

#[test]
fn what_an_image_says_does_not_pass_for_what_is_said_of_it() {
    let folder = folder();
    let annotation = "a\nb=c\nsignature   of x (verified)\u{1b}[2J";
    let built = folder
        .command(&words("image build --wasm gate.wasm -o out --annotation"))
        .arg(annotation)
        .output()
        .unwrap();
    assert_eq!(built.status.code(), Some(0), "{built:?}");
    let ran = run(&folder, "image inspect out");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let shown = r"annotation  a\nb=c\nsignature   of x (verified)\u{1b}[2J";
    assert!(
        ran.stdout.lines().any(|line| line == shown),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[test]
fn nothing_is_replaced_but_an_image_and_only_when_that_is_said() {
    let folder = folder();
    let build = "image build --wasm gate.wasm -o out";
    let digest = run(&folder, build).stdout;
    run(&folder, build).refused("error: out: ");
    let other = run(&folder, &format!("{build} --force --version v2")).stdout;
    assert!(digest.starts_with("sha256:") && other.starts_with("sha256:") && digest != other);
    assert!(folder.read("out/index.json").contains(other.trim()));
    let cases = [
        ("an image and more", "out/more", "it has `more`"),
        ("a folder", "project/main.rs", "it has `main.rs`"),
        ("no image", "blobs/blobs/a", "it is a folder, and no image"),
        (
            "a mark that is a folder",
            "marked/oci-layout/a",
            "it is a folder, and no image",
        ),
    ];
    for (name, file, wanted) in cases {
        let at = folder.path().join(file);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, "x").unwrap();
        let output = file.split('/').next().unwrap();
        let ran = run(
            &folder,
            &format!("image build --wasm gate.wasm -o {output} --force"),
        );
        ran.refused(&format!("error: {output}: {wanted}"));
        assert!(ran.stderr.contains("\nhint: --force replaces"), "{name}");
        assert_eq!(fs::read(&at).unwrap(), b"x", "{name}");
    }
    let beside = fs::read_dir(folder.path()).unwrap().flatten();
    let mut names = beside.map(|entry| entry.file_name().into_string().unwrap());
    assert!(!names.any(|name| name.starts_with(".portcullis-")));
}

#[test]
fn nothing_is_verified_or_signed_with_what_is_no_key() {
    let folder = folder();
    let reference = "localhost:1/gate:v1";
    let cases = [
        ("verify REF", "there is no --key"),
        (
            "verify REF --key ci.pem",
            "--key ci.pem: the key is a private key",
        ),
        (
            "verify REF --key bom.json",
            "--key bom.json: it is no public key in PEM",
        ),
        ("verify REF --key none.pub", "none.pub: "),
        (
            "verify REF --key env:NO_SUCH",
            "the environment has no `NO_SUCH`",
        ),
        ("verify gate:v1 --key ci.pub", "`gate:v1` names no registry"),
        (
            "verify localhost:1/gate --key ci.pub",
            "`localhost:1/gate` has no tag",
        ),
        ("pull REF -o gate.wasm", "gate.wasm: "),
        (
            "sign REF --key ci.pub",
            "--key ci.pub: the key: it holds no private key",
        ),
        (
            "sign REF --key locked.key",
            "--key locked.key: a password locks it",
        ),
        (
            "sign REF --key ci.pem --annotation timestamp=now",
            "--annotation timestamp: it has one already",
        ),
    ];
    for (line, wanted) in cases {
        let ran = run(
            &folder,
            &format!("image {}", line.replace("REF", reference)),
        );
        ran.refused(&format!("error: {wanted}"));
        let key = PRIVATE.lines().chain(LOCKED.lines());
        for line in key.filter(|line| line.len() > 30) {
            assert!(!ran.stderr.contains(line), "{}", ran.stderr);
        }
    }
    // What wants a key has one.
    for option in [
        "--annotation a=b",
        "--max-age 1d",
        "--allow-unsigned-referrers",
        "--require sbom,provenance",
    ] {
        let ran = run(
            &folder,
            &format!("image pull {reference} -o out.wasm {option}"),
        );
        assert_eq!(ran.code, 2, "{option}");
        assert!(ran.stderr.contains("--key"), "{}", ran.stderr);
    }
}
