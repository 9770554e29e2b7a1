//! Streams: what pauses, what releases, local replies, and what Envoy would let break.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod guest;

use guest::{Guest, headers, request, response};
use portcullis_host::{Breach, Headers, LocalReply, Outcome, Properties, Response, VmError};

const DENY: &str = "(drop (call $send_local_response (i32.const 403) {not allowed here} {no} {=010000000300000001000000787779007600} (i32.const -1))) (i32.const 1)";

fn replied(outcome: Outcome) -> (LocalReply, Response) {
    match outcome {
        Outcome::LocalReply { reply, response } => (reply, response),
        other => panic!("no local reply: {other:?}"),
    }
}

#[test]
fn headers_are_readable_only_until_they_went_on() {
    let pairs = "(drop (call $get_header_map_pairs (i32.const 0) @R)) (call $status (i32.load (i32.const 20)))";
    let mut guest = Guest::new(&[
        ("proxy_on_request_headers", "(i32.const 0)"),
        ("proxy_on_request_body", &format!("{pairs} (i32.const 0)")),
    ]);
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), false),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.request_body(guest.stream, b"x", true),
        Ok(Outcome::Continue)
    );
    assert_eq!(guest.logs(), ["0"]);
}

#[test]
fn a_pause_on_headers_stops_everything_by_default() {
    let mut guest = Guest::new(&[
        (
            "proxy_on_request_headers",
            "(drop (call $set_tick_period_milliseconds (i32.const 5))) (i32.const 1)",
        ),
        (
            "proxy_on_request_body",
            "(call $status (local.get 1)) (call $status (local.get 2)) (i32.const 0)",
        ),
        (
            "proxy_on_tick",
            "(drop (call $set_effective_context (i32.const 2))) (drop (call $continue_stream (i32.const 0)))",
        ),
    ]);
    let stream = guest.stream;
    assert_eq!(
        guest.vm.request_headers(stream, request(), false),
        Ok(Outcome::Pause)
    );
    assert_eq!(
        guest.vm.request_body(stream, b"abc", false),
        Ok(Outcome::Pause)
    );
    assert_eq!(
        guest.vm.request_body(stream, b"de", true),
        Ok(Outcome::Pause)
    );
    assert_eq!(guest.logs(), [""; 0], "the body waits unseen");
    assert_eq!(
        guest.vm.tick_period(guest.plugin),
        Some(std::time::Duration::from_millis(5))
    );
    assert_eq!(guest.vm.poll(stream), Ok(None));
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Continue)));
    assert_eq!(
        guest.logs(),
        ["5", "1"],
        "the whole body at once, and it is the last"
    );
    assert_eq!(guest.vm.take_request_body(stream), Ok(b"abcde".to_vec()));
}

#[test]
fn trailers_can_be_held_and_added() {
    let mut guest = Guest::new(&[
        (
            "proxy_on_request_trailers",
            "(call $status (local.get 1)) (i32.const 1)",
        ),
        (
            "proxy_on_response_body",
            "(call $status (call $add_header_map_value (i32.const 3) {x-sum} {1})) (i32.const 0)",
        ),
    ]);
    let stream = guest.stream;
    assert_eq!(
        guest.vm.request_headers(stream, request(), false),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.request_trailers(stream, headers(&[("a", "b")])),
        Ok(Outcome::Pause)
    );
    assert_eq!(
        guest.vm.response_headers(stream, response(), false),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.response_body(stream, b"abc", true),
        Ok(Outcome::Continue)
    );
    assert_eq!(guest.logs(), ["1", "0"]);
    let stream = guest.vm.stream(stream).expect("the stream");
    assert_eq!(
        stream.response_trailers(),
        Some(&headers(&[("x-sum", "1")]))
    );
}

#[test]
fn a_local_reply_runs_through_the_filters_own_response_callbacks() {
    let mut guest = Guest::new(&[
        ("proxy_on_request_headers", DENY),
        (
            "proxy_on_response_headers",
            "(call $status (local.get 2)) (drop (call $add_header_map_value (i32.const 2) {x-reason} {r})) (i32.const 0)",
        ),
        (
            "proxy_on_response_body",
            "(call $status (local.get 1)) (i32.const 0)",
        ),
        (
            "proxy_on_log",
            "(drop (call $get_header_map_value (i32.const 2) {:status} @R)) (call $show) (call $status (call $add_header_map_value (i32.const 2) {a} {b}))",
        ),
    ]);
    let stream = guest.stream;
    let outcome = guest
        .vm
        .request_headers(stream, request(), false)
        .expect("an outcome");
    let (reply, response) = replied(outcome);
    assert_eq!(
        (reply.status, reply.details.as_str(), reply.grpc_status),
        (403, "not_allowed_here", None)
    );
    let expected = [
        (":status", "403"),
        ("xwy", "v"),
        ("content-length", "2"),
        ("content-type", "text/plain"),
        ("x-reason", "r"),
    ];
    assert_eq!(
        (response.headers, response.body),
        (headers(&expected), b"no".to_vec())
    );
    assert!(matches!(
        guest.vm.request_body(stream, b"late", true),
        Err(VmError::OutOfOrder { .. })
    ));
    guest.vm.log(stream).expect("a log");
    assert_eq!(guest.logs(), ["0", "2", "403", "2"]);
}

