//! A judge that finds no fault with anything would pass every scenario: here it must find them.

use super::{against_each_other, against_expectation, against_silence, against_what_was_sent};
use crate::{
    On,
    scenario::{Case, Events, Fetches},
    subject::{Exchange, Framing, Observation, Received},
};
use portcullis_host::Headers;
use serde_json::{Value, json};

#[test]
fn what_is_as_expected_has_no_fault() {
    let faults = against_expectation(&case(allowed()), &seen());
    assert!(faults.is_empty(), "{faults:?}");
    let faults = against_expectation(&case(denied()), &refused());
    assert!(faults.is_empty(), "{faults:?}");
    assert!(against_each_other((On::Native, &seen()), (On::Envoy, &seen()), &[]).is_empty());
}

#[test]
fn each_expectation_can_fail() {
    for (key, value) in [
        ("status", json!(201)),
        ("reason", json!("gate.off")),
        ("rule", json!("data.other")),
        ("subject", json!("bob")),
        ("key_id", json!("other")),
        ("detail", json!("other")),
        ("dynamic_metadata", json!({"a": 2})),
        ("headers", json!({"x-response": "other"})),
        ("headers", json!({"x-response": null})),
        ("body", json!({"text": "other"})),
        ("body", json!({"contains": "other"})),
        ("body", json!({"json": {"a": 1}})),
        ("grpc_status", json!(7)),
        ("upstream", json!({"path": "/other"})),
        ("upstream", json!({"method": "POST"})),
        ("upstream", json!({"headers": {"x-a": ["1"]}})),
        ("upstream", json!({"headers": {"x-a": ["2", "1"]}})),
        ("upstream", json!({"headers": {"x-missing": "1"}})),
        ("upstream", json!({"absent": ["x-a"]})),
        ("fetches", json!({"idp": {"/jwks.json": 1}})),
        ("fetches", json!({"idp": {"/jwks.json": 3}})),
        ("fetches", json!({"idp": {"/jwks.json": {"at_least": 3}}})),
        ("fetches", json!({"idp": {"/other": 1}})),
        ("fetches", json!({"other": {"/jwks.json": 2}})),
        ("events", json!({"logs": {"/logs": [{"/input/a": 2}]}})),
        ("events", json!({"logs": {"/logs": [{"/input/a": null}]}})),
        ("events", json!({"logs": {"/logs": [{"/input/b": 1}]}})),
        ("events", json!({"logs": {"/logs": []}})),
        ("events", json!({"logs": {"/logs": [{}, {}]}})),
        ("events", json!({"logs": {"/other": [{}]}})),
    ] {
        let mut expect = allowed();
        expect[key] = value.clone();
        let faults = against_expectation(&case(expect), &seen());
        assert_eq!(faults.len(), 1, "{key}: {value}: {faults:?}");
    }
}

#[test]
fn a_proxy_that_answers_itself_asks_nobody() {
    let mut silent = refused();
    silent.record = None;
    assert!(against_silence(silent.status, &silent).is_empty());
    assert_eq!(against_silence(200, &silent).len(), 1);
    assert_eq!(against_silence(silent.status, &refused()).len(), 1);
    silent.upstream = seen().upstream;
    assert_eq!(against_silence(silent.status, &silent).len(), 1);
}

#[test]
fn a_refused_request_must_not_reach_the_upstream_and_an_allowed_one_must() {
    let mut leaked = refused();
    leaked.upstream = seen().upstream;
    assert_eq!(against_expectation(&case(denied()), &leaked).len(), 1);
    let mut lost = seen();
    lost.upstream = None;
    assert_eq!(against_expectation(&case(allowed()), &lost).len(), 1);
}

