//! Uses of API keys are counted by their ids: on the host, and where Envoy's operators look.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_engine::words;
use portcullis_host::{Module, Outcome, PluginOptions, Properties, Proxy, Vm, VmOptions};
use portcullis_runner::{Envoy, Exit, Prepared, Scenario, envoy_bootstrap, envoy_listener};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
};

const SCENARIO: &str = "tests/scenarios/api_keys/uses";
/// After each of its cases was sent once.
const USES: &[(&str, u64)] = &[
    ("acme", 5),
    ("a b/ü", 1),
    ("a.b_ü", 0),
    ("gone", 0),
    ("in-data", 1),
];

#[test]
fn the_host_shows_the_counters() {
    // Before the scenario's tokens are made: a debug build takes minutes for it.
    let module = Module::compile(&std::fs::read(portcullis_tests::module()).unwrap()).unwrap();
    with_scenario(|prepared| {
        let proxy = Proxy::new();
        let options = VmOptions {
            proxy: proxy.clone(),
            ..VmOptions::default()
        };
        let mut vm = Vm::start(&module, options, Box::new(|_, _| {})).unwrap();
        let plugin = PluginOptions {
            configuration: prepared.document.clone(),
            ..PluginOptions::default()
        };
        let plugin = vm.configure(plugin).unwrap();
        let shown = || -> BTreeMap<String, u64> {
            let uses = proxy.metrics().into_iter();
            let uses = uses.filter(|metric| metric.name.starts_with("portcullis.api_key."));
            uses.map(|metric| (metric.name, metric.value)).collect()
        };
        let none: Vec<_> = USES.iter().map(|(id, _)| (*id, 0)).collect();
        assert_eq!(shown(), named(&none), "shown before they are needed");
        let mut refused = 0;
        for exchange in &prepared.exchanges {
            let stream = vm.open_stream(plugin, Properties::new()).unwrap();
            let headers = exchange.filter_headers().unwrap();
            let outcome = vm.request_headers(stream, headers, true).unwrap();
            refused += usize::from(matches!(outcome, Outcome::LocalReply { .. }));
            vm.close(stream).unwrap();
        }
        assert_eq!(refused, 6);
        assert_eq!(shown(), named(USES));
    });
}

#[test]
fn envoy_shows_the_counters() {
    let Some(binary) = portcullis_tests::envoy() else {
        return;
    };
    with_scenario(|prepared| {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let there: SocketAddr = upstream.local_addr().unwrap();
        thread::spawn(move || upstream.incoming().for_each(|it| answer(it.unwrap())));
        let module = portcullis_tests::module();
        let config = envoy_bootstrap(&[prepared], &module, there, Path::new("/dev/null"));
        let envoy = match Envoy::start(&binary, &config, &BTreeMap::new()).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        let address = *envoy.listeners().unwrap().get(&envoy_listener(0)).unwrap();
        for exchange in &prepared.exchanges {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(&exchange.to_wire()).unwrap();
            let mut begins = [0; 12];
            connection.read_exact(&mut begins).unwrap();
        }
        for (name, uses) in named(USES) {
            let name = format!("wasmcustom.{name}");
            assert_eq!(envoy.counter(&name), Some(uses), "{name}");
        }
    });
}

fn named(uses: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let named = |(id, uses): &(&str, u64)| (words::api_key_uses(id), *uses);
    uses.iter().map(named).collect()
}

/// What is allowed is answered with nothing.
fn answer(mut connection: TcpStream) {
    let mut request = [0; 4096];
    // Envoy waits for the answer, and closes what it does not need any more.
    let _ = connection.read(&mut request);
    let _ = connection.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}

fn with_scenario(test: impl FnOnce(&Prepared<'_>)) {
    let folder = portcullis_tests::root().join(SCENARIO);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    test(&runner.prepare(&scenario).unwrap());
}
