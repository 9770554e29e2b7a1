//! A release: what `make release` puts together is whole, the same every time, and says what it is made of; and the
//! pages that go with it say what is so.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod command;
#[path = "release/data_handling.rs"]
mod data_handling;
#[path = "readme/pages.rs"]
#[expect(dead_code, reason = "of pages only tables and blocks are needed")]
mod pages;

use command::command;
use portcullis_tests::{code_spans, module, needed, root};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const SUMS: &str = "SHA256SUMS";

#[test]
fn a_release_is_whole_and_the_same_every_time() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let made: Vec<_> = ["one", "two"]
        .map(|name| make(&python, &folder.path().join(name)))
        .into();
    let names: Vec<&str> = made[0].keys().map(String::as_str).collect();
    assert!(made[0] == made[1], "not the same bytes: {names:?}");
    let host = names.iter().find_map(|name| {
        let command = name.strip_prefix("portcullis-")?;
        command.strip_suffix(".cdx.json")
    });
    let listed = pages::rows(&pages::page("SECURITY.md"), "## A release");
    let mut listed: Vec<String> = listed
        .iter()
        .flat_map(|cells| code_spans(&cells[0]))
        .map(|name| name.replace("TARGET", host.unwrap()))
        .collect();
    listed.sort();
    assert_eq!(names, listed);

    let one = folder.path().join("one");
    assert!(sums(&one).status.success());
    for name in names.into_iter().filter(|name| *name != SUMS) {
        let file = one.join(name);
        let mut tampered = made[0][name].clone();
        tampered[20] ^= 1;
        fs::write(&file, tampered).unwrap();
        let said = String::from_utf8(sums(&one).stdout).unwrap();
        assert!(said.contains(&format!("{name}: FAILED")), "{said}");
        fs::write(&file, &made[0][name]).unwrap();
    }

    let text = |name: &str| String::from_utf8(made[0][name].clone()).unwrap();
    let command = format!("portcullis-{}", host.unwrap());
    let reads = [
        (
            "portcullis.wasm",
            ["proxy-wasm", "regorus"],
            ["wasmtime", "clap"],
        ),
        (
            command.as_str(),
            ["wasmtime", "clap"],
            ["proxy-wasm", "proptest"],
        ),
    ];
    for (part, with, without) in reads {
        let bill = serde_json::from_str(&text(&format!("{part}.cdx.json"))).unwrap();
        says_what_is_in_the_file(&bill, part, &text(SUMS));
        let linked = linked(&bill);
        let has = |name: &str| linked.iter().any(|(linked, _)| linked == name);
        assert!(with.iter().all(|name| has(name)), "{part}: {linked:?}");
        assert!(!without.iter().any(|name| has(name)), "{part}: {linked:?}");
        // A macro runs where the file is built, and is not in it.
        assert!(!has("syn"), "{part}: {linked:?}");
        names_every_licence(&text(&format!("{part}.licences.txt")), &bill, &linked);
    }
}

/// Each crate with the checksum that Cargo.lock has, nothing that leads nowhere, and the file's own checksum.
fn says_what_is_in_the_file(bill: &Value, part: &str, sums: &str) {
    let subject = &bill["metadata"]["component"];
    let sha256 = subject["hashes"][0]["content"].as_str().unwrap();
    assert!(
        sums.contains(&format!("{sha256}  {part}\n")),
        "{part}: {sha256}"
    );
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut known = BTreeSet::from([subject["bom-ref"].clone().to_string()]);
    for component in bill["components"].as_array().unwrap() {
        known.insert(component["bom-ref"].to_string());
        let (name, version) = (&component["name"], &component["version"]);
        let ours = name.as_str().unwrap().starts_with("portcullis-");
        let locked = match component["hashes"][0]["content"].as_str() {
            Some(checksum) => format!(
                "name = {name}\nversion = {version}\n\
                 source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{checksum}\""
            ),
            None => format!("name = {name}\nversion = {version}\n"),
        };
        assert!(ours == component["hashes"].is_null(), "{component}");
        assert!(lock.contains(&locked), "Cargo.lock has no {locked}");
    }
    assert!(known.len() > 100, "{part}: {}", known.len());
    let edges = bill["dependencies"].as_array().unwrap();
    assert_eq!(edges.len(), known.len(), "{part}");
    for edge in edges {
        let needed = edge["dependsOn"].as_array().into_iter().flatten();
        for reference in needed.chain([&edge["ref"]]) {
            assert!(
                known.contains(&reference.to_string()),
                "{part}: {reference}"
            );
        }
    }
}

/// Name and version of what is in the file itself.
fn linked(bill: &Value) -> BTreeSet<(String, String)> {
    let components = bill["components"].as_array().unwrap();
    let linked = components
        .iter()
        .filter(|component| component["scope"] == "required");
    linked
        .map(|component| {
            ["name", "version"].map(|member| component[member].as_str().unwrap().to_owned())
        })
        .map(|[name, version]| (name, version))
        .collect()
}