#[test]
fn a_body_must_reach_the_upstream_as_it_was_sent() {
    let sent = |body: &[u8]| Exchange {
        method: "POST".into(),
        path: "/".into(),
        lines: Vec::new(),
        shown: Vec::new(),
        body: body.to_vec(),
        framing: Framing::default(),
        route: String::new(),
        virtual_host: String::new(),
        route_metadata: Vec::new(),
        tls: None,
    };
    let mut seen = seen();
    assert_eq!(against_what_was_sent(&sent(b""), &seen), None);
    assert!(against_what_was_sent(&sent(b"a"), &seen).is_some());
    for received in [&b"ab"[..], b"", b"abcd", b"abd"] {
        seen.upstream.as_mut().unwrap().body = received.to_vec();
        assert!(against_what_was_sent(&sent(b"abc"), &seen).is_some());
    }
    assert_eq!(against_what_was_sent(&sent(b"abc"), &refused()), None);
}

#[test]
fn a_refusal_shows_its_reason_in_the_details() {
    let mut seen = refused();
    seen.details = Some("via_upstream".into());
    assert_eq!(against_expectation(&case(denied()), &seen).len(), 1);
}

#[test]
fn every_difference_between_subjects_is_found() {
    let changes: &[fn(&mut Observation)] = &[
        |seen| seen.status = 201,
        |seen| seen.record = None,
        |seen| seen.record.as_mut().unwrap()["reason"] = json!("gate.off"),
        |seen| seen.record.as_mut().unwrap()["dynamic_metadata"] = json!({"a": 2}),
        |seen| seen.headers.add("x-more", b"1"),
        |seen| seen.body = b"other".to_vec(),
        |seen| seen.upstream = None,
        |seen| seen.upstream.as_mut().unwrap().path = "/other".into(),
        |seen| seen.upstream.as_mut().unwrap().headers.add("x-a", b"3"),
        |seen| seen.upstream.as_mut().unwrap().body = b"other".to_vec(),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut other = seen();
        change(&mut other);
        let faults = against_each_other((On::Native, &seen()), (On::Envoy, &other), &[]);
        assert!(!faults.is_empty(), "change {index}");
    }
}

fn allowed() -> Value {
    json!({
        "status": 200, "reason": "policy.allowed", "rule": "data.a", "subject": "alice", "key_id": "k",
        "detail": "list", "dynamic_metadata": {"a": 1}, "headers": {"x-response": "1", "x-no": null},
        "body": {"contains": "upstream"},
        "upstream": {"path": "/a", "method": "GET", "headers": {"x-a": ["1", "2"]}, "absent": ["x-b"]},
    })
}

fn denied() -> Value {
    json!({"status": 403, "reason": "policy.denied"})
}

fn case(expect: Value) -> Case {
    serde_json::from_value(json!({"name": "a case", "expect": expect})).unwrap()
}

fn seen() -> Observation {
    Observation {
        status: 200,
        headers: [("x-response", "1")].into_iter().collect::<Headers>(),
        body: b"from the upstream".to_vec(),
        record: Some(json!({
            "decision_id": "d", "allowed": true, "reason": "policy.allowed", "rule": "data.a",
            "subject": "alice", "key_id": "k", "detail": "on the list", "dynamic_metadata": {"a": 1},
        })),
        details: Some("via_upstream".into()),
        upstream: Some(Received {
            method: "GET".into(),
            path: "/a".into(),
            headers: [("x-a", "1"), ("x-a", "2")]
                .into_iter()
                .collect::<Headers>(),
            body: Vec::new(),
        }),
        fetches: Fetches::from([("idp".to_owned(), [("/jwks.json".to_owned(), 2)].into())]),
        events: Events::from([(
            "logs".to_owned(),
            [(
                "/logs".to_owned(),
                vec![json!({"allowed": true, "input": {"a": 1}})],
            )]
            .into(),
        )]),
    }
}

fn refused() -> Observation {
    Observation {
        status: 403,
        headers: Headers::new(),
        body: b"{}".to_vec(),
        record: Some(json!({"decision_id": "d", "allowed": false, "reason": "policy.denied"})),
        details: Some("portcullis{policy.denied}".into()),
        upstream: None,
        fetches: Fetches::new(),
        events: Events::new(),
    }
}
