//! A request that goes on before its body has come is told of, too, where that never comes to its end.

use crate::Stage;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

#[test]
fn a_body_that_never_ends_leaves_an_event() {
    let Some(stage) = Stage::start("tests/decision_log/passing") else {
        return;
    };
    for number in 0..3 {
        let mut stream = TcpStream::connect(stage.address).unwrap();
        let head = format!(
            "POST /open/{number} HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1000\r\n\
             content-digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\r\n\r\npart of it"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Envoy answers when the headers have passed the gate.
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"HTTP/1.1 200");
    }
    stage.until("each has an event", || stage.collector.taken().len() == 3);
    for event in stage.collector.taken() {
        assert_eq!(event["reason"], "policy.allowed");
        assert_eq!(event["detail"], "the request ended before its body did");
        assert_eq!(event["status"], 200);
        assert_eq!(event["rule"], "data.envoy.authz.allow");
    }
}
