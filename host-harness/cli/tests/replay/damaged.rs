//! Logs of which something cannot be read, or whose end is missing.

use crate::{event, folder, replay, said};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::io::Write;

fn gzip(text: &str, level: Compression) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), level);
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// What is longer than a record may be.
fn huge() -> String {
    format!("{{\"decision_id\": \"{}\"}}", "x".repeat(17 << 20))
}

#[test]
fn what_cannot_be_read_is_counted() {
    let folder = folder();
    let line = event(&json!({})).to_string();
    let (half, _) = line.split_at(line.len() / 2);
    let long = huge();
    let twice = line.replace("\"host\":\"h\"", "\"method\":\"PUT\",\"host\":\"h\"");
    let log = format!(
        "{line}\nhello\n{half}\n{line}\n{long}\n{twice}\n{line}{line}\n{{\"level\":\"info\"}}\n\n"
    );
    folder.write("log", &log);
    let arguments = ["log", "--format", "json", "--allow", "9"];
    let ran = replay(&folder, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = said(&ran);
    assert_eq!(found["totals"]["events"], 3);
    assert_eq!(
        found["unreadable"],
        json!({"broken": 3, "cut": 0, "too_long": 1})
    );
    assert_eq!(found["cut_logs"], json!([]));
    assert_eq!(found["other_lines"], 2);
    let told = "warning: 3 records cannot be read: log:3, log:5, log:6";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let ran = replay(&folder, &["log", "--allow", "9"]);
    assert!(
        ran.stdout
            .contains("\n  unreadable        4\n  other lines       2\n"),
        "{}",
        ran.stdout
    );
    // It may be written on: one that is cut off is counted, too.
    folder.write("log", log + half);
    let ran = replay(&folder, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = said(&ran);
    assert_eq!(found["unreadable"]["cut"], 1);
    assert_eq!(found["cut_logs"], json!([]));
}

#[test]
fn a_log_without_its_end_does_not_pass() {
    let folder = folder();
    let line = event(&json!({})).to_string();
    let lines = format!("{line}\n").repeat(50);
    let mut packed = gzip(&lines, Compression::none());
    packed.truncate(packed.len() - 30);
    folder.write("log.gz", packed);
    folder.write("array", format!("[{line},\n{line},"));
    for (log, events, told) in [
        (
            "log.gz",
            49,
            "log.gz: compressed data ends early or is damaged",
        ),
        ("array", 2, "array: ends inside of an array"),
    ] {
        let ran = replay(&folder, &[log, "--allow", "99", "--format", "json"]);
        assert_eq!(ran.code, 1, "{log}: {}", ran.stderr);
        assert_eq!(said(&ran)["totals"]["events"], events);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        let ran = replay(&folder, &[log, "--allow", "99"]);
        let last = format!("nothing flips, and the end is missing of {log}");
        assert_eq!(ran.stdout.lines().last(), Some(&*last));
    }
}

#[test]
fn a_log_of_which_nothing_can_be_read_says_why() {
    let folder = folder();
    let line = event(&json!({})).to_string();
    let mut packed = gzip(&line.repeat(50), Compression::best());
    packed.truncate(40);
    folder.write("cut.gz", packed);
    folder.write("huge", huge());
    folder.write("half", line.split_at(line.len() / 2).0);
    folder.write("broken", "{\"decision_id\": \n{\"level\": 1}\n");
    for (log, why) in [
        ("cut.gz", "compressed data ends early or is damaged"),
        ("huge", "1 record longer than 16 MiB, so not read"),
        ("half", "1 record cut off at the end of a log, so not read"),
        ("broken", "1 record cannot be read: broken:1"),
    ] {
        let error = format!("error: {log}: no decision in it can be read: {why}");
        replay(&folder, &[log]).refused(&error);
        folder.write("gate.yaml", "policy:\n  path: policy\n");
        std::fs::remove_file(folder.path().join("policy/authz_test.rego")).ok();
        folder.run(&["explain", "--log", log]).refused(&error);
    }
}
