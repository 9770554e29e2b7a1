//! `portcullis keys rotate`, as a user runs it, and what the gate makes of both keys.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod file;
#[path = "../support/mod.rs"]
mod support;

use serde_json::json;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    process::Stdio,
};
use support::{
    Folder, Ran,
    keys::{LATER, POLICY, folder_with, made, verified},
};

fn rotate(folder: &Folder, more: &[&str]) -> Ran {
    let arguments = ["keys", "rotate", "acme-2026-01", "--key-file", "new.key"];
    folder.run(&[&arguments, more].concat())
}

/// Nothing was done, and nothing tells of a key.
fn left_alone(folder: &Folder, ran: &Ran, before: &str, error: &str) {
    ran.refused(error);
    assert_eq!(folder.read("gate.yaml"), before);
    assert!(!folder.path().join("new.key").exists());
    assert!(!ran.stderr.contains("pclkey_"), "{}", ran.stderr);
}

#[test]
fn a_rotation_overlaps_and_keeps_everything_else() {
    let folder = folder_with("    # of bolt\n    - {id: bolt, hash: \"HASH\", subject: bolt}");
    let bolt = made(&folder, "bolt.key", &[]);
    folder.edit("gate.yaml", "HASH", bolt["hash"].as_str().unwrap());
    let before = folder.read("gate.yaml");
    fs::set_permissions(
        folder.path().join("gate.yaml"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    fs::rename(
        folder.path().join("gate.yaml"),
        folder.path().join("real.yaml"),
    )
    .unwrap();
    std::os::unix::fs::symlink("real.yaml", folder.path().join("gate.yaml")).unwrap();
    let ran = rotate(&folder, &["--new-id", "acme-next", "--overlap", "2d"]);
    assert_eq!((ran.code, &*ran.stdout), (0, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`acme-next` is there from now on"),
        "{}",
        ran.stderr
    );
    let after = folder.read("gate.yaml");
    let mut rest = after
        .lines()
        .filter(|line| !before.lines().any(|it| it == *line));
    assert!(
        rest.next().unwrap().starts_with("      expires: 20"),
        "{after}"
    );
    assert_eq!(rest.next().unwrap(), "    - id: acme-next");
    assert!(
        before
            .lines()
            .all(|line| after.lines().any(|it| it == line)),
        "{after}"
    );
    assert!(
        after.ends_with(before.split_at(before.find("    # of bolt").unwrap()).1),
        "{after}"
    );
    let wanted = json!({"id": "acme-next", "subject": "acme", "scopes": ["orders:read"]});
    assert_eq!(verified(&folder, "new.key"), wanted);
    assert_eq!(verified(&folder, "old.key")["id"], "acme-2026-01");
    let real = folder.path().join("real.yaml");
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert!(
        fs::symlink_metadata(folder.path().join("gate.yaml"))
            .unwrap()
            .is_symlink()
    );
    assert!(fs::read_dir(folder.path()).unwrap().all(|it| {
        !it.unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".portcullis")
    }));
}

#[test]
fn a_dry_run_shows_and_writes_nothing() {
    let folder = folder_with("");
    let before = folder.read("gate.yaml");
    let ran = folder.run(&["keys", "rotate", "acme-2026-01", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("--- gate.yaml\n+++ gate.yaml\n@@ "),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("\n+    - id: acme-20"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("pclkey_"));
    assert_eq!(folder.read("gate.yaml"), before);
}

#[test]
fn an_old_key_never_gets_longer_than_it_has() {
    let expires = humantime::format_rfc3339_seconds(
        std::time::SystemTime::now() + std::time::Duration::from_secs(3_600),
    );
    let folder = folder_with(&format!(
        "      not_before: 2026-01-01T00:00:00Z\n      expires: {expires} # soon"
    ));
    let ran = rotate(&folder, &["--overlap", "30d"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let after = folder.read("gate.yaml");
    assert!(
        after.contains(&format!(
            "      expires: {expires} # soon\n    - id: acme-20"
        )),
        "{after}"
    );
    // And the new one lives as long as the old one was to.
    assert_eq!(after.matches("      expires: ").count(), 2, "{after}");

    let folder =
        folder_with("      not_before: 2026-01-01T00:00:00Z\n      expires: 2554-07-01T00:00:00Z");
    let ran = rotate(&folder, &["--overlap", "7000y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let after = folder.read("gate.yaml");
    for end in ["2554-07-01T00:00:00Z", "2554-07-21T23:34:33Z"] {
        assert!(after.contains(&format!("expires: {end}")), "{after}");
    }

    let folder = folder_with(&format!("      expires: {LATER}"));
    let before = folder.read("gate.yaml");
    left_alone(
        &folder,
        &rotate(&folder, &[]),
        &before,
        "error: the old key expires, and how long",
    );
    let ran = rotate(&folder, &["--expires", "never", "--overlap", "1h"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!folder.read("gate.yaml").contains(LATER));
}

#[test]
fn a_rotation_that_makes_no_sense_changes_nothing() {
    let over = "so there is nothing to overlap with";
    for (more, arguments, error) in [
        (
            "      revoked: true",
            &[][..],
            format!("error: the key `acme-2026-01` is revoked, {over}"),
        ),
        (
            "      revoked: 2026-01-01T00:00:00Z",
            &[],
            format!("error: the key `acme-2026-01` is revoked, {over}"),
        ),
        (
            "      expires: 2026-01-01T00:00:00Z",
            &[],
            format!("error: the key `acme-2026-01` has expired, {over}"),
        ),
        (
            "",
            &["--new-id", "acme-2026-01"],
            "error: --new-id: there is a key `acme-2026-01` already".into(),
        ),
        (
            "",
            &["--expires", "2026-01-01T00:00:00Z"],
            "error: --expires: the key would never be valid".into(),
        ),
        (
            "",
            &["--overlap", "long"],
            "error: invalid value 'long' for '--overlap".into(),
        ),
        ("      scope: []", &[], "error: gate.yaml:".into()),
        (
            "    - {id: acme-2026-01, hash: x, subject: y}",
            &[],
            "error: gate.yaml: several records have the id".into(),
        ),
        (
            &format!("      not_before: {LATER}"),
            &["--overlap", "1d"],
            "error: gate.yaml:".into(),
        ),
    ] {
        let folder = folder_with(more);
        let before = folder.read("gate.yaml");
        left_alone(&folder, &rotate(&folder, arguments), &before, &error);
    }
    let folder = folder_with("");
    folder
        .run(&["keys", "rotate", "bolt", "--key-file", "new.key"])
        .refused("error: gate.yaml: no API key has the id `bolt`");
    rotate(&folder, &["--file", "none.yaml"]).refused("error: none.yaml: no such file or folder");
    folder
        .run(&["keys", "rotate", "acme-2026-01"])
        .refused("error: stdout is no terminal, so say where the key goes");
    folder.write("new.key", "mine");
    let before = folder.read("gate.yaml");
    rotate(&folder, &[]).refused("error: new.key: ");
    assert_eq!(
        (folder.read("gate.yaml"), &*folder.read("new.key")),
        (before, "mine")
    );
}

/// The words after `portcullis` of the command that a refusal shows, as a shell reads them.
fn by_hand(ran: &Ran) -> Vec<String> {
    let hint = ran.stderr.lines().nth(1).unwrap();
    let command = hint.split_once("paste what this prints: ").unwrap().1;
    let mut words = shlex::split(command).unwrap();
    assert_eq!(words.remove(0), "portcullis");
    words
}

#[test]
fn what_is_to_be_done_by_hand_is_quoted_and_whole() {
    for (pepper, first, options) in [
        (
            "{env: TEST_PEPPER, encoding: base64}",
            "",
            "--pepper-env TEST_PEPPER --pepper-encoding base64",
        ),
        ("{env: TEST_PEPPER}", "", "--pepper-env TEST_PEPPER"),
        (
            "a-pepper-of-many-words",
            "not in the environment, into the variable GATE_PEPPER, and ",
            "--pepper-env GATE_PEPPER",
        ),
    ] {
        let folder = Folder::new();
        let hash = format!("hmac-sha256:{}", "0".repeat(64));
        folder.write(
            "gate.yaml",
            format!(
                "{POLICY}api_keys:\n  pepper: {pepper}\n  keys:\n    -\n      id: acme-2026-01\n      \
                 hash: \"{hash}\"\n      subject: \"acme; touch /tmp/x\"\n      \
                 scopes: [\"read all\", \"-x\"]\n"
            ),
        );
        let before = folder.read("gate.yaml");
        let arguments = ["--new-id", "it's next", "--prefix", "acme"];
        let mut command = folder.command(&["keys", "rotate", "acme-2026-01"]);
        let output = command
            .args(["--key-file", "new.key"])
            .args(arguments)
            .env("TEST_PEPPER", "cGVwcGVy")
            .output()
            .unwrap();
        let ran = Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        left_alone(&folder, &ran, &before, "error: gate.yaml:");
        assert!(
            ran.stderr
                .contains("--subject 'acme; touch /tmp/x' --scope 'read all' '--scope=-x' "),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr
                .contains(&format!("{first}paste what this prints: "))
        );
        assert!(!ran.stderr.contains("a-pepper-of-many-words"));
        let words = by_hand(&ran);
        let tail = format!(" --prefix acme {options}");
        assert!(words.join(" ").ends_with(&tail), "{words:?}");
        assert_eq!(words[2..4], ["--id", "it's next"]);
    }
}

#[test]
fn a_layout_that_is_not_safe_comes_with_what_to_do() {
    let folder = folder_with("");
    folder.edit(
        "gate.yaml",
        "- id: acme-2026-01 # the shop",
        "-\n      id: acme-2026-01",
    );
    let before = folder.read("gate.yaml");
    let ran = rotate(&folder, &["--new-id", "acme-next", "--expires", LATER]);
    left_alone(
        &folder,
        &ran,
        &before,
        "error: gate.yaml:6:7: the record is laid out so that",
    );
    let command = by_hand(&ran);
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.extend(["--key-file", "new.key"]);
    let record = folder.run(&arguments).stdout;
    folder.write("gate.yaml", format!("{before}    {record}"));
    assert_eq!(
        verified(&folder, "new.key")["scopes"],
        json!(["orders:read"])
    );
}

#[test]
fn a_file_of_the_policys_data_is_rotated_too() {
    let folder = Folder::new();
    let record = made(&folder, "old.key", &["--id", "acme-2026-01"]);
    folder.write(
        "policies/authz.rego",
        "package envoy.authz\n\nallow := true\n",
    );
    let data = json!({"records": [record]});
    folder.write("policies/api_keys/data.json", format!("{data:#}\n"));
    folder.write(
        "gate.yaml",
        "policy: {path: policies}\napi_keys: {keys_from: api_keys/records}\n",
    );
    rotate(&folder, &[]).refused("error: gate.yaml: no API key has the id `acme-2026-01`");
    let ran = rotate(
        &folder,
        &["--file", "policies/api_keys/data.json", "--format", "json"],
    );
    let told = ran.json();
    assert_eq!(told["replaces"]["id"], "acme-2026-01");
    let wanted = &told["record"]["id"];
    assert_eq!(&verified(&folder, "new.key")["id"], wanted);
    assert_eq!(verified(&folder, "old.key")["id"], "acme-2026-01");
}

#[test]
fn a_peppered_key_stays_one() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        let output = command.env("TEST_PEPPER", "cGVwcGVy").output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    let pepper = ["--pepper-env", "TEST_PEPPER", "--pepper-encoding", "base64"];
    let new = [
        "keys",
        "new",
        "--subject",
        "acme",
        "--id",
        "acme-2026-01",
        "--key-file",
        "old.key",
    ];
    let ran = run(&[&new[..], &pepper].concat());
    assert!(
        ran.stdout.contains("hash: \"hmac-sha256:"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    folder.write(
        "gate.yaml",
        format!(
            "{POLICY}api_keys:\n  pepper: {{env: TEST_PEPPER, encoding: base64}}\n  keys:\n    {}",
            ran.stdout
        ),
    );
    let ran = run(&[
        "keys",
        "rotate",
        "acme-2026-01",
        "--new-id",
        "next",
        "--key-file",
        "new.key",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for (file, id) in [("old.key", "acme-2026-01"), ("new.key", "next")] {
        let key = folder.read(file);
        folder.write(
            "r.http",
            format!("GET / HTTP/1.1\nhost: x\nx-api-key: {}\n\n", key.trim()),
        );
        let input = run(&["input", "--config", "gate.yaml", "--request", "r.http"]).json();
        assert_eq!(input["verified"]["api_key"]["id"], id);
    }
    folder
        .run(&["keys", "rotate", "next", "--key-file", "a.key"])
        .refused("error: the environment has no `TEST_PEPPER`");
}
