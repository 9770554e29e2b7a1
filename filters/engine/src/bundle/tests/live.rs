//! A gate that is sent bundles over time: what it asks for then, and what it takes.

use super::build::*;
use crate::{Answer, Gate, Live};
use std::{cell::Cell, collections::BTreeSet, sync::Arc, time::Duration};

const LONG: &str = "application/vnd.openpolicyagent.bundles";
const SECOND: u64 = 1_000_000_000;

struct World {
    live: Live,
    now: Cell<u64>,
    /// How often it has asked.
    asked: usize,
    told: Vec<String>,
}

impl World {
    /// With these members beside the bundle's usual ones.
    fn new(more: &str) -> World {
        let document = format!(
            r#"{{"policy": {{"entrypoint": "app/allow", "bundle": {{
                "cluster": "b", "authority": "b.test", "path": "/app.tar.gz?sig=of-a-url",
                "verification": {{"keys": {{"ci": {{"algorithm": "HS256", "secret": {{"env": "S"}}}}}}}}
                {more}}}}}}}"#
        );
        let secret = |_: &str| Some(String::from_utf8(SECRET.to_vec()).unwrap());
        World {
            live: Live::new(Gate::load(document.as_bytes(), &secret).unwrap()),
            now: Cell::new(1_800_000_000 * SECOND),
            asked: 0,
            told: Vec::new(),
        }
    }

    /// Answers what is asked for now, and has it worked on to its end.
    fn answer(&mut self, status: u16, etag: &str, body: &[u8]) {
        let now = self.now.get();
        let gate = self.live.current();
        for call in gate.calls(now, 0) {
            self.asked += 1;
            let headers = [
                (":status", &*status.to_string()),
                ("etag", etag),
                ("content-type", LONG),
            ];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
            let answer = Answer::Response {
                headers: headers.into(),
                body: body.to_vec(),
            };
            let fault = gate.answered(call.id, answer, now, 0);
            self.told.extend(fault.map(|it| it.what));
        }
        drop(gate);
        while self.live.is_working() {
            let event = self
                .live
                .work(&|| self.now.get(), Duration::from_secs(10), 0);
            self.told.extend(event.map(|it| it.to_string()));
        }
    }

    /// Some minutes later.
    fn later(&mut self, body: &[u8]) {
        self.pass(400 * SECOND);
        self.answer(200, "", body);
    }

    fn pass(&self, nanoseconds: u64) {
        self.now.set(self.now.get() + nanoseconds);
    }

    fn revision(&self) -> String {
        self.live.current().revision().unwrap_or("none").to_owned()
    }
}

