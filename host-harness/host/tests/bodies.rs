//! Bodies that a filter holds: what each callback is shown of them, where they end, and what becomes of those that are
//! larger than Envoy's buffer. As Envoy 1.40 does it, tried there with a filter that does the same.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod guest;

use guest::{Guest, headers, plugin, request, response};
use portcullis_host::{LocalReply, Outcome, PluginOptions, VmError, VmOptions};

/// Logs the callback's size and whether it is the last, and a window of the body that begins at its third byte and
/// reaches over its end; then answers 1 until the last one.
const HOLD: &str = "(call $status (local.get 1)) (call $status (local.get 2))
    (i32.store (i32.const 20) (i32.const 0))
    (drop (call $get_buffer_bytes (i32.const 0) (i32.const 2) (i32.const 99) @R)) (call $show)
    (i32.eqz (local.get 2))";

const PAUSE: (&str, &str) = ("proxy_on_request_headers", "(i32.const 1)");

fn stop_iteration() -> PluginOptions {
    PluginOptions {
        allow_on_headers_stop_iteration: true,
        ..plugin()
    }
}

fn holding(callbacks: &[(&str, &str)], buffer_limit_bytes: usize) -> Guest {
    let options = VmOptions {
        buffer_limit_bytes,
        ..VmOptions::default()
    };
    let mut guest = Guest::with(callbacks, options, stop_iteration());
    let paused = guest.vm.request_headers(guest.stream, request(), false);
    assert_eq!(paused, Ok(Outcome::Pause));
    guest
}

fn replied(outcome: Result<Outcome, VmError>) -> LocalReply {
    match outcome {
        Ok(Outcome::LocalReply { reply, .. }) => reply,
        other => panic!("no local reply: {other:?}"),
    }
}

#[test]
fn while_it_is_held_each_callback_is_shown_all_of_it() {
    let mut guest = holding(&[PAUSE, ("proxy_on_request_body", HOLD)], 99);
    let stream = guest.stream;
    for (chunk, last, shown) in [
        (&b"abc"[..], false, ["3", "0", "c"]),
        (b"defg", false, ["7", "0", "cdefg"]),
        // An empty frame of HTTP/2.
        (b"", false, ["7", "0", "cdefg"]),
    ] {
        let outcome = guest.vm.request_body(stream, chunk, last);
        assert_eq!(outcome, Ok(Outcome::Pause));
        assert_eq!(guest.logs(), shown);
        let released = guest.vm.stream(stream).expect("a stream");
        assert!(!released.request_headers_released());
        assert_eq!(guest.vm.take_request_body(stream), Ok(Vec::new()));
    }
    // Over HTTP/1.1 the end is a callback of its own.
    let outcome = guest.vm.request_body(stream, b"", true);
    assert_eq!(outcome, Ok(Outcome::Continue));
    assert_eq!(guest.logs(), ["7", "1", "cdefg"]);
    assert_eq!(guest.vm.take_request_body(stream), Ok(b"abcdefg".to_vec()));
}

#[test]
fn what_went_on_is_not_shown_again() {
    let show = "(call $status (local.get 1)) (call $status (local.get 2)) (i32.const 0)";
    let mut guest = Guest::new(&[("proxy_on_request_body", show)]);
    let stream = guest.stream;
    let outcome = guest.vm.request_headers(stream, request(), false);
    assert_eq!(outcome, Ok(Outcome::Continue));
    for (chunk, last) in [(&b"abc"[..], false), (b"de", false), (b"", true)] {
        let outcome = guest.vm.request_body(stream, chunk, last);
        assert_eq!(outcome, Ok(Outcome::Continue));
    }
    assert_eq!(guest.logs(), ["3", "0", "2", "0", "0", "1"]);
}

