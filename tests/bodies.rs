//! Bodies of every shape in front of a real Envoy with the gate: what is decided, and what the upstream sees of
//! them. With `hold: headers` that is nothing, or the very same bytes; never a part. What it finds is
//! [BODIES.md](BODIES.md).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "bodies/gates.rs"]
mod gates;
#[path = "bodies/http1.rs"]
mod http1;
#[path = "bodies/http2.rs"]
mod http2;
#[path = "bodies/request.rs"]
mod request;
#[path = "bodies/table.rs"]
mod table;
#[path = "waiting/upstream.rs"]
#[expect(dead_code, reason = "when something came is another test's matter")]
mod upstream;

use gates::{Gates, Listener};
use request::{Answer, Digest, Framing, Protocol, Request};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use table::{Sight, Table};
use tokio::{runtime::Runtime, sync::Semaphore, time::sleep};

/// Where a gate tells its reason.
const REASON: &str = "x-portcullis-reason";
/// Long enough for a piece to reach Envoy by itself.
const A_WHILE: Duration = Duration::from_millis(30);
/// Longer than the gate waits for a body that never comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests under way at once.
const AT_ONCE: usize = 12;

const MAX_BYTES: usize = 1 << 20;
const SIZES: [(&str, usize); 6] = [
    ("0", 0),
    ("1", 1),
    ("64 KiB", 64 << 10),
    ("1 MiB", MAX_BYTES),
    ("1 MiB + 1", MAX_BYTES + 1),
    ("2 MiB", 2 << 20),
];

const SHAPES: [(Protocol, &str, Framing); 19] = [
    (Protocol::Http1, "`content-length`", Framing::Length),
    (Protocol::Http1, "chunked", Framing::Chunked),
    (Protocol::Http1, "chunked, trailers", Framing::Trailers),
    (
        Protocol::Http1,
        "`content-length`, slow drip",
        Framing::DripSized,
    ),
    (Protocol::Http1, "chunked, slow drip", Framing::Drip),
    (Protocol::Http1, "`Expect: 100-continue`", Framing::Expect),
    (
        Protocol::Http1,
        "`content-length`, early end",
        Framing::EndsEarly,
    ),
    (
        Protocol::Http1,
        "chunked, early end",
        Framing::EndsEarlyUnsized,
    ),
    (
        Protocol::Http1,
        "`content-length` one too small",
        Framing::TooShort,
    ),
    (
        Protocol::Http1,
        "`content-length` one too large",
        Framing::TooLong,
    ),
    (Protocol::Http2, "`content-length`", Framing::Length),
    (Protocol::Http2, "no length", Framing::Chunked),
    (Protocol::Http2, "trailers", Framing::Trailers),
    (Protocol::Http2, "empty DATA frames", Framing::EmptyFrames),
    (Protocol::Http2, "slow drip", Framing::Drip),
    (Protocol::Http2, "early end", Framing::EndsEarly),
    (
        Protocol::Http2,
        "no length, early end",
        Framing::EndsEarlyUnsized,
    ),
    (
        Protocol::Http2,
        "`content-length` one too small",
        Framing::TooShort,
    ),
    (
        Protocol::Http2,
        "`content-length` one too large",
        Framing::EndsShort,
    ),
];

const TUNNELS: [(Protocol, &str, &str, Framing); 5] = [
    (
        Protocol::Http1,
        "`Upgrade: websocket`",
        "GET",
        Framing::WebSocket,
    ),
    (
        Protocol::Http1,
        "the same with a `content-length`",
        "GET",
        Framing::WebSocketSized,
    ),
    (Protocol::Http1, "`CONNECT`", "CONNECT", Framing::Tunnel),
    (
        Protocol::Http2,
        "`CONNECT` for a WebSocket",
        "CONNECT",
        Framing::WebSocket,
    ),
    (Protocol::Http2, "`CONNECT`", "CONNECT", Framing::Tunnel),
];

/// A way of looking at bodies, and the digests that are tried with it.
struct Way {
    body: Value,
    stops_iteration: bool,
    digests: &'static [Digest],
}

impl Way {
    /// Whether the upstream may see a part of a body that is then refused, or that nobody looks at.
    fn passes(&self, digest: Digest) -> bool {
        let is_unread = digest == Digest::None && self.body.get("parse").is_none();
        self.is_streamed() || is_unread
    }

    fn is_streamed(&self) -> bool {
        self.body.get("hold") == Some(&json!("stream"))
    }
}

