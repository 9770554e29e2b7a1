//! What operators count with. No decision depends on it: where the host gives no counter, the log
//! says so, and requests go on.

use crate::host;
use portcullis_engine::{Gate, Record, words};
use proxy_wasm::types::LogLevel;
use std::collections::BTreeMap;

/// How often each API key was used, by its id. As many counters as the configuration has keys: no
/// client can make another one.
pub struct ApiKeyUses(BTreeMap<String, host::Counter>);

impl ApiKeyUses {
    /// All are defined before they are needed, so that a key that nobody uses shows as 0.
    pub fn define(gate: &Gate) -> ApiKeyUses {
        let mut counters = BTreeMap::new();
        for id in gate.api_key_ids() {
            match host::Counter::define(&words::api_key_uses(id)) {
                Ok(counter) => {
                    counters.insert(id.to_owned(), counter);
                }
                Err(host::Refused) => host::log(
                    LogLevel::Error,
                    &format!("portcullis: the host gave no counter for the API key `{id}`"),
                ),
            }
        }
        ApiKeyUses(counters)
    }

    pub fn count(&self, record: &Record) {
        let counter = record.api_key.as_ref().and_then(|id| self.0.get(id));
        if let Some(counter) = counter
            && counter.increment().is_err()
        {
            host::log(LogLevel::Error, "portcullis: the host did not count");
        }
    }
}
