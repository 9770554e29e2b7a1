//! What operators count with. No decision depends on it: where the host gives no counter, the log
//! says so, and requests go on.

use crate::host::{self, Counter};
use portcullis_engine::{Gate, words};
use proxy_wasm::types::LogLevel;
use std::{cell::RefCell, collections::BTreeMap};

pub struct Metrics {
    /// Of requests on which the evaluators differed, where the gate looks for them.
    differences: Option<Counter>,
    /// What the gate counts, each defined when it is first needed.
    counters: RefCell<BTreeMap<&'static str, Option<Counter>>>,
}

impl Metrics {
    pub fn new(gate: &Gate) -> Metrics {
        let checks = gate.self_checks();
        Metrics {
            differences: checks
                .then(|| define(words::SELF_CHECK_DIFFERENCES))
                .flatten(),
            counters: RefCell::default(),
        }
    }

    /// Hands on what the gate has counted.
    pub fn count(&self, gate: &Gate) {
        let mut counters = self.counters.borrow_mut();
        for (name, by) in gate.take_counts() {
            add(*counters.entry(name).or_insert_with(|| define(name)), by);
        }
    }

    pub fn count_difference(&self) {
        add(self.differences, 1);
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