fn ways() -> Vec<Way> {
    let way = |body, digests| Way {
        body,
        stops_iteration: true,
        digests,
    };
    vec![
        way(
            json!({"digest": "required"}),
            &[Digest::Right, Digest::Wrong, Digest::None],
        ),
        way(
            json!({"digest": "if_present"}),
            &[Digest::Wrong, Digest::None],
        ),
        way(json!({"parse": true}), &[Digest::None]),
        way(
            json!({"digest": "required", "hold": "stream"}),
            &[Digest::Right, Digest::Wrong],
        ),
        way(
            json!({"digest": "required", "hold": "refuse"}),
            &[Digest::Right],
        ),
        Way {
            body: json!({"digest": "required"}),
            stops_iteration: false,
            digests: &[Digest::Right],
        },
    ]
}

#[test]
fn every_shape() {
    let runtime = Runtime::new().unwrap();
    let found = runtime.block_on(async {
        let ways = ways();
        let listeners: Vec<Listener> = ways
            .iter()
            .map(|way| Listener {
                body: way.body.clone(),
                stops_iteration: way.stops_iteration,
                holds_more: true,
            })
            .collect();
        let gates = Arc::new(Gates::start(&listeners).await?);
        let mut tables = Vec::new();
        for (index, way) in ways.iter().enumerate() {
            for digest in way.digests {
                tables.push(bodies(&gates, index, way, *digest).await);
            }
        }
        tables.push(tunnels(&gates, &ways).await);
        gates.assert_well();
        Some(tables)
    });
    if let Some(tables) = found {
        table::hold_against_the_file(&tables);
    }
}

async fn bodies(gates: &Arc<Gates>, listener: usize, way: &Way, digest: Digest) -> Table {
    // Those that wait for nothing take no time of anybody's.
    let room = match way.stops_iteration {
        true => AT_ONCE,
        false => SHAPES.len() * SIZES.len(),
    };
    let room = Arc::new(Semaphore::new(room));
    let is_parsed = way.body.get("parse").is_some();
    let mut rows = Vec::new();
    for (number, (protocol, name, framing)) in SHAPES.into_iter().enumerate() {
        let cells = SIZES.into_iter().map(|(size_name, size)| {
            let is_none = match framing {
                // Half of nothing is nothing.
                Framing::EndsEarly | Framing::EmptyFrames => size == 0,
                // A length of nothing is no length that is short.
                Framing::TooShort => size <= 1,
                _ => false,
            };
            if is_none {
                return None;
            }
            let request = Request {
                method: "POST",
                path: format!("/{listener}-{digest:?}-{number}-{size}"),
                framing,
                digest,
                body: body(size, is_parsed),
                is_parsed,
            };
            let (gates, room) = (Arc::clone(gates), Arc::clone(&room));
            Some((
                size_name,
                tokio::spawn(async move {
                    let _place = room.acquire().await.unwrap();
                    observe(&gates, listener, protocol, &request).await
                }),
            ))
        });
        rows.push((protocol, name, framing, cells.collect::<Vec<_>>()));
    }
    let mut table = Table::new(way, digest);
    for (protocol, name, framing, cells) in rows {
        let mut sights = Vec::new();
        for cell in cells {
            let Some((size, sight)) = cell else {
                sights.push(None);
                continue;
            };
            let mut sight = sight.await.unwrap();
            let place = format!("{:?} {digest:?} {protocol:?} {name} of {size}", way.body);
            assert_safe(way, digest, framing, &sight, &place);
            let is_refused = matches!(sight.answer, Answer::Status(400, _));
            if (protocol, framing) == (Protocol::Http2, Framing::TooShort) && is_refused {
                // Envoy's codec or the gate, whichever comes to the byte too many first.
                sight.answer = match way.is_streamed() {
                    true => Answer::Ended,
                    false => sight.answer,
                };
            }
            sights.push(Some(sight));
        }
        table.add(protocol, name, sights);
    }
    table
}

