//! Sessions of `portcullis test`: a folder each, with policies and a `session.txt` of commands and
//! what they print. Durations are written as `0s` there, and what goes to stderr begins with `! `.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use regex::Regex;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc,
    thread,
    time::Duration,
};
use support::Folder;

#[test]
fn each_session_goes_as_written() {
    let sessions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions");
    let mut count = 0;
    for entry in fs::read_dir(sessions).unwrap() {
        let case = entry.unwrap().path();
        let folder = Folder::new();
        copy(&case, folder.path());
        let written = folder.read("session.txt");
        let mut found = String::new();
        for line in written.lines() {
            let Some(command) = line.strip_prefix("$ portcullis ") else {
                continue;
            };
            found.push_str(&format!("{line}\n"));
            let arguments = shlex::split(command).unwrap();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ran = folder.run(&arguments);
            found.push_str(&still(&ran.stdout));
            for line in ran.stderr.lines() {
                found.push_str(&format!("! {line}\n"));
            }
            found.push_str(&format!("= {}\n\n", ran.code));
        }
        if std::env::var_os("WRITE_SESSIONS").is_some() {
            fs::write(case.join("session.txt"), found.trim_end().to_owned() + "\n").unwrap();
        } else {
            let name = case.file_name().unwrap().display();
            assert_eq!(found.trim_end(), written.trim_end(), "{name}");
        }
        count += 1;
    }
    assert!(count >= 8, "{count} sessions");
}

/// Without what is another time each time.
fn still(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, instead) in [
        (r"\((\d+h)?(\d+m)?[\d.]+(ns|µs|ms|s)\)", "(0s)"),
        (r#""duration": \d+"#, r#""duration": 0"#),
        (r#" time="[\d.]+""#, r#" time="0""#),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, instead).into_owned();
    }
    text
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if from.is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn a_change_runs_the_tests_again() {
    let folder = Folder::new();
    folder.write("a_test.rego", "package a_test\n\ntest_it if 1 == 1\n");
    let mut child = folder
        .command(&["test", ".", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    let err = BufReader::new(child.stderr.take().unwrap());
    let sent = sender.clone();
    thread::spawn(move || {
        out.lines()
            .map_while(Result::ok)
            .all(|it| sent.send(it).is_ok())
    });
    thread::spawn(move || {
        err.lines()
            .map_while(Result::ok)
            .all(|it| sender.send(it).is_ok())
    });
    let wait_for = |wanted: &str| loop {
        let line = lines.recv_timeout(Duration::from_secs(60)).unwrap();
        if line.starts_with(wanted) {
            break;
        }
    };
    wait_for("PASS: 1/1");
    folder.write(
        "a_test.rego",
        "package a_test\n\ntest_it if 1 == 2 # fails\n",
    );
    wait_for("FAIL: 1/1");
    folder.write("a_test.rego", "package a_test\n\ntest_it if {\n");
    wait_for("error: a_test.rego:4:1: ");
    child.kill().unwrap();
    child.wait().unwrap();
}
