//! What is said of a decision: one line, JSON or text, and one in the decision log.

use super::native::Told;
use crate::{
    moment,
    terminal::{self, Colour},
};
use portcullis_engine::Reason;
use serde_json::{Map, Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A decision, with what the filter recorded of it.
pub struct Line {
    /// Since the Unix epoch.
    at: Duration,
    method: String,
    path: String,
    id: String,
    /// What the client got; 0 where it got nothing.
    pub status: u16,
    record: Option<Value>,
    took: Duration,
}

impl Line {
    /// The path goes without its query, which may hold credentials.
    pub fn new(at: Duration, method: &str, path: &str) -> Line {
        Line {
            at,
            method: method.to_owned(),
            path: path.split('?').next().unwrap_or_default().to_owned(),
            id: moment::unique_id(),
            status: 0,
            record: None,
            took: Duration::ZERO,
        }
    }

    /// What the filter recorded, and how long it took.
    pub fn decided(&mut self, record: Option<Value>, took: Duration) {
        self.record = record;
        self.took = took;
        if let Some(id) = self.text("decision_id") {
            self.id = id.to_owned();
        }
    }

    /// Leaves out the policy's own words.
    pub fn forget_detail(&mut self) {
        if let Some(record) = self.record.as_mut().and_then(Value::as_object_mut) {
            record.remove("detail");
        }
    }

    /// The rule that was asked, if one was.
    pub fn rule(&self) -> Option<&str> {
        self.text("rule")
    }

    /// A filter that failed has recorded nothing.
    pub fn reason(&self) -> &str {
        self.text("reason").unwrap_or(Reason::HostError.code())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.record.as_ref()?.get(key)?.as_str()
    }

    /// What the evaluators said, where they differed.
    fn self_check(&self) -> Option<&Value> {
        self.record.as_ref()?.get("self_check")
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let time = humantime::format_rfc3339_millis(self.time()).to_string();
        Value::Object(self.fields(time))
    }

    /// As OPA logs decisions, as far as that fits, with the fields of the line. `path` is the
    /// request's; the rule's is `rule`.
    pub fn event(&self, told: &Told, remote: Option<SocketAddr>) -> Value {
        // The very moment, so that `explain` decides at it.
        let time = humantime::format_rfc3339_nanos(self.time()).to_string();
        let mut event = self.fields(time.clone());
        for member in event.values_mut() {
            told.mask.value(member);
        }
        let mut put = |key: &str, value: Value| event.insert(key.to_owned(), value);
        put("timestamp", time.into());
        put("labels", json!({"version": env!("CARGO_PKG_VERSION")}));
        if let Some(remote) = remote {
            put("requested_by", remote.to_string().into());
        }
        if let Some(place) = &told.why.place {
            put("place", place.clone().into());
        }
        if let Some(result) = &told.why.result {
            put("result", result.clone());
        }
        if let Some(input) = &told.input {
            put("input", input.clone());
        }
        event.into()
    }

    fn time(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.at).unwrap_or(UNIX_EPOCH)
    }

    fn fields(&self, time: String) -> Map<String, Value> {
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        put("decision_id", self.id.clone().into());
        put("time", time.into());
        put("method", self.method.clone().into());
        put("path", self.path.clone().into());
        put("status", self.status.into());
        put("reason", self.reason().into());
        for key in ["rule", "subject", "key_id"] {
            put(key, self.text(key).map_or(Value::Null, Value::from));
        }
        // Where there is one: the bundle's.
        for key in ["revision", "detail"] {
            if let Some(text) = self.text(key) {
                put(key, text.into());
            }
        }
        if let Some(difference) = self.self_check() {
            put("self_check", difference.clone());
        }
        let took = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        put("duration_us", took.into());
        line
    }

    /// For people. `with_id`: where the decision can be looked up by it.
    pub fn human(&self, told: &Told, with_id: bool, coloured: bool) -> String {
        let allowed = self
            .record
            .as_ref()
            .and_then(|record| record.get("allowed"));
        let colour = match allowed.and_then(Value::as_bool) {
            Some(true) => Colour::Green,
            _ if self.status >= 500 => Colour::Red,
            _ => Colour::Yellow,
        };
        let time = humantime::format_rfc3339_seconds(self.time()).to_string();
        let time = time.get(11..19).unwrap_or_default().to_owned();
        let decision = format!("{} {}", self.status, self.reason());
        // What a client or a token says must not steer the terminal.
        let safe = |text: &str| told.mask.text(text).escape_debug().to_string();
        let mut line = format!(
            "{time} {} {} {}",
            terminal::paint(colour, &decision, coloured),
            safe(&self.method),
            safe(&self.path),
        );
        if let Some(place) = &told.why.place {
            line.push_str(&format!(" {}", place.escape_debug()));
        }
        for key in ["subject", "key_id", "revision", "detail"] {
            if let Some(text) = self.text(key) {
                line.push_str(&format!(" {key}={}", safe(text)));
            }
        }
        if let Some(difference) = self.self_check() {
            line.push_str(&format!(" self_check={difference}"));
        }
        line.push_str(&format!(" {}us", self.took.as_micros()));
        if with_id {
            line.push_str(&format!(" id={}", self.id));
        }
        line
    }
}
