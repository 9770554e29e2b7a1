//! What was decided under load is decided so again from its log, every time.

use crate::Stage;
use portcullis_engine::words::counter;
use serde_json::Value;
use std::{collections::BTreeMap, fs, process::Command, thread};

const CLIENTS: u64 = 4;
const EACH: u64 = 400;

/// A request that is like no other, but for its kind: the line, its headers and its body.
fn request(number: u64) -> (String, Vec<String>, String) {
    let keys = ["reader-key", "writer-key", "nobody's key", ""];
    let pick = |of: u64| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % of;
    let mut headers = vec![
        format!("x-request-id: request-{number}"),
        format!("traceparent: 00-{number:032x}-{:016x}-01", number + 1),
        format!("authorization: Bearer hush-{number}-hush"),
    ];
    let key = keys[usize::try_from(pick(4)).unwrap()];
    if !key.is_empty() {
        headers.push(format!("x-acme: {key}"));
    }
    let (line, body) = match number % 8 {
        0..=1 => (format!("GET /orders/{}", pick(13)), String::new()),
        2..=3 => (
            "POST /orders".to_owned(),
            format!("{{\"amount\": {}, \"note\": \"ü-{number}\"}}", pick(1000)),
        ),
        4 => ("GET /clock".to_owned(), String::new()),
        5 => (
            format!(
                "GET /query?word=open-{}&word=shut&token=hush-{number}",
                pick(9)
            ),
            String::new(),
        ),
        6 => (format!("GET /%6frders/{}?a=%20b", pick(5)), String::new()),
        _ => match pick(40) {
            0 => ("GET /endless".to_owned(), String::new()),
            1..=3 => ("GET /wrong".to_owned(), String::new()),
            4..=6 => ("GET /orders/../x%zz".to_owned(), String::new()),
            _ => (format!("PUT /else/{number}"), String::new()),
        },
    };
    if !body.is_empty() {
        headers.push("content-type: application/json".to_owned());
        headers.push(format!("content-length: {}", body.len()));
    }
    (line, headers, body)
}

#[test]
fn the_log_of_a_load_replays_to_the_same_decisions() {
    let Some(stage) = Stage::start("tests/decision_log/load") else {
        return;
    };
    let statuses = thread::scope(|scope| {
        let client = |client: u64| {
            let stage = &stage;
            scope.spawn(move || {
                let numbers = client * EACH..(client + 1) * EACH;
                let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
                for number in numbers {
                    let (line, headers, body) = request(number);
                    let (answer, _) = stage.ask_with(&line, &headers, &body);
                    let status = answer.get(9..12).unwrap();
                    *statuses.entry(status.to_owned()).or_default() += 1;
                }
                statuses
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for client in clients {
            for (status, count) in client.join().unwrap() {
                *all.entry(status).or_default() += count;
            }
        }
        all
    });
    let sent = CLIENTS * EACH;
    stage.until("every event is uploaded", || {
        stage.count(counter::LOG_UPLOADED) == sent
    });
    let events = stage.collector.taken();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for event in &events {
        let reason = event["reason"].as_str().unwrap();
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    println!("{statuses:?} {reasons:?}");
    let kinds = [
        "policy.allowed",
        "policy.denied",
        "policy.error",
        "policy.budget",
        "api_key.unknown",
        "request.malformed",
    ];
    for kind in kinds {
        assert!(reasons.contains_key(kind), "no {kind}: {reasons:?}");
    }
    assert!(!Value::from(events.clone()).to_string().contains("hush"));

    let file = stage.folder.path().join("decisions.jsonl");
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(&file, lines).unwrap();
    let replay = |policy: &str| -> (Option<i32>, Value) {
        let replayed = Command::new(portcullis_tests::root().join("target/release/portcullis"))
            .current_dir(portcullis_tests::root())
            .args(["replay", "--format", "json", "--policy", policy])
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8(replayed.stdout).unwrap();
        let told = String::from_utf8_lossy(&replayed.stderr).into_owned();
        let report = serde_json::from_str(&text);
        (
            replayed.status.code(),
            report.unwrap_or_else(|error| panic!("{error}: {told}")),
        )
    };
    let asked = events.iter().filter(|event| event.get("input").is_some());
    let asked = u64::try_from(asked.count()).unwrap();
    // The policy reads the path, and of these a part of it is hidden: what it says then is not certain.
    let hides = |event: &&Value| event.get("input").is_some() && event["request_path"] == "/query";
    let hidden = u64::try_from(events.iter().filter(hides).count()).unwrap();
    assert!(hidden > 0);
    let (code, report) = replay("tests/decision_log/load");
    let totals = &report["totals"];
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(totals["events"], sent);
    assert_eq!(totals["same"], asked - hidden, "{totals:#}");
    assert_eq!(totals["uncertain"], hidden, "{totals:#}");
    for flips in ["flips", "uncertain_flips"] {
        for to in ["allow", "deny"] {
            assert_eq!(totals[&format!("{flips}_to_{to}")], 0, "{totals:#}");
        }
    }
    assert_eq!(totals["not_the_policys"], sent - asked, "{totals:#}");

    // And it would tell: where the limit is another, those that it lets through flip.
    let other = stage.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let home = portcullis_tests::root().join("tests/decision_log/load");
    fs::copy(home.join("authz.rego"), other.join("authz.rego")).unwrap();
    let data = fs::read_to_string(home.join("data.json")).unwrap();
    fs::write(other.join("data.json"), data.replace("500", "100")).unwrap();
    let (code, report) = replay(other.to_str().unwrap());
    let amount = |event: &Value| event["input"]["parsed_body"]["amount"].as_u64();
    let flips = events.iter().filter(|event| {
        event["allowed"] == true && amount(event).is_some_and(|amount| amount >= 100)
    });
    assert_eq!(code, Some(1));
    assert_eq!(
        report["totals"]["flips_to_deny"],
        flips.count(),
        "{report:#}"
    );
}
