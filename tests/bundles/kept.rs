//! What a proxy keeps of bundles for gates that are configured anew, or whose VM starts again: in one VM
//! after the other, which share what their host shares.

use portcullis_runner::{Exchange, PluginGate, Server};
use portcullis_tests::bundles::{
    contents::{Rule, revision},
    stage::{PATH, Publisher, reply},
};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn who_begins_anew_begins_with_what_was_active() {
    let Some(publisher) = Publisher::new() else {
        return;
    };
    let server = Server::start().unwrap();
    let publish = |spec: Value| {
        let name = spec["revision"].as_str().unwrap().to_owned();
        server.set(PATH, reply(publisher.bundle(spec), &name));
    };
    let prepared = publisher.runner.prepare(&publisher.scenario).unwrap();
    let mut exchange = prepared.exchanges[0].clone();
    exchange.lines.retain(|(name, _)| name != "authorization");
    let clusters = || [("bundles/bundles".to_owned(), server.address)].into();
    let mut first = PluginGate::load_with(crate::compiled(), &prepared, clusters()).unwrap();
    let proxy = first.proxy().clone();
    // One after it, with this configuration, before it has asked anybody.
    let next = |edit: &dyn Fn(&mut Value)| {
        let mut prepared = publisher.runner.prepare(&publisher.scenario).unwrap();
        let mut document = publisher.document();
        edit(&mut document);
        prepared.document = document.to_string().into_bytes();
        let gate = PluginGate::load_in(proxy.clone(), crate::compiled(), &prepared, clusters());
        decided(&mut gate.unwrap(), &exchange)
    };
    let unavailable = || ("policy.unavailable".to_owned(), String::new());
    let by = |revision: &str| ("policy.allowed".to_owned(), revision.to_owned());
    let until = |gate: &mut PluginGate, revision: &str| {
        while decided(gate, &exchange) != by(revision) {
            gate.idle(Duration::from_millis(100)).unwrap();
        }
    };
    assert_eq!(next(&|_| ()), unavailable(), "there is nothing yet");
    publish(revision("r1", 1, "tag-1", Rule::Everybody));
    until(&mut first, "r1");
    publish(revision("r2", 2, "tag-2", Rule::Everybody));
    until(&mut first, "r2");
    server.kill().unwrap();
    assert_eq!(next(&|_| ()), by("r2"));
    let bundle = |document: &mut Value, name: &str, value: Value| {
        document["policy"]["bundle"][name] = value;
    };
    assert_eq!(
        next(&|it| bundle(it, "path", json!("/other.tar.gz"))),
        unavailable(),
        "it is another's"
    );
    let stranger = json!({"keys": {"release": {"algorithm": "HS256", "secret": "x".repeat(32)}}});
    assert_eq!(
        next(&|it| bundle(it, "verification", stranger.clone())),
        unavailable(),
        "its signer is nobody here"
    );
    assert_eq!(
        next(&|it| it["policy"]["bundle"]["verification"]["required"] = json!(false)),
        unavailable(),
        "whoever shares the proxy could have left it"
    );
    // What changed since then is not undone.
    server.revive().unwrap();
    publish(json!({
        "revision": "r3",
        "declares": {"sequence": 3, "base": "r2"},
        "files": {"patch.json": {"data": [{"op": "upsert", "path": "/told/tag", "value": "tag-3"}]}},
        "signed": {"key": "release"},
    }));
    until(&mut first, "r3");
    server.kill().unwrap();
    assert_eq!(next(&|_| ()), unavailable());
}

/// The reason, and the revision.
fn decided(gate: &mut PluginGate, exchange: &Exchange) -> (String, String) {
    let record = gate.exchange(exchange).unwrap().record.unwrap();
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("revision"))
}
