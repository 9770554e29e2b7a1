//! What became of bundles, in the shape of OPA's status updates
//! (`v1/plugins/bundle/status.go`, and the management documentation's "Status").

use super::{
    call::{Answer, Call, CallId},
    schedule::given_up_at,
};
use crate::{
    config::bundle::{Bundle, Status},
    instant,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What there is to report, and the report that is under way.
#[derive(Default)]
pub struct Report {
    /// Whether anybody takes reports.
    is_wanted: bool,
    /// Names the gate of one worker, among all that report.
    id: Option<String>,
    last_request: Option<u64>,
    last_successful_request: Option<u64>,
    last_successful_download: Option<u64>,
    last_successful_activation: Option<u64>,
    active_revision: Option<String>,
    kind: Option<&'static str>,
    size: Option<usize>,
    error: Option<(String, Option<u16>)>,
    /// Whether there is something that was not told yet.
    is_due: bool,
    call: Option<(CallId, u64)>,
}

/// Of one call.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Go's zero `time.Time`, as its JSON has it.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Report {
    /// `is_wanted`: whether anybody takes them.
    pub fn new(is_wanted: bool) -> Report {
        Report {
            is_wanted,
            ..Report::default()
        }
    }

    pub fn asked(&mut self, now: u64) {
        self.last_request = Some(now);
    }

    /// There is nothing new.
    pub fn answered(&mut self, now: u64) {
        self.last_successful_request = Some(now);
        self.error = None;
        self.is_due = true;
    }

    pub fn came(&mut self, now: u64, size: usize) {
        self.last_successful_request = Some(now);
        self.last_successful_download = Some(now);
        self.size = Some(size);
    }

    pub fn activated(&mut self, revision: &str, kind: &'static str, now: u64) {
        self.last_successful_activation = Some(now);
        self.active_revision = Some(revision.to_owned());
        self.kind = Some(kind);
        self.error = None;
        self.is_due = true;
    }

    /// `status`: of the server's answer, where that is what was wrong.
    pub fn failed(&mut self, what: &str, status: Option<u16>) {
        self.error = Some((what.to_owned(), status));
        self.is_due = true;
    }

    pub fn set_back(&mut self, by: u64) {
        if let Some((_, until)) = &mut self.call {
            *until = until.saturating_sub(by);
        }
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<u64> {
        match self.call {
            Some((_, until)) => Some(until),
            None => (self.is_wanted && self.is_due).then_some(0),
        }
    }

    /// The report that is due: what is told is always the latest.
    pub fn call(
        &mut self,
        config: &Bundle,
        to: &Status,
        now: u64,
        random: u64,
        id: CallId,
    ) -> Option<Call> {
        self.call.take_if(|(_, until)| *until <= now);
        if self.call.is_some() || !self.is_due {
            return None;
        }
        self.is_due = false;
        self.id.get_or_insert_with(|| format!("{random:016x}"));
        let mut call = Call::new(id, "POST", &to.endpoint, TIMEOUT);
        call.add("content-type", "application/json".to_owned());
        if let Some(token) = &to.token {
            call.authorize(token);
        }
        call.body = self.to_json(&config.name).to_string().into_bytes();
        self.call = Some((id, given_up_at(now, TIMEOUT)));
        Some(call)
    }

    /// Whether it was the answer to a report, and what was wrong with it. What was not taken is not
    /// told again: the next report says all of it.
    pub fn was_answered(
        &mut self,
        id: CallId,
        answer: &Answer,
        to: &Status,
    ) -> Option<Result<(), String>> {
        self.call.take_if(|(own, _)| *own == id)?;
        Some(match answer.status() {
            Some(200..=299) => Ok(()),
            Some(status) => Err(to
                .endpoint
                .asked(&format!("the answer has status {status}"))),
            None => Err(to.endpoint.asked("there was no answer")),
        })
    }

    fn to_json(&self, name: &str) -> Value {
        let mut bundle = Map::new();
        bundle.insert("name".to_owned(), name.into());
        let times = [
            ("last_request", self.last_request),
            ("last_successful_request", self.last_successful_request),
            ("last_successful_download", self.last_successful_download),
            (
                "last_successful_activation",
                self.last_successful_activation,
            ),
        ];
        for (key, at) in times {
            // OPA leaves none of them out: what never was has Go's zero time.
            let at = at.map_or_else(|| NEVER.to_owned(), instant::shown);
            bundle.insert(key.to_owned(), at.into());
        }
        let mut add = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                bundle.insert(key.to_owned(), value);
            }
        };
        add(
            "active_revision",
            self.active_revision.clone().map(Value::from),
        );
        add("type", self.kind.map(Value::from));
        add("size", self.size.map(Value::from));
        if let Some((message, status)) = &self.error {
            add("code", Some("bundle_error".into()));
            add("message", Some(message.as_str().into()));
            // A number in OPA's JSON too (`json.Number`).
            add("http_code", status.map(Value::from));
        }
        json!({
            "labels": {
                "id": self.id,
                "app": "portcullis",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "bundles": {name: bundle},
        })
    }
}
