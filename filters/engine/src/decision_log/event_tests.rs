//! What an event holds of a decision, and what is left of it where something is hidden.

use super::{Facts, LONGEST, Mask, Pointer, Sent, trace};
use crate::request::{Attributes, Incoming, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn facts() -> Facts<'static> {
    Facts {
        decision_id: "d",
        at_ns: 1_700_000_000_123_456_789,
        allowed: true,
        reason: "policy.allowed",
        ..Facts::default()
    }
}

#[test]
fn what_there_is_is_told_and_nothing_else() {
    let event = facts()
        .event(&Mask::default(), &BTreeMap::new())
        .into_json();
    let bare = json!({
        "labels": {}, "decision_id": "d", "allowed": true, "reason": "policy.allowed",
        "timestamp": "2023-11-14T22:13:20.123456789Z", "time": "2023-11-14T22:13:20.123Z",
    });
    assert_eq!(event, bare);
    let full = Facts {
        rule: Some("data.envoy.authz.allow"),
        revision: Some("r1"),
        bundle: Some("authz"),
        subject: Some("alice"),
        detail: Some("because"),
        by_candidate: true,
        shadow: Some(json!({"allowed": false, "detail": "password=hunter2"})),
        sent: Sent {
            method: Some("GET"),
            host: Some("a.example.com"),
            target: Some("/a;token=hunter2?x=1"),
            request_id: Some("r"),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            client: Some(("::1", Some(7))),
        },
        status: Some(200),
        took_ns: Some(12_345),
        input: Some(json!({"a": 1})),
        result: Some(json!(true)),
        ..facts()
    };
    let event = full.event(&Mask::default(), &BTreeMap::new()).into_json();
    let expected = json!({
        "path": "envoy/authz/allow", "rule": "data.envoy.authz.allow", "revision": "r1",
        "bundles": {"authz": {"revision": "r1"}}, "subject": "alice", "detail": "because",
        "enforced_by": "candidate", "shadow": {"allowed": false, "detail": "password=***"},
        "method": "GET", "host": "a.example.com", "request_path": "/a;token=***",
        "request_id": "r", "requested_by": "[::1]:7", "status": 200,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
        "metrics": {"timer_server_handler_ns": 12345}, "duration_us": 12,
        "input": {"a": 1}, "result": true, "masked": ["/shadow/detail", "/request_path"],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(event.get(key), Some(value), "{key}");
    }
    let known = bare.as_object().unwrap().len();
    assert_eq!(
        event.as_object().unwrap().len(),
        known + expected.as_object().unwrap().len()
    );
}

#[test]
fn what_is_erased_is_listed() {
    let pointers = ["/input/a/b", "/input/a/c"].map(|it| Pointer::of_event(it).unwrap());
    let mut event = Facts {
        input: Some(json!({"a": {"b": 1}})),
        result: Some(json!(false)),
        ..facts()
    }
    .event_without(&pointers, &Mask::default(), &BTreeMap::new());
    assert_eq!(event.value()["input"], json!({"a": {}}));
    assert_eq!(event.value()["erased"], json!(["/input/a/b"]));
    event.erase_all();
    let json = event.into_json();
    assert_eq!(json["erased"], json!(["/input", "/result"]));
    assert_eq!(json.get("input"), None);
    assert_eq!(json.get("result"), None::<&Value>);
}

/// The mask of a request with these headers, and with no body that was looked at.
fn mask(headers: &[(&str, &[u8])]) -> Mask {
    let request = Request {
        headers,
        attributes: Attributes::default(),
        body: Incoming::None,
    };
    Mask::of(&request, None, "a decision")
}

#[test]
fn what_is_named_goes_before_names_are_hidden() {
    let mask = mask(&[("cookie", b"a=social_security; sid=pers")]);
    let mut input = json!({"parsed_body": {"social_security": "1", "pers": {"x": "2"}, "c": "3"}});
    let mut result = json!({"m": {"social_security": "1", "c": "3"}});
    let pointers = [
        "/input/parsed_body/social_security",
        "/input/parsed_body/pers/x",
        "/result/m/social_security",
    ];
    let event = Facts {
        input: Some(input.take()),
        result: Some(result.take()),
        ..facts()
    };
    let named = pointers.map(|it| Pointer::of_event(it).unwrap());
    let event = event
        .event_without(&named, &mask, &BTreeMap::new())
        .into_json();
    assert_eq!(
        event["input"],
        json!({"parsed_body": {"***": "***", "c": "3"}})
    );
    assert_eq!(event["result"], json!({"m": {"c": "3"}}));
    assert_eq!(event["erased"], json!(pointers));
}

#[test]
fn no_client_makes_its_event_too_large() {
    let long: String = (0..50 * 1024_u32)
        .map(|n| {
            char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[(n.wrapping_mul(2_654_435_761) >> 27) as usize],
            )
        })
        .collect();
    let path = format!("/é{long}");
    let body: Vec<(String, Value)> = (0..500)
        .map(|n| {
            (
                format!("{n}{}", long.get(..100).unwrap()),
                json!({"pin": n}),
            )
        })
        .collect();
    let mut event = Facts {
        detail: Some(&long),
        shadow: Some(json!({"detail": long})),
        sent: Sent {
            method: Some(&long),
            host: Some(&long),
            target: Some(&path),
            request_id: Some(&long),
            traceparent: Some(&long),
            client: None,
        },
        input: Some(json!({"parsed_body": serde_json::Map::from_iter(body)})),
        result: Some(json!(false)),
        ..facts()
    }
    .event(&Mask::default(), &BTreeMap::new());
    for key in [
        "detail",
        "method",
        "host",
        "request_path",
        "request_id",
        "traceparent",
    ] {
        let text = event.value()[key].as_str().unwrap();
        assert!(text.len() <= LONGEST && text.ends_with('…'), "{key}");
    }
    assert!(event.value()["shadow"]["detail"].as_str().unwrap().len() <= LONGEST);
    assert_eq!(event.value()["masked"], json!(["/input/parsed_body"]));
    event.erase_all();
    assert!(event.line().len() < 16 * 1024);
    let json = event.into_json();
    assert_eq!(json["erased"], json!(["/input", "/result"]));
    assert_eq!(json.get("masked"), None);
}

