//! The file of `--decision-log` as a file.

use crate::{
    events, say,
    support::{
        self, Folder,
        gate::{Gate, status, upstream},
    },
};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_log_is_added_to_and_its_failure_stops_nothing() {
    let folder = Folder::started();
    folder.write("log.jsonl", "{\"decision_id\":\"before\"}\n");
    mode(&folder, 0o600);
    let gate = Gate::serve(&folder, &upstream(), &["--decision-log", "log.jsonl"]);
    gate.get("/", "");
    gate.stop();
    let events = events(&folder);
    assert_eq!(
        (events.len(), &events[0]["decision_id"]),
        (2, &"before".into())
    );

    let ran = folder.run(&[
        "serve",
        "--upstream",
        "http://127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
        "--wasm",
        support::gate::module().to_str().unwrap(),
        "--decision-log",
        "nowhere/log.jsonl",
    ]);
    ran.refused("error: --decision-log nowhere/log.jsonl: ");
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
}

/// Whom a log names is nobody else's business, but a file's mode is its owner's.
#[test]
fn a_log_that_others_can_read_is_told_and_stays_so() {
    let folder = Folder::started();
    folder.write("log.jsonl", "");
    folder.write("no.wasm", "no module");
    for (before, is_told) in [(0o644, true), (0o640, true), (0o600, false), (0o620, false)] {
        mode(&folder, before);
        // The log is opened before the module is compiled.
        let ran = folder.run(&[
            "serve",
            "--upstream",
            "http://127.0.0.1:1",
            "--listen",
            "127.0.0.1:0",
            "--wasm",
            "no.wasm",
            "--decision-log",
            "log.jsonl",
        ]);
        let warning = format!(
            "warning: --decision-log log.jsonl: the file is there already, and others than its owner can \
             read it (mode {before:04o}): chmod 600 keeps decisions from them\n"
        );
        assert_eq!(ran.stderr.starts_with(&warning), is_told, "{}", ran.stderr);
        assert!(ran.stderr.contains("error: no.wasm: "), "{}", ran.stderr);
        let after = fs::metadata(folder.path().join("log.jsonl")).unwrap();
        assert_eq!(after.permissions().mode() & 0o777, before);
    }
}

fn mode(folder: &Folder, mode: u32) {
    let file = folder.path().join("log.jsonl");
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every write to it fails.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_once() {
    let folder = Folder::started();
    let gate = Gate::serve(
        &folder,
        &upstream(),
        &["--watch", "--decision-log", "/dev/full"],
    );
    for _ in 0..3 {
        assert_eq!(status(&gate.get("/health", "")), "200");
        assert_eq!(gate.decision()["reason"], "policy.allowed");
    }
    assert!(
        gate.note()
            .starts_with("warning: --decision-log /dev/full: ")
    );
    say(&folder, true);
    assert_eq!(
        gate.note(),
        "reloaded gate.yaml; none of your last 3 requests flips"
    );
    gate.stop();
}
