//! A real Envoy with the tags: what its page for Prometheus shows of the gate is what the table says.

use super::{document, fields, metrics};
use portcullis_tests::Listeners;
use regex::Regex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

const SCENARIO: &str = "tests/scenarios/api_keys/uses";
const REFUSED: usize = 7;
const PATIENCE: Duration = Duration::from_secs(60);

/// The gate of a scenario with what else it may count and tell, and how many requests it refused.
fn gates() -> Option<Listeners> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let tags = document("stats-tags.yaml");
    let shape = |config: &mut Value| {
        config["stats_config"] = tags["stats_config"].clone();
        config["stats_flush_interval"] = "0.1s".into();
        let listener = &mut config["static_resources"]["listeners"][0];
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let configuration = &mut manager["http_filters"][0]["typed_config"]["config"];
        let configuration = &mut configuration["configuration"]["value"];
        let mut document: Value = serde_json::from_str(configuration.as_str().unwrap()).unwrap();
        document["decision_log"] = json!({"proxy": true, "labels": {"stage": "test"}});
        let candidate = "package envoy.authz\n\ndefault allow := false\n";
        document["policy"]["candidate"] = json!({"modules": {"candidate.rego": candidate}});
        *configuration = document.to_string().into();
    };
    let gates = Listeners::start(SCENARIO, 1, nowhere, shape).unwrap()?;
    for _ in 0..REFUSED {
        let answer = ask(&gates, "x-api-key: guess\r\n");
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    Some(gates)
}

fn ask(gates: &Listeners, headers: &str) -> String {
    let mut connection = TcpStream::connect(gates.address(0).unwrap()).unwrap();
    let request = format!(
        "GET /orders?access_token=x HTTP/1.1\r\nhost: gate.test:8080\r\n{headers}connection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// What a gate tells is what the tables say, as it stands in the proxy's log and by itself.
#[test]
fn events_are_what_the_tables_say() {
    let Some(gates) = gates() else {
        return;
    };
    let traced = "x-api-key: acme-key\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    // Nobody is behind the gate.
    assert!(ask(&gates, traced).starts_with("HTTP/1.1 503"));
    let since = Instant::now();
    let lines = loop {
        let log = gates.envoy.log();
        let lines: Vec<String> = log
            .lines()
            .filter(|line| line.contains("\"decision_id\""))
            .map(str::to_owned)
            .collect();
        if lines.len() == REFUSED + 1 {
            break lines;
        }
        assert!(since.elapsed() < PATIENCE, "{log}");
        thread::sleep(Duration::from_millis(20));
    };
    for line in &lines {
        let (_, event) = line.split_at(line.find('{').unwrap());
        let event: Value = serde_json::from_str(event).unwrap();
        fields::hold_the_samples(&event);
        fields::hold(&event);
        fields::hold_the_line(line, &event);
    }
    let told = lines.last().unwrap();
    for wanted in [
        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"",
        "\"differs\":\"would_deny\"",
        "\"stage\":\"test\"",
        "\"input\":{",
    ] {
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn labels_are_labels() {
    let Some(gates) = gates() else {
        return;
    };
    let table = metrics::table();
    let type_line = Regex::new(r"^# TYPE (portcullis_\w+) (\w+)$").unwrap();
    let sample = Regex::new(r"^(portcullis_\w+)\{(.*)\} (\S+)$").unwrap();
    let label = Regex::new(r#"(\w+)="([^"]*)""#).unwrap();
    let read = || {
        let page = gates.envoy.page("/stats/prometheus").unwrap();
        let mut kinds = BTreeMap::new();
        let mut samples: BTreeMap<(String, Vec<(String, String)>), f64> = BTreeMap::new();
        for line in page.lines() {
            if let Some(found) = type_line.captures(line) {
                kinds.insert(found[1].to_owned(), found[2].to_owned());
            } else if let Some(found) = sample.captures(line) {
                let labels = label.captures_iter(&found[2]);
                let labels = labels.map(|it| (it[1].to_owned(), it[2].to_owned()));
                let of = (found[1].to_owned(), labels.collect());
                samples.insert(of, found[3].parse().unwrap());
            }
        }
        (kinds, samples)
    };
    // Histograms are added up now and then.
    let since = Instant::now();
    let (kinds, samples) = loop {
        let (kinds, samples) = read();
        let count = ("portcullis_decision_duration_us_count".to_owned(), vec![]);
        if samples.get(&count) == Some(&(REFUSED as f64)) {
            break (kinds, samples);
        }
        assert!(since.elapsed() < PATIENCE, "{samples:?}");
        thread::sleep(Duration::from_millis(20));
    };
    assert!(kinds.len() > 30);
    for (name, kind) in &kinds {
        let row = table.get(name);
        let row = row.unwrap_or_else(|| panic!("the table lacks {name}"));
        assert_eq!(&row.kind, kind, "{name}");
        for (_, labels) in samples.keys().filter(|(of, _)| of == name) {
            let labels: BTreeSet<String> = labels.iter().map(|it| it.0.clone()).collect();
            assert_eq!(labels, row.labels, "{name}");
        }
    }
    let of = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|it| (it.0.to_owned(), it.1.to_owned()));
        samples.get(&(name.to_owned(), labels.collect())).copied()
    };
    let refused = [("outcome", "deny"), ("reason", "api_key.unknown")];
    assert_eq!(of("portcullis_decisions", &refused), Some(REFUSED as f64));
    let allowed = [("outcome", "allow"), ("reason", "policy.allowed")];
    assert_eq!(of("portcullis_decisions", &allowed), Some(0.0));
    let key = [("key_id", "acme")];
    assert_eq!(of("portcullis_api_key_uses", &key), Some(0.0));
    // Our buckets, not Envoy's.
    let bucket = [("le", "2500")];
    assert!(of("portcullis_decision_duration_us_bucket", &bucket).is_some());
}