#[test]
fn a_body_that_was_not_looked_at_is_quoted_by_nothing() {
    let mask = mask(&[]).without_body();
    for (result, shown) in [
        (json!(false), json!(false)),
        (
            json!({"allowed": true, "body": "a", "headers": {"x": "a"}, "http_status": 403}),
            json!({"allowed": true, "body": "***", "headers": {"***": "***"}, "http_status": "***"}),
        ),
    ] {
        let event = Facts {
            detail: Some("because"),
            shadow: Some(json!({"allowed": true, "detail": "because of a"})),
            input: Some(json!({"parsed_body": "***", "a": "b"})),
            result: Some(result),
            ..facts()
        };
        let event = event.event(&mask, &BTreeMap::new()).into_json();
        assert_eq!(event["result"], shown);
        assert_eq!(event["shadow"], json!({"allowed": true, "detail": "***"}));
        assert_eq!(event["input"], json!({"parsed_body": "***", "a": "b"}));
        assert_eq!(event["detail"], "because");
    }
}

#[test]
fn who_stands_before_a_host_is_hidden() {
    for (host, shown) in [
        ("a:b@c", "***@c"),
        ("a@b@c", "***@c"),
        ("c", "c"),
        ("c:1", "c:1"),
    ] {
        let event = Facts {
            sent: Sent {
                host: Some(host),
                ..Sent::default()
            },
            ..facts()
        };
        let event = event.event(&Mask::default(), &BTreeMap::new()).into_json();
        assert_eq!(event["host"], shown);
    }
}

#[test]
fn traces() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert!(trace(good).is_some());
    // A later version may say more.
    assert!(trace("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x").is_some());
    for wrong in [
        "",
        "-",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-é-00f067aa0ba902b7-01",
    ] {
        assert!(trace(wrong).is_none(), "{wrong}");
    }
}
