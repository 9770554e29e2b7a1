//! What envoy/monitoring has, held against what the gate shows: its words, a real Envoy's page of metrics,
//! and real events. What takes `promtool` and Prometheus is tests/system/prometheus.py.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "monitoring/elastic.rs"]
mod elastic;
#[path = "monitoring/expressions.rs"]
mod expressions;
#[path = "monitoring/fields.rs"]
mod fields;
#[path = "monitoring/metrics.rs"]
mod metrics;
#[path = "monitoring/rules.rs"]
mod rules;
#[path = "monitoring/scrape.rs"]
mod scrape;
#[path = "monitoring/splunk.rs"]
mod splunk;

#[path = "readme/pages.rs"]
#[expect(dead_code, reason = "of a page only its tables are needed")]
mod pages;

use serde_json::Value;

/// A file of envoy/monitoring, as text.
fn text(name: &str) -> String {
    std::fs::read_to_string(portcullis_tests::root().join("envoy/monitoring").join(name)).unwrap()
}

/// One that is YAML or JSON.
fn document(name: &str) -> Value {
    let file = portcullis_tests::root().join("envoy/monitoring").join(name);
    portcullis_gatefile::read_data(&file).unwrap_or_else(|error| panic!("{error}"))
}
