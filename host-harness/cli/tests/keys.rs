//! `portcullis keys new` and `hash`, as a user runs them, and what the gate makes of their keys.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use regex::Regex;
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt};
use support::{
    Folder,
    keys::{LATER, POLICY, folder_with, made, verified},
};

#[test]
fn a_new_key_is_in_its_file_and_its_record_makes_it_good() {
    let folder = folder_with("");
    let key = folder.read("old.key");
    assert!(
        Regex::new(r"^pclkey_[0-9A-Za-z]{49}\n$")
            .unwrap()
            .is_match(&key)
    );
    let mode = fs::metadata(folder.path().join("old.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let wanted = json!({"id": "acme-2026-01", "subject": "acme", "scopes": ["orders:read"]});
    assert_eq!(verified(&folder, "old.key"), wanted);
    let hash = folder.run_with(&["keys", "hash"], &key).stdout;
    assert!(folder.read("gate.yaml").contains(hash.trim()));
}

#[test]
fn a_record_can_be_pasted() {
    let folder = Folder::new();
    let ran = folder.run(&[
        "keys",
        "new",
        "--subject",
        "no: 1",
        "--id",
        "true",
        "--scope",
        "a: b",
        "--scope",
        "on",
        "--expires",
        LATER,
        "--not-before",
        "2026-01-01T00:00:00Z",
        "--key-file",
        "old.key",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the key is in old.key"),
        "{}",
        ran.stderr
    );
    folder.write(
        "gate.yaml",
        format!("{POLICY}api_keys:\n  keys:\n    {}", ran.stdout),
    );
    let wanted = json!({"id": "true", "subject": "no: 1", "scopes": ["a: b", "on"]});
    assert_eq!(verified(&folder, "old.key"), wanted);
}

#[test]
fn a_key_goes_to_a_pipe_only_where_the_user_says_so() {
    let folder = Folder::new();
    let new = |more: &[&str]| folder.run(&[&["keys", "new", "--subject", "acme"], more].concat());
    let ran = new(&[]);
    ran.refused("error: stdout is no terminal, so say where the key goes");
    let ran = new(&["--key-file", "-"]);
    let (key, record) = ran.stdout.split_once("\n\n").unwrap();
    assert!(
        key.starts_with("pclkey_") && record.starts_with("- {id: acme-20"),
        "{record}"
    );
    assert!(!ran.stderr.contains("pclkey_"), "{}", ran.stderr);
    let json = new(&["--key-file", "-", "--format", "json", "--prefix", "acme"]).json();
    let key = json["key"].as_str().unwrap();
    assert!(key.starts_with("acme_"));
    let hash = folder
        .run_with(&["keys", "hash", "--format", "json"], key)
        .json();
    assert_eq!(hash["hash"], json["record"]["hash"]);
}

#[test]
fn what_makes_no_key_is_refused() {
    let folder = Folder::new();
    let new = |more: &[&str]| {
        folder.run(
            &[
                &["keys", "new", "--subject", "acme", "--key-file", "a.key"],
                more,
            ]
            .concat(),
        )
    };
    for (more, error) in [
        (
            ["--prefix", "A_"],
            "error: invalid value 'A_' for '--prefix",
        ),
        (
            ["--expires", "soon"],
            "error: invalid value 'soon' for '--expires",
        ),
        (
            ["--expires", "2020-01-01T00:00:00Z"],
            "error: --expires: the key would never be valid",
        ),
        (
            ["--expires", "0s"],
            "error: --expires: the key would never be valid",
        ),
        (
            ["--not-before", "never"],
            "error: invalid value 'never' for '--not-before",
        ),
        (["--id", ""], "error: --id and --subject take some text"),
        (
            ["--pepper-env", "NO_SUCH"],
            "error: the environment has no `NO_SUCH`",
        ),
    ] {
        new(&more).refused(error);
        assert!(!folder.path().join("a.key").exists(), "{more:?}");
    }
    folder.write("a.key", "mine");
    new(&[]).refused("error: a.key: ");
    assert_eq!(folder.read("a.key"), "mine");
}

#[test]
fn a_key_is_hashed_without_the_end_of_its_line() {
    let folder = Folder::new();
    let hash = |text: &str| folder.run_with(&["keys", "hash"], text).stdout;
    // printf %s correct-horse-battery-staple | sha256sum
    let wanted = "sha256:87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590\n";
    let plain = hash("correct-horse-battery-staple");
    assert_eq!(plain, wanted);
    assert_eq!(plain, hash("correct-horse-battery-staple\n"));
    assert_eq!(plain, hash("correct-horse-battery-staple\r\n"));
    assert_ne!(plain, hash("correct-horse-battery-staplf"));
}

#[test]
fn what_is_no_key_has_no_hash() {
    let folder = Folder::new();
    made(&folder, "whole.key", &[]);
    let whole = folder.read("whole.key");
    let (start, end) = whole.trim().split_at(20);
    let damaged = "error: this is not the key you were given: its checksum does not match";
    for (text, error) in [
        ("", "error: stdin: there is no key"),
        ("\n", "error: stdin: there is no key"),
        ("a-key-of-mine\n\n", "error: stdin: the key has white space"),
        ("a-key-of-mine \n", "error: stdin: the key has white space"),
        (
            "KEY=a-key\nOF=mine\n",
            "error: stdin: the key has white space",
        ),
        (
            "a-key\0of-mine",
            "error: stdin: the key has white space or a control",
        ),
        (&format!("{start}{}", end.split_at(1).1), damaged),
        (&format!("{start}{end}x"), damaged),
        (&whole.replace("pclkey", "pclkez"), damaged),
    ] {
        let ran = folder.run_with(&["keys", "hash"], text);
        ran.refused(error);
        let shown = text.trim();
        assert!(
            shown.is_empty() || !ran.stderr.contains(shown),
            "{}",
            ran.stderr
        );
    }
    folder
        .run_with(&["keys", "hash"], &"x".repeat(70_000))
        .refused("error: stdin: too long for a key");
    let ran = folder.run_with(&["keys", "hash", "--foreign"], "pclkey_of_another");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = folder.run_with(&["keys", "hash"], "hunter2\n");
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr
            .starts_with("warning: a key this short can be guessed")
    );
    folder
        .run(&["keys", "hash", "a-key"])
        .refused("error: unexpected argument 'a-key'");
}

/// util-linux's `script` gives the command a terminal of its own, and copies what that shows.
#[cfg(target_os = "linux")]
#[test]
fn a_key_that_is_typed_is_not_shown() {
    use std::io::{Read, Write};
    let folder = Folder::new();
    let key = "a-key-of-another-maker";
    let wanted = folder.run_with(&["keys", "hash"], key).stdout;
    let command = format!("'{}' keys hash", env!("CARGO_BIN_EXE_portcullis"));
    let child = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return eprintln!("skipped: there is no `script`: {error}"),
    };
    let mut shown = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    while !shown.ends_with(b"as you type):\r\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        shown.extend(byte);
    }
    // The terminal falls silent just after the prompt.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{key}\r").as_bytes()).unwrap();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(wanted.trim()), "{shown}");
    assert!(!shown.contains(key), "{shown}");
}