#[test]
fn trailers_are_the_end_and_the_body_is_held_until_they_go_on() {
    let trailers =
        "(drop (call $get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 99) @R)) (call $show)
        (call $status (call $add_header_map_value (i32.const 0) {x-late} {yes})) (i32.const 0)";
    let held = "(call $status (local.get 2)) (i32.const 1)";
    let callbacks = [
        PAUSE,
        ("proxy_on_request_body", held),
        ("proxy_on_request_trailers", trailers),
    ];
    let mut guest = holding(&callbacks, 99);
    let stream = guest.stream;
    let outcome = guest.vm.request_body(stream, b"abc", false);
    assert_eq!(outcome, Ok(Outcome::Pause));
    let outcome = guest
        .vm
        .request_trailers(stream, headers(&[("x-sum", "1")]));
    assert_eq!(outcome, Ok(Outcome::Continue));
    assert_eq!(
        guest.logs(),
        ["0", "abc", "0"],
        "no body callback says that it is the last"
    );
    assert_eq!(guest.vm.take_request_body(stream), Ok(b"abc".to_vec()));
    let sent = guest.vm.stream(stream).expect("a stream").request_headers();
    assert_eq!(sent.get("x-late"), Some(&b"yes"[..]));
}

/// The body's own last callback, or trailers: with paused headers, what Envoy sends is decided there.
#[test]
fn headers_are_writable_until_the_end_of_a_held_body() {
    let write = "(call $status (call $add_header_map_value (i32.const 0) {x-late} {yes})) (i32.eqz (local.get 2))";
    let mut guest = holding(&[PAUSE, ("proxy_on_request_body", write)], 99);
    let outcome = guest.vm.request_body(guest.stream, b"abc", true);
    assert_eq!(outcome, Ok(Outcome::Continue));
    assert_eq!(guest.logs(), ["0"]);
    let sent = guest.vm.stream(guest.stream).expect("a stream");
    assert_eq!(sent.request_headers().get("x-late"), Some(&b"yes"[..]));
}

#[test]
fn a_piece_that_overflows_what_is_held_is_shown_and_envoy_answers() {
    let deny =
        "(drop (call $send_local_response (i32.const 400) {why} {no} {=00000000} (i32.const -1)))";
    for answer in [
        "(i32.const 1)",
        "(i32.const 0)",
        &format!("{deny} (i32.const 1)"),
    ] {
        let body = format!(
            "(call $status (local.get 1)) (if (i32.lt_u (local.get 1) (i32.const 7)) (then (return (i32.const 1)))) {answer}"
        );
        let mut guest = holding(&[PAUSE, ("proxy_on_request_body", &body)], 6);
        let outcome = guest.vm.request_body(guest.stream, b"abcdef", false);
        assert_eq!(outcome, Ok(Outcome::Pause));
        let reply = replied(guest.vm.request_body(guest.stream, b"g", true));
        assert_eq!(guest.logs(), ["6", "7"]);
        let said = (reply.status, reply.details.as_str());
        assert_eq!(said, (413, "request_payload_too_large"), "{answer}");
    }
}

#[test]
fn of_a_first_piece_that_is_too_large_the_filter_decides() {
    let deny = "(drop (call $send_local_response (i32.const 400) {why} {no} {=00000000} (i32.const -1))) (i32.const 1)";
    let mut guest = holding(&[PAUSE, ("proxy_on_request_body", deny)], 6);
    let reply = replied(guest.vm.request_body(guest.stream, b"abcdefg", true));
    assert_eq!((reply.status, reply.details.as_str()), (400, "why"));

    let mut guest = holding(&[PAUSE, ("proxy_on_request_body", "(i32.const 0)")], 6);
    let outcome = guest.vm.request_body(guest.stream, b"abcdefg", true);
    assert_eq!(outcome, Ok(Outcome::Continue));

    let mut guest = holding(&[PAUSE, ("proxy_on_request_body", "(i32.const 1)")], 6);
    let reply = replied(guest.vm.request_body(guest.stream, b"abcdefg", true));
    assert_eq!(reply.status, 413);
}

