//! HTTP calls of the guest's own: how they are made, and what their answers do to streams that wait.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../guest/mod.rs"]
mod guest;
mod resumed;

use std::time::Duration;

use guest::{Guest, REQUEST_HEADERS, headers, plugin, request};
use portcullis_host::{
    CallToken, Headers, HttpCall, HttpCallResponse, Outcome, PluginOptions, Properties, VmError,
    VmOptions,
};

const ANSWER: &str = "proxy_on_http_call_response";
/// Asks for keys, and holds the request.
const ASK: &str = "(call $status (call $http_call {idp} {[:method=GET|:path=/keys|:authority=idp.internal|accept=application/json]} {} {} (i32.const 1500) @2)) (i32.const 1)";
/// Logs the counts that the callback is told: headers, body, trailers.
const COUNTS: &str =
    "(call $status (local.get 2)) (call $status (local.get 3)) (call $status (local.get 4))";
/// Logs the answer's status and body, in whatever context.
const READ: &str = "(i64.store (i32.const 16) (i64.const 0)) (call $status (call $get_header_map_value (i32.const 6) {:status} @R)) (call $show)
    (i64.store (i32.const 16) (i64.const 0)) (call $status (call $get_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 99) @R)) (call $show)";
const LET_GO: &str = "(drop (call $set_effective_context (i32.const 2))) (drop (call $continue_stream (i32.const 0)))";

fn options() -> VmOptions {
    VmOptions {
        clusters: ["idp".to_owned(), "other".to_owned()].into(),
        ..VmOptions::default()
    }
}

fn guest(callbacks: &[(&str, &str)]) -> Guest {
    Guest::with(callbacks, options(), plugin())
}

fn stop_iteration() -> PluginOptions {
    PluginOptions {
        allow_on_headers_stop_iteration: true,
        ..plugin()
    }
}

fn keys() -> Option<HttpCallResponse> {
    Some(HttpCallResponse {
        headers: headers(&[(":status", "200"), ("content-type", "application/json")]),
        body: b"{}".to_vec(),
        trailers: None,
    })
}

/// The only call there is.
fn call(guest: &mut Guest) -> HttpCall {
    let mut calls = guest.vm.take_calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.remove(0)
}

fn held(guest: &mut Guest) -> CallToken {
    let outcome = guest.vm.request_headers(guest.stream, request(), true);
    assert_eq!(outcome, Ok(Outcome::Pause));
    assert_eq!(guest.logs(), ["0"]);
    call(guest).token
}

#[test]
fn a_call_is_handed_over_and_its_answer_lets_a_held_request_go() {
    let answered = format!("{COUNTS} {READ} {LET_GO}");
    let mut guest = guest(&[(REQUEST_HEADERS, ASK), (ANSWER, &answered)]);
    let stream = guest.stream;
    let outcome = guest.vm.request_headers(stream, request(), true);
    assert_eq!(outcome, Ok(Outcome::Pause));
    let call = call(&mut guest);
    assert_eq!(call.plugin, guest.plugin);
    assert_eq!(call.cluster, "idp");
    let asked = [
        (":method", "GET"),
        (":path", "/keys"),
        (":authority", "idp.internal"),
        ("accept", "application/json"),
    ];
    assert_eq!(call.headers, headers(&asked));
    assert_eq!(
        (call.body.as_slice(), call.trailers.is_empty()),
        (&b""[..], true)
    );
    assert_eq!(call.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(guest.vm.take_calls(), [], "handed over once");
    assert_eq!(guest.vm.poll(stream), Ok(None));
    guest.logs();

    guest.vm.answer_call(call.token, keys()).expect("an answer");
    assert_eq!(guest.logs(), ["2", "2", "0", "0", "200", "0", "{}"]);
    assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Continue)));
    assert_eq!(guest.vm.poll(stream), Ok(None), "said once");
    assert_eq!(
        guest.vm.answer_call(call.token, keys()),
        Err(VmError::UnknownCall)
    );
}

