//! Odd paths in front of a real Envoy with the gate: what the policy reads and what the upstream receives are
//! the same path, under each of Envoy's settings, rewritten by its routes or not. What it finds is
//! [PATHS.md](PATHS.md).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "paths/client.rs"]
mod client;
#[path = "command.rs"]
mod command;
#[path = "paths/gates.rs"]
mod gates;
#[path = "paths/odd.rs"]
mod odd;
#[path = "paths/reading.rs"]
mod reading;
#[path = "paths/table.rs"]
mod table;
#[path = "paths/upstream.rs"]
mod upstream;
#[path = "paths/warned.rs"]
mod warned;

use client::{Answer, Client, Protocol, Request};
use gates::{Gate, Gates, Route, SETTINGS};
use odd::Random;
use serde_json::Value;
use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use table::Table;
use tokio::runtime::Runtime;
use upstream::Seen;

/// Where a gate tells its reason.
const REASON: &str = "x-portcullis-reason";
/// More differences than these say nothing new.
const SHOWN: usize = 20;

/// How many made-up paths each listener gets with each protocol: `PORTCULLIS_PATHS`, or as many as take
/// some seconds.
fn count() -> usize {
    let wanted = env::var("PORTCULLIS_PATHS").ok();
    wanted.map_or(1_000, |wanted| wanted.parse().unwrap())
}

/// What they are made from: `PORTCULLIS_PATHS_SEED`.
fn seed() -> u64 {
    let wanted = env::var("PORTCULLIS_PATHS_SEED").ok();
    wanted.map_or(9110, |wanted| wanted.parse().unwrap())
}

/// What one client found.
#[derive(Default)]
struct Found {
    differences: Vec<String>,
    /// Requests that reached the upstream, and those that did not.
    passed: usize,
    stopped: usize,
    /// Of those that have a row, by their numbers.
    rows: Vec<(usize, Answer, Option<Vec<u8>>)>,
}

#[test]
fn the_policy_reads_what_the_upstream_receives() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let count = gates::listeners().len();
        let Some(gates) = Gates::start(count, gates::shape_all).await else {
            return;
        };
        for (index, (settings, _)) in gates::listeners().into_iter().enumerate() {
            // Of the escaped slashes; and of the others, where nothing is set.
            let paths = [3, 1, 0, 0, 0][settings];
            let mut wanted = vec!["warning envoy-paths"; paths];
            wanted.extend(["note envoy-rewrites"; 3]);
            assert_eq!(
                warnings(gates.config(), index),
                wanted,
                "{}",
                SETTINGS[settings].0
            );
        }
        let gates = Arc::new(gates);
        let cases = Arc::new(AtomicU64::new(0));
        let mut clients = Vec::new();
        for (index, (settings, gate)) in gates::listeners().into_iter().enumerate() {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let (gates, cases) = (Arc::clone(&gates), Arc::clone(&cases));
                let client =
                    tokio::spawn(
                        async move { try_all(&gates, index, gate, protocol, &cases).await },
                    );
                clients.push((settings, gate, protocol, client));
            }
        }
        let [mut plain, mut by_path] = [Table::default(), Table::default()];
        let mut differences = Vec::new();
        for (settings, gate, protocol, client) in clients {
            let found = client.await.unwrap();
            let place = format!("{}, {gate:?}, {protocol:?}", SETTINGS[settings].0);
            let (passed, stopped) = (found.passed, found.stopped);
            println!("{place}: {passed} passed, {stopped} were stopped");
            // A gate that stops everything would hold all of this.
            assert!(passed > 100 && stopped > 100, "{place}");
            let found_there = found.differences.iter();
            differences.extend(found_there.map(|it| format!("{place}: {it}")));
            let table = match gate {
                Gate::Plain => &mut plain,
                Gate::ByPath => &mut by_path,
            };
            for (row, answer, target) in found.rows {
                table.note(row, settings, &answer, target.as_deref());
            }
        }
        gates.assert_well();
        assert!(
            differences.is_empty(),
            "{} differences with the seed {}:\n{}",
            differences.len(),
            seed(),
            differences[..differences.len().min(SHOWN)].join("\n")
        );
        let tables = [(Gate::Plain, &plain), (Gate::ByPath, &by_path)];
        table::hold_against_the_file(tables, &odd::NAMED);
    });
}

async fn try_all(
    gates: &Gates,
    listener: usize,
    gate: Gate,
    protocol: Protocol,
    cases: &AtomicU64,
) -> Found {
    let mut client = Client::new(gates.address(listener), protocol);
    let mut found = Found::default();
    let long = odd::long();
    let named = odd::NAMED.into_iter().chain(odd::MORE);
    let named = named.chain(long.iter().map(Vec::as_slice));
    let mut asked: Vec<(Option<usize>, Vec<u8>, Route)> = Vec::new();
    for (number, path) in named.enumerate() {
        if protocol == Protocol::Http1 && path.contains(&b'\n') {
            // Over HTTP/1.1 that is two requests.
            continue;
        }
        for route in Route::ALL {
            let has_row =
                number < odd::NAMED.len() && route == Route::Passes && protocol == Protocol::Http1;
            asked.push((has_row.then_some(number), path.to_vec(), route));
        }
    }
    let mut random = Random(seed().wrapping_add(listener as u64));
    for _ in 0..count() {
        let path = random.path();
        asked.push((None, path, random.pick(&Route::ALL)));
    }
    for (row, path, route) in asked {
        let request = Request {
            method: if path == b"*" { "OPTIONS" } else { "GET" },
            path: &path,
            route,
            case: cases.fetch_add(1, Ordering::Relaxed),
        };
        let answer = client.ask(&request).await;
        let seen = gates.upstream.take(request.case);
        let differs = match &seen {
            Some(seen) => {
                found.passed += 1;
                difference(seen, route, gate)
            }
            None => {
                found.stopped += 1;
                matches!(answer, Answer::Status(200, _)).then(|| "a 200 of nobody's".to_owned())
            }
        };
        if let Some(differs) = differs {
            let sent = path.escape_ascii();
            found
                .differences
                .push(format!("`{sent}` with {route:?}: {differs}"));
        }
        if let Some(row) = row {
            found.rows.push((row, answer, seen.map(|seen| seen.target)));
        }
    }
    found
}