/// Without `allow_on_headers_stop_iteration` a filter that waits for the body with its headers held waits for ever.
#[test]
fn without_the_flag_no_body_callback_comes_while_headers_are_held() {
    let callbacks = [
        PAUSE,
        ("proxy_on_request_body", HOLD),
        ("proxy_on_request_trailers", "(i32.const 0)"),
    ];
    let mut guest = Guest::with(&callbacks, VmOptions::default(), plugin());
    let stream = guest.stream;
    let paused = Ok(Outcome::Pause);
    assert_eq!(guest.vm.request_headers(stream, request(), false), paused);
    assert_eq!(guest.vm.request_body(stream, b"abc", false), paused);
    let trailers = headers(&[("x-sum", "1")]);
    assert_eq!(guest.vm.request_trailers(stream, trailers), paused);
    assert_eq!(guest.logs(), [""; 0]);
}

#[test]
fn held_bytes_are_bounded_while_everything_is_stopped() {
    let options = VmOptions {
        buffer_limit_bytes: 4,
        ..VmOptions::default()
    };
    let mut guest = Guest::with(
        &[("proxy_on_request_headers", "(i32.const 1)")],
        options,
        plugin(),
    );
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), false),
        Ok(Outcome::Pause)
    );
    assert_eq!(
        guest.vm.request_body(guest.stream, b"abcd", false),
        Ok(Outcome::Pause)
    );
    let error = VmError::Backpressure { held: 5, limit: 4 };
    assert_eq!(guest.vm.request_body(guest.stream, b"e", true), Err(error));
}

#[test]
fn a_body_that_is_held_piles_up_and_past_the_limit_is_a_413() {
    let options = VmOptions {
        buffer_limit_bytes: 6,
        ..VmOptions::default()
    };
    let mut guest = Guest::with(
        &[(
            "proxy_on_request_body",
            "(call $status (local.get 1)) (i32.const 1)",
        )],
        options,
        plugin(),
    );
    let stream = guest.stream;
    assert_eq!(
        guest.vm.request_headers(stream, request(), false),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.request_body(stream, b"abc", false),
        Ok(Outcome::Pause)
    );
    assert_eq!(
        guest.vm.request_body(stream, b"def", false),
        Ok(Outcome::Pause)
    );
    assert_eq!(guest.logs(), ["3", "6"]);
    let reply = replied(guest.vm.request_body(stream, b"g", true));
    assert_eq!(
        (reply.status, reply.details.as_str()),
        (413, "request_payload_too_large")
    );
}

#[test]
fn a_body_can_be_read_and_rewritten() {
    let mut guest = Guest::new(&[(
        "proxy_on_response_body",
        "(drop (call $get_buffer_bytes (i32.const 1) (i32.const 1) (i32.const 9) @R)) (call $show)
         (call $status (call $set_buffer_bytes (i32.const 1) (i32.const 1) (i32.const 0) {x}))
         (call $status (call $set_buffer_bytes (i32.const 1) (i32.const 0) (i32.const 2) {X}))
         (call $status (call $set_buffer_bytes (i32.const 1) (i32.const 9) (i32.const 0) {!}))
         (i32.const 0)",
    )]);
    let stream = guest.stream;
    assert_eq!(
        guest.vm.request_headers(stream, request(), true),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.response_headers(stream, response(), false),
        Ok(Outcome::Continue)
    );
    assert_eq!(
        guest.vm.response_body(stream, b"abc", true),
        Ok(Outcome::Continue)
    );
    assert_eq!(guest.logs(), ["bc", "2", "0", "0"]);
    assert_eq!(guest.vm.take_response_body(stream), Ok(b"Xc!".to_vec()));
}

#[test]
fn a_body_callback_that_continues_releases_paused_headers() {
    let mut guest = Guest::with(
        &[
            ("proxy_on_request_headers", "(i32.const 1)"),
            ("proxy_on_request_body", "(i32.const 0)"),
        ],
        VmOptions::default(),
        stop_iteration(),
    );
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), false),
        Ok(Outcome::Pause)
    );
    assert_eq!(
        guest.vm.request_body(guest.stream, b"", true),
        Ok(Outcome::Continue)
    );
}
