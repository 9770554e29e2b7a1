//! The OPA's policy in rego-cpp, which shares no code with the gate: the gate's inputs, its answers.

use crate::before::allows;
use portcullis_runner::{Prepared, native};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Answers each input of a line with a line.
const SCRIPT: &str = include_str!("rego.py");

pub fn hold(policy: &Path, prepared: &Prepared<'_>) {
    let gate = native::load(prepared).unwrap();
    let document: Value = serde_json::from_slice(&prepared.document).unwrap();
    let mut asked = Vec::new();
    for (case, exchange) in prepared.cases.iter().zip(&prepared.exchanges) {
        let headers = exchange.filter_headers().unwrap();
        match native::ask(exchange, &headers, |request, moment| {
            gate.input(request, moment)
        }) {
            Ok(input) => asked.push((case, input)),
            // What the page says is refused before the policy is asked.
            Err(decision) => {
                assert_eq!(case.expect.status, 400, "{}", case.name);
                assert_eq!(decision.record.reason.code(), case.expect.reason);
            }
        }
    }
    assert!(asked.len() > 10);
    let question = json!({
        "policy": std::fs::read_to_string(policy).unwrap(),
        "data": document.pointer("/policy/data").unwrap(),
        "query": "data.envoy.authz.allow",
        "inputs": asked.iter().map(|(_, input)| input).collect::<Vec<_>>(),
    });
    let Some(answers) = ask(&question) else {
        return;
    };
    assert_eq!(answers.len(), asked.len());
    for ((case, _), answer) in asked.iter().zip(&answers) {
        println!("{:<60} {answer}", case.name);
        if case.skip.contains_key("native") {
            println!("SKIPPED: {}: {:?}", case.name, case.skip);
            continue;
        }
        assert_eq!(answer["allowed"], json!(allows(case)), "{}", case.name);
        match allows(case) {
            false => assert_eq!(
                answer["http_status"],
                json!(case.expect.status),
                "{}",
                case.name
            ),
            true => {
                for (name, wanted) in &case.expect.upstream.headers {
                    assert_eq!(
                        json!([answer["headers"][name]]),
                        json!(wanted.as_slice()),
                        "{}",
                        case.name
                    );
                }
                let removed = &answer["request_headers_to_remove"];
                for name in &case.expect.upstream.absent {
                    // What the gate itself takes away, the policy does not.
                    let gates = name == "x_user";
                    assert_eq!(removed == &json!([name]), !gates, "{}", case.name);
                }
            }
        }
    }
}

/// The answers, or `None` where there is no regopy and that is no failure.
fn ask(question: &Value) -> Option<Vec<Value>> {
    let python = portcullis_tests::root().join(".venv/bin/python");
    let there = python.is_file()
        && Command::new(&python)
            .args(["-c", "import regopy"])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success();
    if !there {
        let why = "regopy is not in .venv, where tests/setup.py puts it on Linux";
        assert!(!portcullis_tests::strict(), "{why}");
        eprintln!("SKIPPED: {why}");
        return None;
    }
    let mut process = Command::new(&python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(question.to_string().as_bytes()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "regopy failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
