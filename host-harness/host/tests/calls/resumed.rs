//! A request that waited, and what of it goes on when it is let go.

use super::*;

#[test]
fn a_request_that_waits_goes_on_whole() {
    // Body callbacks log the size and whether it is the last one, and go on waiting until the answer came; trailers too.
    const WAIT: &str = "(i32.eqz (i32.load (i32.const 48)))";
    let answered = format!("(i32.store (i32.const 48) (i32.const 1)) {LET_GO}");
    let body = format!("(call $status (local.get 1)) (call $status (local.get 2)) {WAIT}");
    let trailers = format!("(call $status (local.get 1)) {WAIT}");
    type Parts = (&'static [&'static [u8]], bool);
    let whole: [(&str, Parts, &[&str], &[&str]); 5] = [
        ("no body", (&[], false), &[], &[]),
        ("a body", (&[b"abc"], false), &["3", "1"], &["3", "1"]),
        (
            "chunks",
            (&[b"abc", b"de", b""], false),
            &["3", "0", "5", "0", "5", "1"],
            &["5", "1"],
        ),
        (
            "a body and trailers",
            (&[b"abc", b"de"], true),
            &["3", "0", "5", "0", "1"],
            &["5", "0", "1"],
        ),
        ("trailers alone", (&[], true), &["1"], &["1"]),
    ];
    for (name, (chunks, trailing), shown, shown_late) in whole {
        for (plugin, before, after) in [
            // `StopIteration`: body callbacks arrive while headers wait, and none comes after the answer.
            (stop_iteration(), shown, &[][..]),
            // `StopAllIterationAndWatermark`: what waited unseen is shown at once, then.
            (plugin(), &[][..], shown_late),
        ] {
            let case = format!("{name}, {}", plugin.allow_on_headers_stop_iteration);
            let callbacks = [
                (REQUEST_HEADERS, ASK),
                (ANSWER, &answered),
                ("proxy_on_request_body", &body),
                ("proxy_on_request_trailers", &trailers),
            ];
            let mut guest = Guest::with(&callbacks, options(), plugin);
            let stream = guest.stream;
            let end = chunks.is_empty() && !trailing;
            let outcome = guest.vm.request_headers(stream, request(), end);
            assert_eq!(outcome, Ok(Outcome::Pause), "{case}");
            guest.logs();
            for (index, chunk) in chunks.iter().enumerate() {
                let end = index + 1 == chunks.len() && !trailing;
                let outcome = guest.vm.request_body(stream, chunk, end);
                assert_eq!(outcome, Ok(Outcome::Pause), "{case}");
            }
            if trailing {
                let outcome = guest.vm.request_trailers(stream, headers(&[("a", "b")]));
                assert_eq!(outcome, Ok(Outcome::Pause), "{case}");
            }
            assert_eq!(guest.logs(), before, "{case}");
            assert_eq!(guest.vm.take_request_body(stream), Ok(Vec::new()), "{case}");
            let waiting = guest.vm.stream(stream).expect("the stream");
            assert!(!waiting.request_headers_released(), "{case}");

            let token = call(&mut guest).token;
            guest.vm.answer_call(token, keys()).expect("an answer");
            assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Continue)), "{case}");
            assert_eq!(guest.logs(), after, "{case}");
            let released = guest.vm.take_request_body(stream);
            assert_eq!(released, Ok(chunks.concat()), "{case}");
            let waited = guest.vm.stream(stream).expect("the stream");
            assert!(waited.request_headers_released(), "{case}");
            assert_eq!(waited.request_trailers().is_some(), trailing, "{case}");
        }
    }
}

#[test]
fn a_request_let_go_in_the_middle_of_its_body_streams_the_rest() {
    let body = "(call $status (local.get 1)) (call $status (local.get 2)) (i32.eqz (i32.load (i32.const 48)))";
    let answered = format!("(i32.store (i32.const 48) (i32.const 1)) {LET_GO}");
    for (plugin, shown) in [
        (stop_iteration(), ["3", "0", "2", "1"].as_slice()),
        (plugin(), &["3", "0", "2", "1"]),
    ] {
        let callbacks = [
            (REQUEST_HEADERS, ASK),
            (ANSWER, &answered),
            ("proxy_on_request_body", body),
        ];
        let mut guest = Guest::with(&callbacks, options(), plugin);
        let stream = guest.stream;
        let outcome = guest.vm.request_headers(stream, request(), false);
        assert_eq!(outcome, Ok(Outcome::Pause));
        guest.logs();
        let outcome = guest.vm.request_body(stream, b"abc", false);
        assert_eq!(outcome, Ok(Outcome::Pause));
        let token = call(&mut guest).token;
        guest.vm.answer_call(token, keys()).expect("an answer");
        assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Continue)));
        assert_eq!(guest.vm.take_request_body(stream), Ok(b"abc".to_vec()));
        let outcome = guest.vm.request_body(stream, b"de", true);
        assert_eq!(outcome, Ok(Outcome::Continue));
        assert_eq!(guest.vm.take_request_body(stream), Ok(b"de".to_vec()));
        assert_eq!(guest.logs(), shown);
    }
}

#[test]
fn a_body_that_is_held_after_its_headers_were_let_go_is_a_pause_and_the_headers_are_gone() {
    let mut guest = guest(&[
        (REQUEST_HEADERS, ASK),
        (ANSWER, LET_GO),
        ("proxy_on_request_body", "(i32.const 1)"),
    ]);
    let stream = guest.stream;
    let outcome = guest.vm.request_headers(stream, request(), false);
    assert_eq!(outcome, Ok(Outcome::Pause));
    let outcome = guest.vm.request_body(stream, b"abc", true);
    assert_eq!(outcome, Ok(Outcome::Pause));
    let token = call(&mut guest).token;
    guest.vm.answer_call(token, keys()).expect("an answer");
    assert_eq!(guest.vm.poll(stream), Ok(Some(Outcome::Pause)));
    let held = guest.vm.stream(stream).expect("the stream");
    assert!(held.request_headers_released());
    assert_eq!(guest.vm.take_request_body(stream), Ok(Vec::new()));
}
