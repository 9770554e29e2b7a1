//! The server does what it is told, and what calls it sees what Envoy would.

use super::{Reply, Server};
use crate::callouts::{Call, Callouts};
use portcullis_host::Headers;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const TIMEOUT: Duration = Duration::from_millis(300);
const BODY: &[u8] = b"{\"keys\": []}";

/// What a caller sees: a status and a body, or nothing where an answer broke off.
type Seen<'a> = Option<(u16, &'a [u8])>;

#[test]
fn what_is_told_is_done() {
    let body = || Reply {
        body: BODY.to_vec(),
        ..Reply::default()
    };
    let cases: [(&str, Reply, Seen<'_>); 9] = [
        ("plain", body(), Some((200, BODY))),
        (
            "a status",
            Reply {
                status: 500,
                ..body()
            },
            Some((500, BODY)),
        ),
        (
            "a little late",
            Reply {
                delay: TIMEOUT / 10,
                ..body()
            },
            Some((200, BODY)),
        ),
        (
            "too late",
            Reply {
                delay: TIMEOUT * 2,
                ..body()
            },
            Some((504, b"upstream request timeout")),
        ),
        (
            "cut",
            Reply {
                cut: Some(3),
                ..body()
            },
            None,
        ),
        (
            "reset",
            Reply {
                cut: Some(3),
                reset: true,
                ..body()
            },
            None,
        ),
        (
            "cut before the first byte",
            Reply {
                cut: Some(0),
                ..body()
            },
            None,
        ),
        (
            "a length too long",
            Reply {
                length: Some(BODY.len() + 1),
                ..body()
            },
            None,
        ),
        (
            "a length too short",
            Reply {
                length: Some(4),
                ..body()
            },
            Some((200, &BODY[..4])),
        ),
    ];
    for (name, reply, wanted) in cases {
        let server = Server::start().unwrap();
        server.set("/keys", reply);
        let found = call(&server, "/keys");
        let wanted = wanted.map(|(status, body)| (status, body.to_vec()));
        assert_eq!(found, wanted, "{name}");
        assert_eq!(server.asked("/keys"), 1, "{name}");
    }
}

#[test]
fn a_path_without_a_reply_is_not_there() {
    let server = Server::start().unwrap();
    assert_eq!(call(&server, "/other"), Some((404, Vec::new())));
    assert_eq!((server.asked("/other"), server.asked("/keys")), (1, 0));
}

#[test]
fn a_dead_server_refuses_and_comes_back_on_its_port() {
    let server = Server::start().unwrap();
    let address = server.address;
    for _ in 0..3 {
        server.kill().unwrap();
        let since = Instant::now();
        assert_eq!(call(&server, "/").map(|(status, _)| status), Some(503));
        assert!(since.elapsed() < TIMEOUT, "refused, not left to wait");
        server.revive().unwrap();
        assert_eq!(call(&server, "/").map(|(status, _)| status), Some(404));
    }
    assert_eq!(server.address, address);
    assert_eq!(server.asked("/"), 3);
}

#[test]
fn an_answer_is_held_until_it_is_let_go() {
    let server = Server::start().unwrap();
    server.set("/keys", Reply::held());
    let callouts = callouts(&server);
    callouts.start(1, get("/keys", Duration::from_secs(20)));
    assert!(server.wait_asked("/keys", 1, Duration::from_secs(5)));
    assert!(callouts.next(TIMEOUT / 3).is_none(), "held");
    server.set("/keys", Reply::default());
    assert_eq!(server.asked("/keys"), 0, "counted anew");
    let (_, ended) = callouts.next(Duration::from_secs(5)).unwrap();
    assert!(ended.is_some());
    assert!(!server.wait_asked("/keys", 1, Duration::ZERO));
}

#[test]
fn a_cluster_that_is_not_there_fails_at_once() {
    let callouts = Callouts::new(BTreeMap::new());
    callouts.start(1, get("/", TIMEOUT));
    let (_, ended) = callouts.next(Duration::from_secs(5)).unwrap();
    assert!(ended.is_none());
}

fn call(server: &Server, path: &str) -> Option<(u16, Vec<u8>)> {
    let callouts = callouts(server);
    callouts.start(1, get(path, TIMEOUT));
    let (_, ended) = callouts.next(Duration::from_secs(5)).unwrap();
    ended.map(|ended| {
        let status = std::str::from_utf8(ended.headers.get(":status").unwrap());
        (status.unwrap().parse().unwrap(), ended.body)
    })
}

fn callouts(server: &Server) -> Callouts<u32> {
    Callouts::new(BTreeMap::from([("idp".to_owned(), server.address)]))
}

fn get(path: &str, timeout: Duration) -> Call {
    let headers = [
        (":method", "GET"),
        (":path", path),
        (":authority", "idp.test"),
    ];
    Call {
        cluster: "idp".into(),
        headers: headers.into_iter().collect::<Headers>(),
        body: Vec::new(),
        timeout,
    }
}
