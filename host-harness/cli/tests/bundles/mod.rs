//! Policies to make bundles of, and a look into them that is not the command's.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod keys;

#[allow(unused_imports, reason = "each test file uses its part")]
pub use keys::{CI, KEYS, Key, OTHER};

use crate::support::Folder;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::{collections::BTreeMap, fs, io::Read};

/// A file of the policies.
pub fn text(name: &str) -> &'static str {
    match name {
        "authz.rego" => "package envoy.authz\n\nallow if data.roles.alice\n",
        "lib/b.rego" => "package lib.b\n\nc := 1\n",
        "roles/data.json" => r#"{"alice": ["reader"]}"#,
        "data.yaml" => "flags: {new: true}\n",
        other => panic!("{other}"),
    }
}

pub fn policies() -> Folder {
    let folder = Folder::new();
    for name in ["authz.rego", "lib/b.rego", "roles/data.json", "data.yaml"] {
        folder.write(&format!("policies/{name}"), text(name));
    }
    folder
}

pub fn built(folder: &Folder, output: &str, more: &[&str]) {
    let build = ["bundle", "build", "policies", "-fo", output];
    let ran = folder.run(&[&build[..], more].concat());
    assert_eq!(ran.code, 0, "{more:?}: {}", ran.stderr);
}

/// With `ci.pem`, whose public half is put into `ci.pub`, for `write`.
pub fn signed(folder: &Folder, output: &str, more: &[&str]) {
    folder.write("ci.pem", CI.private);
    folder.write("ci.pub", CI.public);
    let key = [
        "--signing-key",
        "ci.pem",
        "--key-id",
        "ci",
        "--scope",
        "write",
    ];
    built(folder, output, &[&key[..], more].concat());
}

/// The files of a bundle without the slash before their names.
pub fn files(folder: &Folder, bundle: &str) -> BTreeMap<String, String> {
    let packed = fs::read(folder.path().join(bundle)).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(&*packed));
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (name.strip_prefix('/').unwrap().to_owned(), text)
        })
        .collect()
}

/// What a command says with `--format json`.
pub fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let ran = folder.run(&[arguments, &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The arguments of a command line without quotes.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
