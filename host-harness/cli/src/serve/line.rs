//! What is said of a decision: one line, JSON or text, and one in the decision log.

use super::native::{Native, Said, Seen, Told};
use crate::{
    moment,
    policy::Which,
    terminal::{self, Colour},
};
use portcullis_engine::{Facts, Mask, Reason, Sent};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
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
            path: Mask::default()
                .text(path.split('?').next().unwrap_or_default())
                .into_owned(),
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

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The rule that was asked, if one was.
    fn rule(&self) -> Option<&str> {
        self.text("rule")
    }

    /// What was asked, and came of it; none where no policy was asked.
    pub fn said(&self) -> Option<Said<'_>> {
        Some(Said {
            rule: self.rule()?,
            reason: self.reason(),
            by: self.by(),
            is_bundles: self.text("revision").is_some(),
        })
    }

    fn by(&self) -> Which {
        Which::of_record(self.text("enforced_by"))
    }

    /// A filter that failed has recorded nothing.
    fn reason(&self) -> &str {
        self.text("reason").unwrap_or(Reason::HostError.code())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.record.as_ref()?.get(key)?.as_str()
    }

    /// What the evaluators said, where they differed.
    fn self_check(&self) -> Option<&Value> {
        self.record.as_ref()?.get("self_check")
    }

    /// For machines. What the gate itself says, and who was proven, no client can have hidden.
    pub fn json(&self, mask: &Mask) -> Value {
        let mut line = self.fields();
        for key in ["method", "path", "detail"] {
            if let Some(text) = line.get_mut(key) {
                mask.value(text, "", &mut Vec::new());
            }
        }
        Value::Object(line)
    }

    /// As the engine tells of decisions; none where the policy drops it.
    pub fn event(&self, told: &Told, request: Option<(&Seen, &Native)>) -> Option<Value> {
        let record = self.record.as_ref();
        let member = |key: &str| record.and_then(|record| record.get(key));
        let (line, address);
        let sent = match request {
            Some((seen, _)) => {
                address = seen.remote.ip().to_string();
                let text = |name| std::str::from_utf8(seen.headers.get(name)?).ok();
                Sent {
                    method: text(":method"),
                    host: text(":authority"),
                    target: text(":path"),
                    request_id: text("x-request-id"),
                    traceparent: text("traceparent"),
                    client: Some((&address, Some(seen.remote.port()))),
                }
            }
            None => {
                line = (self.method.as_str(), self.path.as_str());
                Sent {
                    method: Some(line.0),
                    target: Some(line.1),
                    ..Sent::default()
                }
            }
        };
        let facts = Facts {
            decision_id: &self.id,
            // The very moment, so that `explain` decides at it.
            at_ns: moment::nanoseconds(self.at),
            allowed: member("allowed").and_then(Value::as_bool) == Some(true),
            reason: self.reason(),
            rule: self.rule(),
            subject: self.text("subject"),
            key_id: self.text("key_id"),
            revision: self.text("revision"),
            bundle: None,
            detail: self.text("detail"),
            by_candidate: self.by() == Which::Candidate,
            self_check: self.self_check().cloned(),
            shadow: told.shadow.clone(),
            sent,
            status: (self.status > 0).then_some(self.status),
            took_ns: u64::try_from(self.took.as_nanos()).ok(),
            input: told.input.clone(),
            result: told.result.clone(),
            place: told.why.place.as_deref(),
        };
        match request {
            Some((_, native)) => native.event(facts, &told.mask),
            None => Some(facts.event(&told.mask, &BTreeMap::new()).into_json()),
        }
    }

    fn time(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.at).unwrap_or(UNIX_EPOCH)
    }

    fn fields(&self) -> Map<String, Value> {
        let time = humantime::format_rfc3339_millis(self.time()).to_string();
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
        // Where there is one: the bundle's revision, and `candidate` where that decided.
        for key in ["revision", "enforced_by", "detail"] {
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
        let shown = |text: &str| text.escape_debug().to_string();
        let safe = |text: &str| shown(&told.mask.text(text));
        let mut line = format!(
            "{time} {} {} {}",
            terminal::paint(colour, &decision, coloured),
            safe(&self.method),
            safe(&self.path),
        );
        if let Some(place) = &told.why.place {
            line.push_str(&format!(" {}", place.escape_debug()));
        }
        for key in ["subject", "key_id", "revision", "enforced_by", "detail"] {
            if let Some(text) = self.text(key) {
                let text = match key {
                    "detail" => safe(text),
                    _ => shown(&told.mask.proven(text)),
                };
                line.push_str(&format!(" {key}={text}"));
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
