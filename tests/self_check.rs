//! A difference between the evaluators is logged once and counted, and neither tells of the request.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_engine::words;
use portcullis_host::{
    LogLevel, Metric, MetricKind, Module, Outcome, PluginOptions, Properties, Proxy, Vm, VmOptions,
};
use portcullis_runner::{
    Envoy, Exchange, Exit, Prepared, Scenario, envoy_bootstrap, envoy_listener,
};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
};

/// On `/x` the virtual machine allows, and the interpreter finds a conflict.
const SCENARIO: &str = "tests/scenarios/policy/self_check";
const LINE: &str = "self check: on `data.envoy.authz.allow` the virtual machine said policy.allowed, \
                    the interpreter policy.error;";
const SECRET: &str = "nobody-else-s-business";

#[test]
fn a_difference_is_counted_and_logged_once() {
    with_scenario(|prepared| {
        let module = Module::compile(&std::fs::read(portcullis_tests::module()).unwrap()).unwrap();
        let proxy = Proxy::new();
        let options = VmOptions {
            proxy: proxy.clone(),
            ..VmOptions::default()
        };
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let log = move |level: LogLevel, line: &str| {
            written.lock().unwrap().push((level, line.to_owned()));
        };
        let mut vm = Vm::start(&module, options, Box::new(log)).unwrap();
        let plugin = PluginOptions {
            configuration: prepared.document.clone(),
            ..PluginOptions::default()
        };
        let plugin = vm.configure(plugin).unwrap();
        let metric = |value| Metric {
            name: words::SELF_CHECK_DIFFERENCES.to_owned(),
            kind: MetricKind::Counter,
            value,
        };
        let shown = || {
            let mut all = proxy.metrics();
            all.retain(|it| it.name == words::SELF_CHECK_DIFFERENCES);
            all
        };
        assert_eq!(shown(), [metric(0)], "shown before it is needed");
        let exchange = differing(prepared);
        for _ in 0..2 {
            let stream = vm.open_stream(plugin, Properties::new()).unwrap();
            let headers = exchange.filter_headers().unwrap();
            let outcome = vm.request_headers(stream, headers, true).unwrap();
            assert!(matches!(outcome, Outcome::LocalReply { .. }), "{outcome:?}");
            vm.close(stream).unwrap();
        }
        assert_eq!(shown(), [metric(1)]);
        let lines = lines.lock().unwrap();
        let told: Vec<_> = lines.iter().filter(|(_, it)| it.contains(LINE)).collect();
        assert!(matches!(*told, [(LogLevel::Warn, _)]), "{lines:?}");
        assert!(
            !lines.iter().any(|(_, line)| line.contains(SECRET)),
            "{lines:?}"
        );
    });
}

#[test]
fn envoy_shows_the_counter() {
    let Some(binary) = portcullis_tests::envoy() else {
        return;
    };
    with_scenario(|prepared| {
        // What it allows goes nowhere, and is not asked here.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let module = portcullis_tests::module();
        let config = envoy_bootstrap(&[prepared], &module, nowhere, Path::new("/dev/null"));
        let envoy = match Envoy::start(&binary, &config, &BTreeMap::new()).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        let address = *envoy.listeners().unwrap().get(&envoy_listener(0)).unwrap();
        let name = format!("wasmcustom.{}", words::SELF_CHECK_DIFFERENCES);
        assert_eq!(envoy.counter(&name), Some(0));
        for _ in 0..2 {
            let mut connection = TcpStream::connect(address).unwrap();
            connection
                .write_all(&differing(prepared).to_wire())
                .unwrap();
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 503");
        }
        assert_eq!(envoy.counter(&name), Some(1));
        let log = envoy.log();
        assert_eq!(log.matches(LINE).count(), 1, "{log}");
        assert!(!log.contains(SECRET), "{log}");
    });
}

fn with_scenario(test: impl FnOnce(&Prepared<'_>)) {
    let folder = portcullis_tests::root().join(SCENARIO);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    test(&runner.prepare(&scenario).unwrap());
}

/// The scenario's request for `/x`, with something that is nobody else's business.
fn differing(prepared: &Prepared<'_>) -> Exchange {
    let mut exchange = prepared
        .exchanges
        .iter()
        .find(|exchange| exchange.path == "/x")
        .unwrap()
        .clone();
    exchange
        .lines
        .push(("x-secret".to_owned(), SECRET.as_bytes().to_vec()));
    exchange
}