#[test]
fn a_call_carries_a_body_and_trailers_and_its_answer_too() {
    let ask = "(drop (call $http_call {idp} {[:method=POST|:path=/introspect|host=idp|content-length=99]} {token=abc} {[x-sum=1]} (i32.const 0) @2)) (i32.const 0)";
    let answered = format!(
        "{COUNTS} (call $status (call $get_header_map_value (i32.const 7) {{x-sum}} @R)) (call $show)
         (call $status (call $add_header_map_value (i32.const 6) {{a}} {{b}}))
         (call $status (call $set_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 0) {{x}}))"
    );
    let mut guest = guest(&[(REQUEST_HEADERS, ask), (ANSWER, &answered)]);
    let outcome = guest.vm.request_headers(guest.stream, request(), true);
    assert_eq!(outcome, Ok(Outcome::Continue));
    let call = call(&mut guest);
    assert_eq!(call.headers.get(":authority"), Some(b"idp".as_slice()));
    assert_eq!(call.headers.get("content-length"), Some(b"9".as_slice()));
    assert_eq!(call.body, b"token=abc");
    assert_eq!(call.trailers, headers(&[("x-sum", "1")]));
    assert_eq!(call.timeout, None);
    let printed = format!("{call:?}");
    assert!(!printed.contains("abc"), "{printed}");
    let answer = HttpCallResponse {
        trailers: Some(headers(&[("x-sum", "2")])),
        ..HttpCallResponse::timed_out()
    };
    let printed = format!("{answer:?}");
    assert!(!printed.contains("upstream"), "{printed}");
    guest
        .vm
        .answer_call(call.token, Some(answer))
        .expect("an answer");
    assert_eq!(
        guest.logs(),
        ["3", "24", "1", "0", "2", "2", "2"],
        "it cannot be written"
    );
}

#[test]
fn a_call_that_failed_has_no_counts_and_a_status() {
    let status = "(call $status (call $get_status @2 @R)) (call $status (i32.load @2))";
    let answered = format!("{COUNTS} {status} (call $show) {READ}");
    let tick = format!("(i64.store (i32.const 16) (i64.const 0)) {status} (call $show)");
    let mut guest = guest(&[
        (REQUEST_HEADERS, ASK),
        (ANSWER, &answered),
        ("proxy_on_tick", &tick),
    ]);
    let token = held(&mut guest);
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(guest.logs(), ["0", "0", ""], "before any failure");
    guest.vm.answer_call(token, None).expect("an answer");
    assert_eq!(
        guest.logs(),
        ["0", "0", "0", "0", "11", "reset", "2", "", "1", ""]
    );
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(
        guest.logs(),
        ["0", "11", ""],
        "the code stays, the message goes"
    );
}

#[test]
fn what_envoys_router_answers_itself_is_no_failure() {
    for (answer, status) in [
        (HttpCallResponse::unreachable(), "503"),
        (HttpCallResponse::malformed(), "502"),
        (HttpCallResponse::timed_out(), "504"),
    ] {
        let read = "(call $status (local.get 2)) (drop (call $get_header_map_value (i32.const 6) {:status} @R)) (call $show)";
        let mut guest = guest(&[(REQUEST_HEADERS, ASK), (ANSWER, read)]);
        let token = held(&mut guest);
        guest
            .vm
            .answer_call(token, Some(answer))
            .expect("an answer");
        assert_eq!(guest.logs(), ["3", status]);
    }
}

#[test]
fn an_answer_can_be_read_while_its_callback_runs_and_no_longer() {
    let body = format!("{READ} (i32.const 0)");
    let elsewhere = format!("(drop (call $set_effective_context (i32.const 2))) {READ} {LET_GO}");
    let mut guest = guest(&[
        (REQUEST_HEADERS, ASK),
        (ANSWER, &elsewhere),
        ("proxy_on_request_body", &body),
        ("proxy_on_tick", READ),
    ]);
    let stream = guest.stream;
    let outcome = guest.vm.request_headers(stream, request(), false);
    assert_eq!(outcome, Ok(Outcome::Pause));
    let outcome = guest.vm.request_body(stream, b"x", true);
    assert_eq!(outcome, Ok(Outcome::Pause), "all iteration is stopped");
    let call = call(&mut guest);
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(guest.logs(), ["0", "2", "", "1", ""], "before it");
    guest.vm.answer_call(call.token, keys()).expect("an answer");
    let from_a_stream_of_the_root = ["0", "200", "0", "{}"];
    let while_resuming = ["2", "", "1", ""];
    assert_eq!(
        guest.logs(),
        [from_a_stream_of_the_root, while_resuming].concat()
    );
    assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Continue)));
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(guest.logs(), ["2", "", "1", ""], "after it");
}

