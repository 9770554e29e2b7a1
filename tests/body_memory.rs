//! What bodies take in the guest's memory: the module's linear memory on the wasmtime host, which is
//! counted in pages of 64 KiB and never shrinks, so that what it grew by is the most that was held.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use portcullis_engine::{content_digest, words::FILTER_STATE};
use portcullis_host::{
    Headers, Module, Outcome, PluginId, PluginOptions, Properties, StreamId, Vm, VmOptions,
};
use serde_json::{Value, json};
use std::sync::OnceLock;

const MIB: usize = 1 << 20;
/// As Envoy reads from a connection.
const PIECE: usize = 16 << 10;
/// For pages that are begun, and what a request takes beside its body.
const SMALL: usize = 256 << 10;
/// What 100,000 values of JSON may take, which is as many as there may be.
const MOST_OF_VALUES: usize = 8 * MIB;

const POLICY: &str = "package envoy.authz

default allow := false

allow if input.parsed_body.whole

allow if not input.parsed_body
";

/// It takes a while.
fn compiled() -> Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    let compile = || Module::compile(&std::fs::read(portcullis_tests::module()).unwrap()).unwrap();
    MODULE.get_or_init(compile).clone()
}

/// How a body is sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    chunked: bool,
    piece: usize,
}

const WITH_LENGTH: Sent = Sent {
    chunked: false,
    piece: PIECE,
};
const CHUNKED: Sent = Sent {
    chunked: true,
    piece: PIECE,
};
/// A host that shows all of it at once.
const AT_ONCE: Sent = Sent {
    chunked: false,
    piece: usize::MAX,
};

struct Gate {
    vm: Vm,
    plugin: PluginId,
}

impl Gate {
    fn new(body: &Value) -> Gate {
        let options = VmOptions {
            buffer_limit_bytes: 64 * MIB,
            ..VmOptions::default()
        };
        let mut vm = Vm::start(&compiled(), options, Box::new(|_, _| {})).unwrap();
        let document = json!({"policy": {"modules": {"authz.rego": POLICY}}, "body": body});
        let plugin = vm.configure(PluginOptions {
            configuration: document.to_string().into_bytes(),
            allow_on_headers_stop_iteration: true,
            ..PluginOptions::default()
        });
        Gate {
            plugin: plugin.unwrap(),
            vm,
        }
    }

