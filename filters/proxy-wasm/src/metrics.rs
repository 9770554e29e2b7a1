//! What operators count with. No decision depends on it: where the host gives no counter, the log
//! says so, and requests go on.

use crate::host::{self, Counter};
use portcullis_engine::{Gate, Record, words};
use proxy_wasm::types::LogLevel;
use std::collections::BTreeMap;

pub struct Metrics {
    /// Of requests on which the evaluators differed, where the gate looks for them.
    differences: Option<Counter>,
    /// How often each API key was used, by its id. As many as the configuration has keys: no client
    /// can make another one. All are defined before they are needed, so that a key that nobody uses
    /// shows as 0.
    api_key_uses: BTreeMap<String, Option<Counter>>,
    /// What the gate counts.
    counters: BTreeMap<&'static str, Option<Counter>>,
}

impl Metrics {
    pub fn new(gate: &Gate) -> Metrics {
        let checks = gate.self_checks();
        Metrics {
            differences: checks
                .then(|| define(words::SELF_CHECK_DIFFERENCES))
                .flatten(),
            api_key_uses: gate
                .api_key_ids()
                .map(|id| (id.to_owned(), define(&words::api_key_uses(id))))
                .collect(),
            counters: words::counter::ALL.map(|name| (name, define(name))).into(),
        }
    }

    /// Counts what a decision says of itself.
    pub fn count_decision(&self, record: &Record) {
        if let Some(id) = &record.api_key {
            add(self.api_key_uses.get(id).copied().flatten(), 1);
        }
        if record.self_check.is_some() {
            add(self.differences, 1);
        }
    }

    /// Hands on what the gate has counted.
    pub fn count(&self, gate: &Gate) {
        for (name, by) in gate.take_counts() {
            add(self.counters.get(name).copied().flatten(), by);
        }
    }
}

fn define(name: &str) -> Option<Counter> {
    match Counter::define(name) {
        Ok(counter) => Some(counter),
        Err(host::Refused) => {
            host::log(
                LogLevel::Error,
                &format!("portcullis: the host gave no counter `{name}`"),
            );
            None
        }
    }
}

fn add(counter: Option<Counter>, by: u64) {
    if counter.is_some_and(|counter| counter.add(by).is_err()) {
        host::log(LogLevel::Error, "portcullis: the host did not count");
    }
}
