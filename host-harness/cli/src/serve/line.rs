//! One line on stdout for each decision: JSON, or text on a terminal.

use crate::{
    moment,
    terminal::{self, Colour},
};
use portcullis_engine::Reason;
use serde_json::{Map, Value};
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, SystemTime},
};

/// A decision's line; printed when dropped, so that a request whose client leaves has one, too.
pub struct Line {
    time: SystemTime,
    method: String,
    path: String,
    /// What the client got; 0 where it got nothing.
    pub status: u16,
    record: Option<Value>,
    took: Duration,
}

impl Line {
    /// The path goes without its query, which may hold credentials.
    pub fn new(method: &str, path: &str) -> Line {
        Line {
            time: SystemTime::now(),
            method: method.to_owned(),
            path: path.split('?').next().unwrap_or_default().to_owned(),
            status: 0,
            record: None,
            took: Duration::ZERO,
        }
    }

    pub fn decided(&mut self, record: Option<Value>, took: Duration) {
        self.record = record;
        self.took = took;
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.record.as_ref()?.get(key)?.as_str()
    }

    /// What the evaluators said, where they differed.
    fn self_check(&self) -> Option<&Value> {
        self.record.as_ref()?.get("self_check")
    }

    /// A filter that failed has recorded nothing.
    fn reason(&self) -> &str {
        self.text("reason").unwrap_or(Reason::HostError.code())
    }

    fn json(&self) -> String {
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        match self.text("decision_id") {
            Some(id) => put("decision_id", id.into()),
            None => put("decision_id", moment::unique_id().into()),
        };
        put(
            "time",
            humantime::format_rfc3339_millis(self.time)
                .to_string()
                .into(),
        );
        put("method", self.method.clone().into());
        put("path", self.path.clone().into());
        put("status", self.status.into());
        put("reason", self.reason().into());
        for key in ["rule", "subject", "key_id"] {
            put(key, self.text(key).map_or(Value::Null, Value::from));
        }
        if let Some(detail) = self.text("detail") {
            put("detail", detail.into());
        }
        if let Some(difference) = self.self_check() {
            put("self_check", difference.clone());
        }
        let took = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        put("duration_us", took.into());
        Value::Object(line).to_string()
    }

    fn human(&self, coloured: bool) -> String {
        let allowed = self
            .record
            .as_ref()
            .and_then(|record| record.get("allowed"));
        let colour = match allowed.and_then(Value::as_bool) {
            Some(true) => Colour::Green,
            _ if self.status >= 500 => Colour::Red,
            _ => Colour::Yellow,
        };
        let time = humantime::format_rfc3339_seconds(self.time).to_string();
        let time = time.get(11..19).unwrap_or_default().to_owned();
        let decision = format!("{} {}", self.status, self.reason());
        let mut line = format!(
            "{time} {} {} {}",
            terminal::paint(colour, &decision, coloured),
            self.method.escape_debug(),
            self.path.escape_debug(),
        );
        // What a token says must not steer the terminal.
        for key in ["subject", "key_id", "detail"] {
            if let Some(text) = self.text(key) {
                line.push_str(&format!(" {key}={}", text.escape_debug()));
            }
        }
        if let Some(difference) = self.self_check() {
            line.push_str(&format!(" self_check={difference}"));
        }
        line.push_str(&format!(" {}us", self.took.as_micros()));
        line
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let stdout = io::stdout();
        let line = match stdout.is_terminal() {
            true => self.human(terminal::colourful(&stdout)),
            false => self.json(),
        };
        // A reader that has gone away does not stop the gate.
        let _ = writeln!(stdout.lock(), "{line}");
    }
}