#[test]
fn a_local_reply_can_be_held_by_the_filters_own_callbacks() {
    let mut guest = Guest::new(&[
        ("proxy_on_request_headers", DENY),
        ("proxy_on_response_headers", "(i32.const 1)"),
        (
            "proxy_on_tick",
            "(drop (call $set_effective_context (i32.const 2))) (drop (call $continue_stream (i32.const 1)))",
        ),
    ]);
    let stream = guest.stream;
    assert_eq!(
        guest.vm.request_headers(stream, request(), true),
        Ok(Outcome::Pause)
    );
    guest.vm.tick(guest.plugin).expect("a tick");
    let outcome = guest
        .vm
        .poll(stream)
        .expect("the stream")
        .expect("an outcome");
    assert_eq!(replied(outcome).1.body, b"no");
}

#[test]
fn a_local_reply_after_the_response_began() {
    let mut guest = Guest::new(&[("proxy_on_response_headers", DENY)]);
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), true),
        Ok(Outcome::Continue)
    );
    let outcome = guest
        .vm
        .response_headers(guest.stream, response(), false)
        .expect("an outcome");
    assert_eq!(
        replied(outcome).1.status(),
        Some(403),
        "its headers are still held"
    );

    let mut guest = Guest::new(&[("proxy_on_response_body", DENY)]);
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), true),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.response_headers(guest.stream, response(), false),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.response_body(guest.stream, b"x", true),
        Ok(Outcome::Reset)
    );
}

#[test]
fn what_would_break_the_wire_is_an_outcome_of_its_own() {
    let reply = |status: u32| {
        format!(
            "(drop (call $send_local_response (i32.const {status}) {{}} {{}} {{}} (i32.const -1))) (i32.const 1)"
        )
    };
    let cases = [
        ("status 0", reply(0), Breach::LocalReplyStatus(0)),
        ("status 101", reply(101), Breach::LocalReplyStatus(101)),
        ("status 1000", reply(1000), Breach::LocalReplyStatus(1000)),
        ("twice", format!("{} (drop) {}", reply(403), reply(403)), Breach::SecondLocalReply),
        (
            "a line break in a request header",
            "(drop (call $add_header_map_value (i32.const 0) {x-user} {=610D0A62})) (i32.const 0)".to_owned(),
            Breach::HeaderValue { name: "x-user".to_owned() },
        ),
        (
            "a line break in a local reply",
            "(drop (call $send_local_response (i32.const 403) {} {} {=01000000010000000100000078000A00} (i32.const -1))) (i32.const 1)".to_owned(),
            Breach::HeaderValue { name: "x".to_owned() },
        ),
        (
            "a name with a space",
            "(drop (call $replace_header_map_value (i32.const 0) {x y} {a})) (i32.const 0)".to_owned(),
            Breach::HeaderName { name: "x y".to_owned() },
        ),
    ];
    for (name, body, breach) in cases {
        let mut guest = Guest::new(&[("proxy_on_request_headers", &body)]);
        let outcome = guest.vm.request_headers(guest.stream, request(), true);
        assert_eq!(outcome, Ok(Outcome::Broken(breach)), "{name}");
    }
}

#[test]
fn a_reply_whose_status_its_own_callbacks_spoil_is_broken() {
    let mut guest = Guest::new(&[
        ("proxy_on_request_headers", DENY),
        (
            "proxy_on_response_headers",
            "(drop (call $add_header_map_value (i32.const 2) {:status} {200})) (i32.const 0)",
        ),
    ]);
    let outcome = guest.vm.request_headers(guest.stream, request(), true);
    assert_eq!(outcome, Ok(Outcome::Broken(Breach::ResponseStatus)));
}

#[test]
fn a_closed_stream_is_reset() {
    let mut guest = Guest::new(&[(
        "proxy_on_request_headers",
        "(drop (call $close_stream (i32.const 0))) (i32.const 1)",
    )]);
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), true),
        Ok(Outcome::Reset)
    );
}

#[test]
fn edits_and_filter_state_are_readable_from_outside() {
    let mut guest = Guest::new(&[(
        "proxy_on_request_headers",
        "(drop (call $set_property {portcullis} {allowed})) (drop (call $replace_header_map_value (i32.const 0) {x-user} {alice})) (i32.const 0)",
    )]);
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), true),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.filter_state(guest.stream, "wasm.portcullis"),
        Some(b"allowed".as_slice())
    );
    assert_eq!(guest.vm.filter_state(guest.stream, "portcullis"), None);
    let stream = guest.vm.stream(guest.stream).expect("the stream");
    assert_eq!(
        stream.request_headers().get("x-user"),
        Some(b"alice".as_slice())
    );
}

#[test]
fn streams_end_with_done_and_delete_and_are_gone() {
    let mut guest = Guest::new(&[
        (
            "proxy_on_done",
            "(call $status (local.get 0)) (i32.const 0)",
        ),
        ("proxy_on_delete", "(call $status (local.get 0))"),
    ]);
    guest.vm.close(guest.stream).expect("a close");
    assert_eq!(guest.logs(), ["2", "2"]);
    assert_eq!(guest.vm.close(guest.stream), Err(VmError::UnknownStream));
    let next = guest
        .vm
        .open_stream(guest.plugin, Properties::new())
        .expect("a stream");
    assert!(matches!(
        guest.vm.request_body(next, b"", true),
        Err(VmError::OutOfOrder {
            wanted: "headers",
            ..
        })
    ));
}

#[test]
fn a_guest_without_callbacks_lets_everything_pass() {
    let mut guest = Guest::new(&[]);
    assert_eq!(
        guest.vm.request_headers(guest.stream, Headers::new(), true),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.response_headers(guest.stream, response(), true),
        Ok(Outcome::Continue)
    );
}