#[test]
fn an_answer_can_refuse_a_held_request() {
    let deny = "(drop (call $set_effective_context (i32.const 2)))
        (drop (call $send_local_response (i32.const 503) {jwks.unavailable} {no} {} (i32.const -1)))";
    let mut guest = guest(&[
        (REQUEST_HEADERS, ASK),
        (ANSWER, deny),
        (
            "proxy_on_response_headers",
            "(call $status (local.get 0)) (i32.const 0)",
        ),
    ]);
    let stream = guest.stream;
    let token = held(&mut guest);
    guest.vm.answer_call(token, None).expect("an answer");
    assert_eq!(guest.logs(), ["2"], "its own response callbacks run");
    match guest.vm.poll(stream) {
        Ok(Some(Outcome::LocalReply { reply, response })) => {
            assert_eq!(
                (reply.status, reply.details.as_str()),
                (503, "jwks.unavailable")
            );
            assert_eq!(response.body, b"no");
        }
        other => panic!("no local reply: {other:?}"),
    }
    let request = guest.vm.stream(stream).expect("the stream");
    assert!(!request.request_headers_released());
}

#[test]
fn an_answer_outlives_the_stream_that_asked() {
    let answered =
        format!("{COUNTS} (call $status (call $set_effective_context (i32.const 2))) {LET_GO}");
    let mut guest = guest(&[(REQUEST_HEADERS, ASK), (ANSWER, &answered)]);
    let token = held(&mut guest);
    guest.vm.close(guest.stream).expect("a close");
    guest.vm.answer_call(token, keys()).expect("an answer");
    assert_eq!(
        guest.logs(),
        ["2", "2", "0", "2"],
        "the context is gone, the answer comes"
    );
    assert!(guest.vm.dead().is_none());
}

#[test]
fn an_answer_does_nothing_to_a_stream_that_is_over() {
    let twice = "(drop (call $set_effective_context (i32.const 2))) (drop (call $close_stream (i32.const 0)))";
    let and_on = format!("{twice} {LET_GO}");
    let mut guest = guest(&[
        (REQUEST_HEADERS, ASK),
        ("proxy_on_tick", twice),
        (ANSWER, &and_on),
        ("proxy_on_request_body", "(unreachable)"),
    ]);
    let stream = guest.stream;
    let outcome = guest.vm.request_headers(stream, request(), false);
    assert_eq!(outcome, Ok(Outcome::Pause));
    assert_eq!(
        guest.vm.request_body(stream, b"x", true),
        Ok(Outcome::Pause)
    );
    let call = call(&mut guest);
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Reset)));
    guest.vm.answer_call(call.token, keys()).expect("an answer");
    assert_eq!(guest.vm.poll(stream), Ok(None));
}

#[test]
fn calls_are_answered_in_any_order() {
    let ask = "(drop (call $http_call {idp} {[:method=GET|:path=/1|:authority=a]} {} {} (i32.const 9) @2)) (call $status (i32.load @2))
        (drop (call $http_call {other} {[:method=GET|:path=/2|:authority=a]} {} {} (i32.const 9) @2)) (call $status (i32.load @2)) (i32.const 1)";
    let mut guest = guest(&[
        (REQUEST_HEADERS, ask),
        (
            ANSWER,
            "(call $status (local.get 1)) (call $status (local.get 2))",
        ),
    ]);
    let outcome = guest.vm.request_headers(guest.stream, request(), true);
    assert_eq!(outcome, Ok(Outcome::Pause));
    assert_eq!(guest.logs(), ["4", "8"]);
    let calls = guest.vm.take_calls();
    let clusters: Vec<&str> = calls.iter().map(|call| call.cluster.as_str()).collect();
    assert_eq!(clusters, ["idp", "other"]);
    guest
        .vm
        .answer_call(calls[1].token, keys())
        .expect("an answer");
    guest
        .vm
        .answer_call(calls[0].token, None)
        .expect("an answer");
    assert_eq!(guest.logs(), ["8", "2", "4", "0"]);
    assert_eq!(guest.vm.poll(guest.stream), Ok(None), "it still waits");
}