/// What is wrong with a request that reached the upstream.
fn difference(seen: &Seen, route: Route, gate: Gate) -> Option<String> {
    let told = |what: &str, bytes: &[u8]| format!("{what} `{}`", bytes.escape_ascii());
    let received = told("the upstream received", &seen.target);
    let Some(read) = seen.read("path") else {
        // Nobody was asked; then Envoy tells what the path was.
        let original = seen.header("x-envoy-original-path").unwrap_or(&seen.target);
        let is_off = gate == Gate::ByPath && routes(original) == ["off"];
        return (!is_off).then(|| format!("{received}, and no policy was asked"));
    };
    let (wanted, original) = rewritten(&read, route);
    if seen.target != wanted {
        return Some(format!("{received}, {}", told("the policy read", &read)));
    }
    if seen.header("x-envoy-original-path") != original.then_some(read.as_slice()) {
        return Some(format!("{received}, and was told another original"));
    }
    let segments: Value = serde_json::from_slice(&seen.read("segments").unwrap()).unwrap();
    if segments != Value::from(reading::segments(&read)) {
        return Some(format!("{received}, the policy read {segments}"));
    }
    let query: Value = serde_json::from_slice(&seen.read("query").unwrap()).unwrap();
    let keys = query.as_object().unwrap().keys();
    let names = reading::parameters(reading::split(&read).1);
    if keys.cloned().collect::<std::collections::BTreeSet<_>>() != names {
        return Some(format!("{received}, the policy read {query}"));
    }
    if names.contains("key") {
        return Some(format!("{received}: a credential"));
    }
    let taken = seen.header("x-read-route").unwrap();
    if gate == Gate::ByPath && routes(&read).iter().any(|it| it.as_bytes() != taken) {
        let taken = taken.escape_ascii();
        return Some(format!("{received}, the gate took the route {taken}"));
    }
    None
}

/// The routes that upstreams may take a path for.
fn routes(target: &[u8]) -> Vec<&'static str> {
    let readings = reading::readings(target);
    let mut routes: Vec<_> = readings.iter().map(|read| reading::route(read)).collect();
    routes.sort_unstable();
    routes.dedup();
    routes
}

/// What Envoy's route makes of a path, and whether it has rewritten it.
fn rewritten(read: &[u8], route: Route) -> (Vec<u8>, bool) {
    let (from, to): (&[u8], &[u8]) = match route {
        Route::Passes => return (read.to_vec(), false),
        Route::Prefix => (b"/", b"/rewritten/"),
        Route::Stripped => (b"/p/", b"/"),
        Route::Regex => (b"/", b"/r/"),
    };
    match read.strip_prefix(from) {
        Some(rest) => ([to, rest].concat(), true),
        None => (read.to_vec(), route == Route::Regex),
    }
}

/// What `portcullis check` warns of is so.
#[test]
fn what_is_warned_of_is_so() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let started = Gates::start(warned::WARNED.len(), warned::shape_all);
        let Some(gates) = started.await else {
            return;
        };
        for (index, warned) in warned::WARNED.iter().enumerate() {
            let name = warned.name;
            let found = warnings(gates.config(), index);
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            let others = found.iter().filter(|it| !it.ends_with(" envoy-paths"));
            assert_eq!(others.copied().collect::<Vec<_>>(), warned.found, "{name}");
            let request = Request {
                method: "GET",
                path: warned.sent.as_bytes(),
                route: Route::Passes,
                case: index as u64,
            };
            let mut client = Client::new(gates.address(index), Protocol::Http1);
            let answer = client.ask(&request).await;
            let seen = gates.upstream.take(request.case);
            let seen = seen.unwrap_or_else(|| panic!("{name}: {answer:?}"));
            assert_eq!(seen.target, warned.received.as_bytes(), "{name}");
            let read = seen.read("path");
            assert_eq!(read.as_deref(), warned.read.map(str::as_bytes), "{name}");
            let key = seen.header("x-read-key");
            assert_eq!(key, warned.key.map(str::as_bytes), "{name}");
        }
        gates.assert_well();
    });
}

/// The severities and names of what `portcullis check` finds in one listener.
fn warnings(config: &Value, index: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("envoy.json");
    let listener = &config["static_resources"]["listeners"][index];
    std::fs::write(&file, listener.to_string()).unwrap();
    let mut command = command::command();
    command
        .args(["check", "--format", "json", "--envoy"])
        .arg(&file);
    let output = command.output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    let mut names: Vec<String> = findings
        .iter()
        .map(|it| {
            [&it["severity"], &it["name"]]
                .map(|it| it.as_str().unwrap())
                .join(" ")
        })
        .collect();
    // By the places in the file otherwise.
    names.sort_by_key(|name| name.contains("rewrites"));
    names
}