    fn begin(&mut self, body: &[u8], sent: Sent, digest: String) -> StreamId {
        let mut lines = vec![
            (":method", "POST".to_owned()),
            (":path", "/".to_owned()),
            (":scheme", "http".to_owned()),
            (":authority", "gate.test".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("content-digest", digest),
        ];
        if !sent.chunked {
            lines.push(("content-length", body.len().to_string()));
        }
        let headers: Headers = lines.into_iter().collect();
        let stream = self.vm.open_stream(self.plugin, Properties::new()).unwrap();
        let outcome = self.vm.request_headers(stream, headers, false).unwrap();
        assert!(matches!(outcome, Outcome::Continue | Outcome::Pause));
        stream
    }

    /// All of a body, or all but its end.
    fn put(&mut self, stream: StreamId, body: &[u8], sent: Sent, is_whole: bool) -> Outcome {
        let mut pieces = body.chunks(sent.piece).peekable();
        let mut outcome = Outcome::Pause;
        while let Some(piece) = pieces.next() {
            let is_last = is_whole && pieces.peek().is_none();
            outcome = self.vm.request_body(stream, piece, is_last).unwrap();
        }
        outcome
    }

    fn close(&mut self, stream: StreamId) {
        self.vm.log(stream).unwrap();
        self.vm.close(stream).unwrap();
    }

    /// A request that is allowed.
    fn send(&mut self, body: &[u8], sent: Sent) {
        let stream = self.begin(body, sent, content_digest(body));
        let outcome = self.put(stream, body, sent, true);
        let record = self
            .vm
            .filter_state(stream, &format!("wasm.{FILTER_STATE}"));
        let record = String::from_utf8_lossy(record.unwrap_or_default()).into_owned();
        assert_eq!(outcome, Outcome::Continue, "{record}");
        assert!(record.contains("\"policy.allowed\""), "{record}");
        let passed = self.vm.take_request_body(stream).unwrap();
        // While it streams, what passed went before.
        assert!(body.ends_with(&passed));
        self.close(stream);
    }

    /// By how much the guest grew for one such body.
    fn growth(&mut self, body: &[u8], sent: Sent) -> usize {
        let before = self.vm.memory_bytes();
        self.send(body, sent);
        self.vm.memory_bytes() - before
    }
}

/// A gate that has seen small bodies.
fn warm(body: &Value) -> Gate {
    let mut gate = Gate::new(body);
    for _ in 0..3 {
        gate.send(br#"{"whole": true}"#, WITH_LENGTH);
    }
    gate
}

/// JSON of about so many bytes, in one text.
fn text(bytes: usize) -> Vec<u8> {
    format!(r#"{{"text": "{}", "whole": true}}"#, "a".repeat(bytes)).into_bytes()
}

fn config(digest: &str, parse: bool, hold: &str) -> Value {
    json!({"digest": digest, "parse": parse, "max_bytes": 9 * MIB, "hold": hold})
}

#[test]
fn a_digest_takes_no_memory_of_a_bodys_size() {
    for hold in ["headers", "stream"] {
        let mut gate = warm(&config("required", false, hold));
        for size in [MIB, 8 * MIB] {
            for sent in [WITH_LENGTH, CHUNKED, AT_ONCE] {
                let grown = gate.growth(&text(size), sent);
                println!("hold: {hold}, {size} bytes {sent:?}: {grown}");
                assert!(grown <= SMALL, "hold: {hold}, {size} {sent:?}: {grown}");
            }
        }
    }
}

/// The document of these bodies is as large as they are: it is one text.
#[test]
fn a_body_that_is_parsed_is_there_once_beside_its_document() {
    let body = text(MIB);
    for digest in ["off", "required"] {
        for sent in [WITH_LENGTH, CHUNKED, AT_ONCE] {
            let mut gate = warm(&config(digest, true, "headers"));
            let grown = gate.growth(&body, sent);
            println!("digest: {digest}, {} bytes {sent:?}: {grown}", body.len());
            assert!(
                grown <= 2 * body.len() + SMALL,
                "{digest} {sent:?}: {grown}"
            );
            for _ in 0..50 {
                assert_eq!(gate.growth(&body, sent), 0, "{digest} {sent:?}");
            }
        }
    }
}

/// What waits for its end is there once.
#[test]
fn bodies_that_are_held_are_there_once() {
    const MANY: usize = 16;
    let body = text(MIB);
    for sent in [WITH_LENGTH, CHUNKED, AT_ONCE] {
        let mut gate = warm(&config("required", true, "headers"));
        let before = gate.vm.memory_bytes();
        let streams: Vec<_> = (0..MANY)
            .map(|_| {
                let stream = gate.begin(&body, sent, content_digest(&body));
                assert_eq!(gate.put(stream, &body, sent, false), Outcome::Pause);
                stream
            })
            .collect();
        let held = gate.vm.memory_bytes() - before;
        println!("{MANY} times {} bytes {sent:?}: {held}", body.len());
        assert!(
            held <= MANY * body.len() * 21 / 20 + SMALL,
            "{sent:?}: {held}"
        );
        for stream in streams {
            gate.close(stream);
        }
        // All of it is free again.
        for _ in 0..MANY {
            assert_eq!(gate.growth(&body, sent), 0, "{sent:?}");
        }
    }
}

/// A bracket and a comma each count, so of lists and objects there are half as many.
#[test]
fn a_document_of_many_values_is_bounded() {
    let many = |item: &str, count: usize| {
        let items = vec![item; count].join(",");
        format!(r#"{{"whole": true, "items": [{items}]}}"#).into_bytes()
    };
    for (item, count) in [
        ("1", 99_000),
        (r#""a""#, 99_000),
        ("[]", 49_000),
        (r#"{"a":1}"#, 49_000),
    ] {
        let body = many(item, count);
        let mut gate = warm(&config("off", true, "headers"));
        let grown = gate.growth(&body, WITH_LENGTH);
        println!("{count} of {item}, {} bytes: {grown}", body.len());
        assert!(grown <= body.len() + MOST_OF_VALUES, "{item}: {grown}");
        for _ in 0..10 {
            assert_eq!(gate.growth(&body, WITH_LENGTH), 0, "{item}");
        }
    }
}

/// Whether a body is refused at its end, or its client leaves, it leaves nothing behind.
#[test]
fn bodies_that_are_refused_or_cut_off_leave_nothing() {
    let body = text(MIB);
    let mut gate = warm(&config("required", true, "headers"));
    gate.send(&body, WITH_LENGTH);
    let before = gate.vm.memory_bytes();
    for _ in 0..20 {
        let refused = gate.begin(&body, WITH_LENGTH, content_digest(b"another"));
        let outcome = gate.put(refused, &body, WITH_LENGTH, true);
        assert!(matches!(outcome, Outcome::LocalReply { .. }), "{outcome:?}");
        gate.close(refused);
        let cut_off = gate.begin(&body, WITH_LENGTH, content_digest(&body));
        let outcome = gate.put(cut_off, &body, WITH_LENGTH, false);
        assert_eq!(outcome, Outcome::Pause);
        gate.close(cut_off);
    }
    assert_eq!(gate.vm.memory_bytes(), before);
}