#[test]
fn ticks_and_answers_make_calls_too() {
    let ask = "(call $status (call $http_call {idp} {[:method=GET|:path=/|:authority=a]} {} {} (i32.const 9) @2))";
    let mut guest = guest(&[("proxy_on_tick", ask), (ANSWER, ask)]);
    guest.vm.tick(guest.plugin).expect("a tick");
    let first = call(&mut guest);
    guest
        .vm
        .answer_call(first.token, keys())
        .expect("an answer");
    let second = call(&mut guest);
    assert_ne!(first.token, second.token);
    assert_eq!(guest.logs(), ["0", "0"]);
}

#[test]
fn a_trap_in_an_answer_kills_the_vm_and_its_calls() {
    let ask_again = "(drop (call $http_call {idp} {[:method=GET|:path=/|:authority=a]} {} {} (i32.const 9) @2)) (unreachable)";
    let mut guest = guest(&[(REQUEST_HEADERS, ASK), (ANSWER, ask_again)]);
    let token = held(&mut guest);
    match guest.vm.answer_call(token, keys()) {
        Err(VmError::Trap { callback, .. }) => assert_eq!(callback, ANSWER),
        other => panic!("no trap: {other:?}"),
    }
    assert!(guest.vm.dead().is_some());
    assert_eq!(guest.vm.take_calls(), []);
    let after = guest.vm.answer_call(token, keys());
    assert!(matches!(after, Err(VmError::Dead(_))), "{after:?}");
}

#[test]
fn a_plugins_calls_end_with_it() {
    let mut guest = guest(&[(REQUEST_HEADERS, ASK), (ANSWER, COUNTS)]);
    let taken = held(&mut guest);
    let stream = guest
        .vm
        .open_stream(guest.plugin, Properties::new())
        .expect("a stream");
    let outcome = guest.vm.request_headers(stream, request(), true);
    assert_eq!(outcome, Ok(Outcome::Pause));
    guest.logs();
    assert_eq!(guest.vm.shutdown(guest.plugin), Ok(true));
    assert_eq!(guest.vm.take_calls(), []);
    assert_eq!(
        guest.vm.answer_call(taken, keys()),
        Err(VmError::UnknownCall)
    );
    assert_eq!(guest.logs(), [""; 0]);
    assert!(guest.vm.dead().is_none());
}

#[test]
fn a_plugin_that_waits_to_end_is_answered_and_may_end_then() {
    let mut guest = guest(&[
        ("proxy_on_tick", ASK.trim_end_matches(" (i32.const 1)")),
        ("proxy_on_done", "(i32.const 0)"),
        (ANSWER, "(call $status (call $done))"),
    ]);
    guest.vm.tick(guest.plugin).expect("a tick");
    let call = call(&mut guest);
    assert_eq!(guest.vm.shutdown(guest.plugin), Ok(false));
    guest.vm.answer_call(call.token, keys()).expect("an answer");
    assert_eq!(guest.logs(), ["0", "0"]);
    assert_eq!(guest.vm.tick(guest.plugin), Err(VmError::UnknownPlugin));
}

#[test]
fn a_guest_that_takes_no_answers_is_none_the_worse() {
    let mut guest = guest(&[(REQUEST_HEADERS, ASK)]);
    let token = held(&mut guest);
    assert_eq!(guest.vm.answer_call(token, keys()), Ok(()));
    assert_eq!(guest.vm.poll(guest.stream), Ok(None));
}

/// What the filter is shown of a request that waits, and what of it went on, where an answer lets it go.
#[test]
fn a_cluster_is_unknown_unless_it_is_named() {
    let mut guest = Guest::new(&[(REQUEST_HEADERS, ASK)]);
    let outcome = guest.vm.request_headers(guest.stream, Headers::new(), true);
    assert_eq!(outcome, Ok(Outcome::Pause));
    assert_eq!(guest.logs(), ["2"]);
    assert_eq!(guest.vm.take_calls(), []);
}