fn snapshot(revision: &str, own: &str) -> Vec<u8> {
    signed(&[
        ("/app.rego", "package app\n\nallow := true"),
        (
            "/.manifest",
            &format!(r#"{{"revision": "{revision}", "metadata": {{"portcullis": {own}}}}}"#),
        ),
    ])
}

#[test]
fn between_two_polls_it_has_nothing_to_do() {
    for status in ["", r#", "status": {"cluster": "s", "authority": "s.test"}"#] {
        let mut world = World::new(status);
        world.answer(200, "\"1\"", &snapshot("r1", r#"{"sequence": 1}"#));
        let now = world.now.get();
        drop(world.live.current().calls(now, 0));
        let next = world.live.current().next_call_ns().unwrap();
        assert!(next > now + SECOND, "{status}: {}", next - now);
        assert!(!world.live.is_working());
    }
}

/// What was kept from a gate before is what its reports name, and the server is asked at once.
#[test]
fn what_was_kept_is_reported() {
    let world = World::new(r#", "status": {"cluster": "s", "authority": "s.test"}"#);
    let bundle = snapshot("r1", r#"{"sequence": 1}"#);
    world.live.begin_with(bundle.clone(), world.now.get());
    while world.live.is_working() {
        world
            .live
            .work(&|| world.now.get(), Duration::from_secs(10), 0);
    }
    assert_eq!(world.revision(), "r1");
    let calls = world.live.current().calls(world.now.get(), 0);
    assert_eq!(calls.len(), 2, "the server is asked, and told");
    let report = calls.into_iter().find(|call| !call.body.is_empty());
    let report: serde_json::Value = serde_json::from_slice(&report.unwrap().body).unwrap();
    let report = &report["bundles"]["app"];
    assert_eq!(report["active_revision"], "r1");
    assert_eq!(report["last_successful_activation"], "2027-01-15T08:00:00Z");
    assert_eq!(report["last_successful_download"], "0001-01-01T00:00:00Z");
}

#[test]
fn a_server_that_does_not_hold_back_makes_no_flood() {
    let bundle = snapshot("r1", r#"{"sequence": 1}"#);
    for status in [200, 304] {
        let mut world = World::new(r#", "poll": {"long": "60s"}"#);
        world.answer(200, "\"1\"", &bundle);
        let mut gates = BTreeSet::new();
        for _ in 0..60_000 {
            world.answer(status, "\"1\"", &bundle);
            world.pass(SECOND / 1000);
            gates.insert(Arc::as_ptr(&world.live.current()) as usize);
        }
        assert!(world.asked < 20, "{status}: {}", world.asked);
        assert_eq!(gates.len(), 1, "the same is not made anew");
        assert_eq!(world.told.len(), 1, "{:?}", world.told);
    }
}

#[test]
fn no_entity_tag_is_taken_but_of_what_is_active() {
    let mut world = World::new("");
    world.answer(200, "\"1\"", &snapshot("r1", r#"{"sequence": 1}"#));
    world.pass(400 * SECOND);
    world.answer(304, "\"2\"", b"");
    world.pass(400 * SECOND);
    let calls = world.live.current().calls(world.now.get(), 0);
    let tag = |call: &crate::Call| call.headers.iter().any(|(name, _)| name == "if-none-match");
    assert_eq!(calls.len(), 1);
    assert!(!calls.iter().any(tag));
}

#[test]
fn what_is_let_back_brings_no_other_back() {
    let mut world = World::new(r#", "allow_older": ["r2"]"#);
    let other = |revision: &str, sequence: u64| {
        let own = format!(r#"{{"sequence": {sequence}}}"#);
        let manifest =
            format!(r#"{{"revision": "{revision}", "metadata": {{"portcullis": {own}}}}}"#);
        signed(&[
            ("/app.rego", "package app\n\nallow := false"),
            ("/.manifest", &manifest),
        ])
    };
    for (revision, sequence, active) in [
        ("r9", 9, "r9"),
        ("r5", 5, "r9"),
        ("r2", 2, "r2"),
        ("r5", 5, "r2"),
        ("r9", 9, "r9"),
        ("r10", 10, "r10"),
    ] {
        world.later(&snapshot(
            revision,
            &format!(r#"{{"sequence": {sequence}}}"#),
        ));
        assert_eq!(
            world.revision(),
            active,
            "{revision}: {:?}",
            world.told.last()
        );
        // Neither of what is active, nor of what was active before it.
        world.later(&other("r9", 9));
        assert_eq!(world.revision(), active, "{:?}", world.told.last());
    }
    world.later(&other("r10", 10));
    assert!(world.told.last().unwrap().contains("with another content"));
}

#[test]
fn a_delta_stays_within_the_roots_of_what_it_changes() {
    for (roots, path, taken) in [
        (r#"["users"]"#, "/users/x", true),
        (r#"["app", "users"]"#, "/users/x", true),
        (r#"[""]"#, "/elsewhere/x", false),
    ] {
        let mut world = World::new("");
        world.answer(
            200,
            "",
            &signed(&[
                ("/app.rego", "package app\n\nallow := true"),
                ("/.manifest", r#"{"revision": "r1", "roots": ["app", "users"], "metadata": {"portcullis": {"sequence": 1}}}"#),
            ]),
        );
        let patch = format!(r#"{{"data": [{{"op": "upsert", "path": "{path}", "value": 1}}]}}"#);
        let manifest = format!(
            r#"{{"revision": "r2", "roots": {roots}, "metadata": {{"portcullis": {{"sequence": 2, "base": "r1"}}}}}}"#
        );
        world.later(&signed(&[
            ("/patch.json", &patch),
            ("/.manifest", &manifest),
        ]));
        let active = if taken { "r2" } else { "r1" };
        assert_eq!(
            world.revision(),
            active,
            "{roots} {path}: {:?}",
            world.told.last()
        );
    }
}

#[test]
fn lines_that_are_told_are_lines_and_have_an_end() {
    let mut world = World::new("");
    let module = format!("package app\n\nallow := {}", "x".repeat(60_000));
    world.later(&signed(&[("/app.rego", &module), ("/.manifest", "{}")]));
    world.pass(400 * SECOND);
    world.answer(500, "", b"");
    assert_eq!(world.told.len(), 2);
    for line in &world.told {
        assert!(line.len() < 3_000, "{} bytes", line.len());
        assert!(!line.chars().any(char::is_control), "{line}");
        assert!(!line.contains("of-a-url"), "{line}");
    }
}
