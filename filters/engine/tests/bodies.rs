//! Bodies piece by piece, in orders that no host shows on demand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_engine::{
    Attributes, BodyCheck, Gate, Incoming, Moment, Reason, Request, Step, content_digest,
};
use serde_json::json;

const BODY: &[u8] = b"0123456789";

/// The gate, asked about the headers of a request whose body is to come.
fn with_headers<T>(
    hold: &str,
    length: &str,
    ask: impl FnOnce(&Gate, &Request<'_>, &Moment<'_>) -> T,
) -> T {
    let document = json!({
        "policy": {"modules": {"a.rego": "package envoy.authz\n\nallow := true"}},
        "body": {"digest": "required", "hold": hold, "max_bytes": 20},
    });
    let gate = Gate::load(document.to_string().as_bytes(), &|_: &str| None).unwrap();
    let digest = content_digest(BODY);
    let headers: [(&str, &[u8]); 5] = [
        (":method", b"POST"),
        (":path", b"/"),
        (":authority", b"gate.test"),
        ("content-length", length.as_bytes()),
        ("content-digest", digest.as_bytes()),
    ];
    let request = Request {
        headers: &headers,
        attributes: Attributes::default(),
        body: Incoming::Coming,
    };
    let moment = Moment {
        now_ns: 1_790_000_000_000_000_000,
        decision_id: "d",
    };
    ask(&gate, &request, &moment)
}

fn passing(gate: &Gate, request: &Request<'_>, moment: &Moment<'_>) -> BodyCheck {
    match gate.step(request, moment, None) {
        Step::Passing(_, check) => *check,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_came_before_a_body_passes_is_judged_first() {
    for (came, wanted) in [
        (&b"012345678X"[..], Some(Reason::DigestMismatch)),
        (b"0123456789ab", Some(Reason::BodyTruncated)),
        (&[b'x'; 21], Some(Reason::BodyTooLarge)),
        (b"01234", None),
        (BODY, None),
    ] {
        with_headers("stream", "10", |gate, request, moment| {
            let check = passing(gate, request, moment);
            let mut reader = gate.body_reader(request).unwrap();
            reader.push(came);
            assert_eq!(check.of(reader).err(), wanted, "{came:?}");
        });
    }
}

#[test]
fn the_last_byte_does_not_pass_unless_all_are_right() {
    for (pieces, wanted) in [
        (vec![&b"01234"[..], b"56789"], Ok(())),
        (vec![b"01234", b"5678X"], Err(Reason::DigestMismatch)),
        (vec![b"01234", b"56789", b"x"], Err(Reason::BodyTruncated)),
        (vec![b"01234"], Err(Reason::BodyTruncated)),
    ] {
        let found = with_headers("stream", "10", |gate, request, moment| {
            let mut check = passing(gate, request, moment);
            pieces.iter().try_for_each(|piece| check.push(piece))?;
            check.finish()
        });
        assert_eq!(found, wanted, "{pieces:?}");
    }
}

#[test]
fn a_length_that_no_number_holds_is_too_much() {
    for length in ["21", "99999999999999999999999"] {
        let step = with_headers("headers", length, |gate, request, moment| {
            gate.step(request, moment, None)
        });
        let Step::Decided(decision) = step else {
            panic!("{step:?}");
        };
        assert_eq!(decision.record.reason, Reason::BodyTooLarge, "{length}");
    }
}
