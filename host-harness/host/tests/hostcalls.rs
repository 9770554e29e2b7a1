//! Each hostcall, from inside a guest: what it answers and what it does.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cases;
mod guest;

use std::sync::Arc;
use std::time::Duration;

use cases::{CASES, outward};
use guest::{Guest, IMPORTS, REQUEST_HEADERS, plugin, request};
use portcullis_host::{Clock, HOSTCALLS, MetricKind, Proxy, UNIMPLEMENTED, VmOptions};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Duration {
        Duration::new(1_700_000_000, 1)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(42)
    }
}

fn options() -> VmOptions {
    VmOptions {
        vm_id: "vm".to_owned(),
        configuration: b"vm configuration".to_vec(),
        environment: [("KEY".to_owned(), "s".to_owned())].into(),
        clusters: ["idp".to_owned()].into(),
        clock: Arc::new(Fixed),
        ..VmOptions::default()
    }
}

#[test]
fn each_hostcall_answers_as_envoy_does() {
    let mut failed = Vec::new();
    for (name, call, expected) in CASES.iter().chain(outward::CASES) {
        let body = format!("{} (i32.const 0)", call);
        let mut guest = Guest::with(&[(REQUEST_HEADERS, &body)], options(), plugin());
        let outcome = guest.vm.request_headers(guest.stream, request(), true);
        let logs = guest.logs();
        if outcome.is_err() || logs != *expected {
            failed.push(format!("{name}: {logs:?}, not {expected:?} ({outcome:?})"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_is_listed_as_unimplemented_is_what_answers_12() {
    let mut answering = Vec::new();
    for (name, types) in IMPORTS {
        let id = name.trim_start_matches("proxy_");
        let zeros: String = types
            .chars()
            .map(|c| {
                if c == 'l' {
                    "(i64.const 0)"
                } else {
                    "(i32.const 0)"
                }
            })
            .collect();
        let body = format!("(call $status (call ${id} {zeros})) (i32.const 0)");
        let mut guest = Guest::new(&[(REQUEST_HEADERS, &body)]);
        let _ = guest
            .vm
            .request_headers(guest.stream, request(), true)
            .expect("an outcome");
        if guest.logs().last().map(String::as_str) == Some("12") {
            answering.push(*name);
        }
    }
    assert_eq!(answering, UNIMPLEMENTED);
}

#[test]
fn the_tests_know_every_hostcall() {
    let known: Vec<&str> = IMPORTS.iter().map(|(name, _)| *name).collect();
    for name in HOSTCALLS.iter().chain(UNIMPLEMENTED) {
        assert!(known.contains(name), "{name} has no test");
    }
    assert_eq!(known.len(), HOSTCALLS.len() + UNIMPLEMENTED.len());
}

#[test]
fn the_plugin_configuration_is_readable_while_configuring() {
    let guest = Guest::new(&[(
        "proxy_on_configure",
        "(call $status (call $get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 99) @R)) (call $show) (i32.const 1)",
    )]);
    assert_eq!(guest.logs(), ["0", "the configuration"]);
}

#[test]
fn vms_of_one_proxy_share_data_and_metrics() {
    let proxy = Proxy::new();
    let options = || VmOptions {
        vm_id: "shared".to_owned(),
        proxy: proxy.clone(),
        ..VmOptions::default()
    };
    let count = "(drop (call $define_metric (i32.const 0) {requests} @2)) (drop (call $increment_metric (i32.load @2) (i64.const 1)))";
    let write =
        format!("{count} (drop (call $set_shared_data {{k}} {{v}} (i32.const 0))) (i32.const 0)");
    let read =
        format!("{count} (drop (call $get_shared_data {{k}} @R @2)) (call $show) (i32.const 0)");
    let mut one = Guest::with(&[(REQUEST_HEADERS, &write)], options(), plugin());
    let mut two = Guest::with(&[(REQUEST_HEADERS, &read)], options(), plugin());
    for guest in [&mut one, &mut two] {
        let _ = guest
            .vm
            .request_headers(guest.stream, request(), true)
            .expect("an outcome");
    }
    assert_eq!(two.logs(), ["v"]);
    assert_eq!(proxy.shared_data("shared", "k"), Some(b"v".to_vec()));
    assert_eq!(proxy.shared_data("another", "k"), None);
    let metrics = proxy.metrics();
    assert_eq!(metrics.len(), 1);
    assert_eq!(
        (metrics[0].kind, metrics[0].value),
        (MetricKind::Counter, 2)
    );
}