fn names_every_licence(report: &str, bill: &Value, linked: &BTreeSet<(String, String)>) {
    for component in bill["components"].as_array().unwrap() {
        let member = |name: &str| component[name].as_str().unwrap().to_owned();
        let (name, version) = (member("name"), member("version"));
        let Some(licence) = component["licenses"][0]["expression"].as_str() else {
            panic!("{component}");
        };
        let line = format!("{name} {version}: {licence}\n");
        let is_linked = linked.contains(&(name, version));
        assert_eq!(report.contains(&line), is_linked, "{line}");
    }
    for text in [
        "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION",
        "Permission is hereby granted, free of charge",
        "Redistribution and use in source and binary forms",
    ] {
        assert!(report.contains(text), "{text}");
    }
}

#[test]
fn what_is_no_release_is_refused() {
    let Some(python) = python() else { return };
    let refused = Command::new(&python)
        .arg(root().join("tests/release/refused.py"))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&refused.stdout),
        String::from_utf8_lossy(&refused.stderr)
    );
    assert!(refused.status.success(), "{said}");

    // Nothing is overwritten but a release.
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    fs::write(&mine, "mine").unwrap();
    let module = module();
    for (arguments, why) in [
        (vec!["--dirty"], "there is nothing to release"),
        (
            vec![
                "--dirty",
                "--module",
                module.to_str().unwrap(),
                "--out",
                folder.path().to_str().unwrap(),
            ],
            "it is not overwritten",
        ),
    ] {
        let done = release(&python).args(arguments).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(
            said.starts_with("release: ") && said.contains(why),
            "{said}"
        );
    }
    assert_eq!(fs::read_to_string(mine).unwrap(), "mine");
}

#[test]
fn the_changelog_is_of_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let headings: Vec<&str> = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## ["))
        .map(|line| line.split(']').next().unwrap())
        .collect();
    // What is not released yet stands above; then the newest is the one that Cargo.toml has.
    let released = headings
        .iter()
        .position(|heading| *heading != "Unreleased")
        .map(|at| (at, headings[at]));
    match released {
        None => assert_eq!(headings, ["Unreleased"]),
        Some((at, version)) => {
            assert!(at <= 1, "{headings:?}");
            assert_eq!(version, env!("CARGO_PKG_VERSION"));
        }
    }
}

#[test]
fn releases_are_built_by_the_compiler_that_the_workspace_names() {
    let image = format!("rust:{}-bookworm", env!("CARGO_PKG_RUST_VERSION"));
    let workflow = pages::page(".github/workflows/ci.yml");
    let containers: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("container: "))
        .collect();
    assert!(!containers.is_empty());
    assert!(containers.iter().all(|it| *it == image), "{containers:?}");
    assert!(pages::page("SECURITY.md").contains(&image), "{image}");
}

#[test]
fn the_command_says_its_version() {
    let said = command().arg("--version").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    // Of a release with its commit.
    let expected = format!(
        r"^portcullis {}( \([0-9a-f]{{40}}\))?\n$",
        regex::escape(env!("CARGO_PKG_VERSION"))
    );
    assert!(
        regex::Regex::new(&expected).unwrap().is_match(&said),
        "{said:?}"
    );
}

/// The files of a release of what `make build` left, by name.
fn make(python: &Path, out: &Path) -> BTreeMap<String, Vec<u8>> {
    let built = command();
    let done = release(python)
        .args(["--dirty", "--module"])
        .arg(module())
        .arg("--command")
        .arg(built.get_program())
        .arg("--out")
        .arg(out)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let files = fs::read_dir(out).unwrap().map(|entry| {
        let file = entry.unwrap();
        let name = file.file_name().into_string().unwrap();
        (name, fs::read(file.path()).unwrap())
    });
    files.collect()
}

fn release(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("host-harness/release/release.py"));
    command
}

/// What SECURITY.md says to check it with.
fn sums(folder: &Path) -> Output {
    let said = pages::marked(&pages::page("SECURITY.md"), "release").concat();
    let mut command = Command::new("bash");
    let command = command.args(["-ec", &said]).current_dir(folder);
    command.output().unwrap()
}

/// That of `.venv`, where what makes bills is.
fn python() -> Option<PathBuf> {
    let python = root().join(".venv/bin/python");
    let asked = Command::new(&python)
        .args(["-c", "import cyclonedx, tomllib"])
        .output();
    let has_it = asked.is_ok_and(|output| output.status.success());
    let missing = "no Python 3.11 with cyclonedx-python-lib in .venv, where tests/setup.py puts it";
    needed(has_it.then_some(python).ok_or(missing))
}
