//! While there is no decision, nothing of a request moves on: whatever its shape, over HTTP/1.1 and
//! HTTP/2, with either value of Envoy's `allow_on_headers_stop_iteration`; and one that goes away
//! meanwhile costs nothing. On the real Envoy, whose keys the test holds back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "waiting/client.rs"]
mod client;
#[path = "waiting/gates.rs"]
mod gates;
#[path = "waiting/upstream.rs"]
mod upstream;

use client::{Protocol, Sent, Shape};
use gates::{Gates, Listener};
use std::time::{Duration, Instant};
use tokio::{runtime::Runtime, time::sleep};

/// What comes of a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Allowed,
    /// The keys come, and the signature is bad.
    Refused,
    /// The key server's answer breaks off.
    Failed,
    /// The keys come too late.
    Late,
    /// The client goes away first.
    Reset,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    protocol: Protocol,
    shape: Shape,
    end: End,
    listener: Listener,
}

const SHAPES: [Shape; 5] = [
    Shape::Bare,
    Shape::Sized,
    Shape::Streamed,
    Shape::Empty,
    Shape::Trailers,
];
const ENDS: [End; 5] = [
    End::Allowed,
    End::Refused,
    End::Failed,
    End::Late,
    End::Reset,
];

/// Long enough for a request to reach Envoy, and well within the two seconds that it waits.
const A_WHILE: Duration = Duration::from_millis(300);

#[test]
fn nothing_moves_before_the_decision() {
    let mut cases = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for shape in SHAPES {
            for end in ENDS {
                for stops_iteration in [true, false] {
                    let listener = Listener {
                        stops_iteration,
                        upstream: protocol,
                    };
                    cases.push(Case {
                        protocol,
                        shape,
                        end,
                        listener,
                    });
                }
            }
        }
    }
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let listeners = cases.iter().map(|case| case.listener);
        let Some(gates) = Gates::start(listeners.collect()).await else {
            return;
        };
        // All at once: they wait anyway.
        let gates = std::sync::Arc::new(gates);
        let running: Vec<_> = cases
            .into_iter()
            .enumerate()
            .map(|(index, case)| {
                let gates = std::sync::Arc::clone(&gates);
                tokio::spawn(async move { run(&gates, index, case).await })
            })
            .collect();
        let mut faults = Vec::new();
        for case in running {
            faults.extend(case.await.unwrap());
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        gates.assert_well();
    });
}

/// What is not as it should be.
async fn run(gates: &Gates, index: usize, case: Case) -> Vec<String> {
    let mut faults = Vec::new();
    let mut say = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{case:?}: {what}"));
        }
    };
    let path = format!("/case-{index}");
    let token = match case.end {
        End::Refused => &gates.forged,
        _ => &gates.good,
    };
    let sent = send(gates, index, case.protocol, case.shape, &path, token).await;
    sleep(A_WHILE).await;
    say(
        gates.upstream.seen(&path).is_empty(),
        "the upstream saw it before the decision",
    );
    say(!sent.is_answered(), "it was answered before the decision");
    if case.end == End::Reset {
        sent.reset().await;
        sleep(A_WHILE).await;
        gates.let_go(index);
        sleep(A_WHILE).await;
        say(
            gates.upstream.seen(&path).is_empty(),
            "the upstream saw what was reset",
        );
        let next = format!("/after-{index}");
        let sent = send(gates, index, case.protocol, case.shape, &next, token).await;
        let status = sent.status().await;
        say(status == Ok(200), &format!("the next one got {status:?}"));
        return faults;
    }
    let let_go = Instant::now();
    match case.end {
        End::Late => {}
        End::Failed => gates.fail(index),
        _ => gates.let_go(index),
    }
    let status = sent.status().await;
    let wanted = match case.end {
        End::Allowed => 200,
        End::Refused => 401,
        _ => 503,
    };
    say(status == Ok(wanted), &format!("its answer is {status:?}"));
    let seen = gates.upstream.seen(&path);
    if case.end != End::Allowed {
        say(seen.is_empty(), "the upstream saw a refused request");
        return faults;
    }
    let [seen] = seen.as_slice() else {
        say(false, &format!("the upstream saw it {} times", seen.len()));
        return faults;
    };
    say(
        seen.at > let_go,
        "the upstream saw it before the keys were there",
    );
    say(seen.whole, "the upstream did not get all of it");
    let body = match case.shape {
        Shape::Bare | Shape::Empty => Vec::new(),
        _ => client::body(),
    };
    say(
        seen.body == body,
        &format!("of the body {} bytes came", seen.body.len()),
    );
    let header = |name: &str| seen.headers.get_all(name).iter().collect::<Vec<_>>();
    say(
        header("authorization").is_empty(),
        "the token went to the upstream",
    );
    say(header("x-user") == ["alice"], "`x-user` is not the token's");
    let trailers: Vec<String> = seen
        .trailers
        .iter()
        .flat_map(|trailers| trailers.keys().map(ToString::to_string))
        .collect();
    let wanted: &[&str] = match case.shape {
        Shape::Trailers => &["x-checksum"],
        _ => &[],
    };
    say(
        trailers == wanted,
        &format!("its trailers are {trailers:?}"),
    );
    faults
}

/// Of one worker, a hundred requests wait at once; those that have gone away are none of them.
#[test]
fn who_went_away_has_left_their_place() {
    const ROOM: usize = 100;
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = Listener {
            stops_iteration: true,
            upstream: Protocol::Http1,
        };
        let Some(gates) = Gates::start(vec![listener]).await else {
            return;
        };
        let crowd = async |count: usize| {
            let mut sent = Vec::new();
            for _ in 0..count {
                sent.push(send(&gates, 0, Protocol::Http1, Shape::Bare, "/", &gates.good).await);
            }
            sleep(A_WHILE).await;
            sent
        };
        for sent in crowd(ROOM).await {
            sent.reset().await;
        }
        sleep(A_WHILE).await;
        let waiting = crowd(ROOM + 20).await;
        let turned_away = waiting.iter().filter(|sent| sent.is_answered()).count();
        assert_eq!(turned_away, 20, "as many as there is no room for");
        gates.let_go(0);
        let mut statuses = Vec::new();
        for sent in waiting {
            statuses.push(sent.status().await.unwrap());
        }
        let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((of(200), of(503)), (ROOM, 20), "{statuses:?}");
        assert_eq!(gates.upstream.seen("/").len(), ROOM);
        gates.assert_well();
    });
}

async fn send(
    gates: &Gates,
    index: usize,
    protocol: Protocol,
    shape: Shape,
    path: &str,
    token: &str,
) -> Sent {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("x-user", "mallory")];
    client::send(gates.address(index), protocol, shape, path, &headers).await
}