/// A JSON object of as many bytes whose end matters, or bytes of no meaning.
fn body(size: usize, is_parsed: bool) -> Vec<u8> {
    const AROUND: &str = r#"{"pad":"","whole":true}"#;
    match size.checked_sub(AROUND.len()) {
        Some(pad) if is_parsed => {
            format!(r#"{{"pad":"{}","whole":true}}"#, "x".repeat(pad)).into_bytes()
        }
        _ if is_parsed => vec![b'1'; size],
        _ => (0..size).map(|index| (index % 251) as u8).collect(),
    }
}

async fn observe(gates: &Gates, listener: usize, protocol: Protocol, request: &Request) -> Sight {
    let to = gates.address(listener);
    let answer = match protocol {
        Protocol::Http1 => http1::send(to, request).await,
        Protocol::Http2 => http2::send(to, request).await,
    };
    sleep(A_WHILE).await;
    let seen = gates.upstream.seen(&request.path);
    assert!(seen.len() <= 1, "{}: sent once", request.path);
    let told = match protocol {
        Protocol::Http1 if request.framing == Framing::TooShort => request.told_length(),
        _ => request.body.len(),
    };
    let upstream = match seen.first() {
        None => table::Upstream::Nothing,
        Some(seen) if seen.whole && seen.body == request.body[..told] => {
            let trailers = seen.trailers.iter().flat_map(|trailers| trailers.keys());
            let trailers: Vec<_> = trailers.map(ToString::to_string).collect();
            let sent: &[&str] = match request.framing {
                Framing::Trailers => &["x-checksum"],
                _ => &[],
            };
            assert_eq!(trailers, sent, "{}", request.path);
            table::Upstream::Whole
        }
        Some(_) => table::Upstream::Part,
    };
    Sight { answer, upstream }
}

/// What must hold whatever the table says.
fn assert_safe(way: &Way, digest: Digest, framing: Framing, sight: &Sight, place: &str) {
    let is_allowed = matches!(sight.answer, Answer::Status(200, _));
    assert_ne!(sight.answer, Answer::None, "{place}: no answer, and no end");
    match sight.upstream {
        table::Upstream::Whole => assert!(is_allowed, "{place}: {sight:?}"),
        table::Upstream::Part => assert!(way.passes(digest), "{place}: {sight:?}"),
        table::Upstream::Nothing => assert!(!is_allowed, "{place}: {sight:?}"),
    }
    if is_allowed && digest == Digest::Wrong {
        panic!("{place}: another body than its digest's");
    }
    if is_allowed && matches!(framing, Framing::TooLong | Framing::EndsShort) {
        panic!("{place}: a body that was cut");
    }
}

async fn tunnels(gates: &Gates, ways: &[Way]) -> Table {
    let mut table = Table::of_tunnels();
    for (protocol, name, method, framing) in TUNNELS {
        let mut sights = Vec::new();
        for (listener, digest) in table::TUNNEL_COLUMNS {
            let is_parsed = ways[listener].body.get("parse").is_some();
            let request = Request {
                method,
                path: format!("/tunnel-{listener}-{digest:?}-{protocol:?}-{framing:?}"),
                framing,
                digest,
                body: b"abc".to_vec(),
                is_parsed,
            };
            let seen = || match framing {
                // It is known by its authority.
                Framing::Tunnel => gates.upstream.seen("").len(),
                _ => gates.upstream.seen(&request.path).len(),
            };
            let before = seen();
            let to = gates.address(listener);
            let answer = match protocol {
                Protocol::Http1 => http1::send(to, &request).await,
                Protocol::Http2 => http2::send(to, &request).await,
            };
            sleep(A_WHILE).await;
            let upstream = match seen() - before {
                0 => table::Upstream::Nothing,
                _ => table::Upstream::Whole,
            };
            let sight = Sight { answer, upstream };
            let refused = matches!(&sight.answer, Answer::Status(_, Some(reason)) if reason != "policy.allowed");
            let place = format!("{name} {:?} {digest:?}", ways[listener].body);
            assert!(
                !refused || upstream == table::Upstream::Nothing,
                "{place}: {sight:?}"
            );
            sights.push(Some(sight));
        }
        table.add(protocol, name, sights);
    }
    table
}

/// Where Envoy holds no more than the gate takes, it is the one or the other that refuses; nothing passes.
#[test]
fn at_envoys_own_limit() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = Listener {
            body: json!({"digest": "required"}),
            stops_iteration: true,
            holds_more: false,
        };
        let Some(gates) = Gates::start(&[listener]).await else {
            return;
        };
        for (protocol, name, framing) in SHAPES {
            if framing.is_odd() {
                continue;
            }
            for (size, status) in [(MAX_BYTES, 200), (MAX_BYTES + 1, 413), (2 << 20, 413)] {
                let request = Request {
                    method: "POST",
                    path: format!("/limit-{protocol:?}-{framing:?}-{size}"),
                    framing,
                    digest: Digest::Right,
                    body: body(size, false),
                    is_parsed: false,
                };
                let sight = observe(&gates, 0, protocol, &request).await;
                let place = format!("{protocol:?} {name} of {size}: {sight:?}");
                let Answer::Status(found, _) = sight.answer else {
                    panic!("{place}");
                };
                assert_eq!(found, status, "{place}");
                let wanted = match status {
                    200 => table::Upstream::Whole,
                    _ => table::Upstream::Nothing,
                };
                assert_eq!(sight.upstream, wanted, "{place}");
            }
        }
        gates.assert_well();
    });
}
