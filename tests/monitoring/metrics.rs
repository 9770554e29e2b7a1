//! The metrics: the vocabulary's, as Prometheus gets them, and the page's table.

use super::{document, pages, text};
use portcullis_tests::{code_spans, root};
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// By name, with the names of labels.
pub type Metrics = BTreeMap<String, BTreeSet<String>>;

/// What Envoy makes of names.
pub struct Tags(Vec<(String, Regex)>);

impl Tags {
    pub fn read() -> Tags {
        let document = document("stats-tags.yaml");
        let tags = document["stats_config"]["stats_tags"].as_array().unwrap();
        let of = |tag: &serde_json::Value| {
            let regex = Regex::new(tag["regex"].as_str().unwrap()).unwrap();
            (tag["tag_name"].as_str().unwrap().to_owned(), regex)
        };
        Tags(tags.iter().map(of).collect())
    }

    /// The metric's name in Prometheus and its labels. Each tag looks at the whole name as it was.
    fn extract(&self, name: &str) -> (String, BTreeMap<String, String>) {
        let name = format!("wasmcustom.{name}");
        let mut labels = BTreeMap::new();
        let mut left = name.clone();
        for (label, regex) in &self.0 {
            if let Some(found) = regex.captures(&name) {
                labels.insert(label.clone(), found[2].to_owned());
                left = left.replacen(&found[1], "", 1);
            }
        }
        let left = left.strip_prefix("wasmcustom.").unwrap();
        (left.replace(['.', '-'], "_"), labels)
    }
}

/// Every metric that is spelled in the vocabulary. What another name begins with is none, but the start
/// of several.
pub fn vocabulary() -> Metrics {
    let source = fs::read_to_string(root().join("filters/engine/src/words.rs")).unwrap();
    let (source, _tests) = source.split_once("#[cfg(test)]").unwrap();
    let literal = Regex::new(r#""(portcullis\.[a-z0-9_.{}]+)""#).unwrap();
    let names: BTreeSet<String> = literal
        .captures_iter(source)
        .map(|found| found[1].replace(['{', '}'], ""))
        .collect();
    let is_start = |name: &str| {
        names
            .iter()
            .any(|other| other.starts_with(&format!("{name}.")))
    };
    let tags = Tags::read();
    let mut metrics = Metrics::new();
    for name in names.iter().filter(|name| !is_start(name)) {
        let (name, labels) = tags.extract(name);
        let labels: BTreeSet<String> = labels.into_keys().collect();
        let before = metrics.insert(name.clone(), labels.clone());
        assert!(
            before.is_none_or(|before| before == labels),
            "{name} has other labels elsewhere"
        );
    }
    metrics
}

/// A row of the page's table.
pub struct Row {
    pub labels: BTreeSet<String>,
    pub kind: String,
}

pub fn table() -> BTreeMap<String, Row> {
    pages::rows(&text("README.md"), "## Metrics")
        .into_iter()
        .map(|cells| {
            let row = Row {
                labels: code_spans(&cells[1]).into_iter().collect(),
                kind: cells[2].clone(),
            };
            (code_spans(&cells[0]).concat(), row)
        })
        .collect()
}

#[test]
fn the_table_is_the_vocabulary() {
    let table: Metrics = table()
        .into_iter()
        .map(|(name, row)| (name, row.labels))
        .collect();
    assert!(table.len() > 30);
    assert_eq!(table, vocabulary());
}

#[test]
fn a_label_is_taken_out_of_a_name_and_nothing_else() {
    let tags = Tags::read();
    let extracted = |name: &str| {
        let (name, labels) = tags.extract(name);
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        format!("{name} {}", labels.join(","))
    };
    for (name, wanted) in [
        (
            "portcullis.decisions.outcome.deny.reason.api_key.not_yet_valid",
            "portcullis_decisions outcome=deny,reason=api_key.not_yet_valid",
        ),
        (
            "portcullis.shadow.differences.direction.would_allow.reason.policy.allowed",
            "portcullis_shadow_differences direction=would_allow,reason=policy.allowed",
        ),
        // An id has no dot, and whatever it looks like is its own.
        (
            "portcullis.api_key.uses.reason-outcome",
            "portcullis_api_key_uses key_id=reason-outcome",
        ),
        (
            "portcullis.bundle.failures.verify",
            "portcullis_bundle_failures step=verify",
        ),
        (
            "portcullis.bundle.status.failures",
            "portcullis_bundle_status_failures ",
        ),
        (
            "portcullis.jwks.fetched_at.provider.corp__2ecom",
            "portcullis_jwks_fetched_at provider=corp__2ecom",
        ),
    ] {
        assert_eq!(extracted(name), wanted);
    }
}

/// The home of the snippet is one file; who copies it has it as it is.
#[test]
fn the_bootstrap_has_the_tags() {
    let snippet = text("stats-tags.yaml");
    let snippet = snippet.get(snippet.find("stats_config:").unwrap()..);
    let envoy = fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    assert_eq!(envoy.matches("stats_config:").count(), 1);
    assert!(
        envoy.contains(snippet.unwrap()),
        "envoy/envoy.yaml should have what envoy/monitoring/stats-tags.yaml has"
    );
}
