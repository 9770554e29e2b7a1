//! What is told of a decision: OPA's event (`EventV1` of `open-policy-agent/opa`
//! `v1/plugins/logs/plugin.go`), with what a gate knows beside it.

use super::{
    mask::Mask,
    pointer::{Pointer, Rule},
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, UNIX_EPOCH},
};

/// What an event is made of. Texts of the request are as they came: [`Facts::event`] masks them.
#[derive(Clone, Default)]
pub struct Facts<'f> {
    pub decision_id: &'f str,
    /// When it was decided: nanoseconds since the Unix epoch.
    pub at_ns: u64,
    pub allowed: bool,
    /// The code.
    pub reason: &'f str,
    /// The rule that decided, such as `data.envoy.authz.allow`, where one was asked.
    pub rule: Option<&'f str>,
    pub subject: Option<&'f str>,
    pub key_id: Option<&'f str>,
    /// Of the bundle, and its name.
    pub revision: Option<&'f str>,
    pub bundle: Option<&'f str>,
    pub detail: Option<&'f str>,
    pub by_candidate: bool,
    pub self_check: Option<Value>,
    /// As [`Shadow::to_json`](crate::Shadow::to_json) has it.
    pub shadow: Option<Value>,
    pub sent: Sent<'f>,
    /// What the client got, where it is known.
    pub status: Option<u16>,
    /// Of the gate's own work, in nanoseconds.
    pub took_ns: Option<u64>,
    /// What the policy was asked about, and what its rule gave.
    pub input: Option<Value>,
    pub result: Option<Value>,
    /// Where in the policy's files it was decided, where that is known: `authz.rego:12`.
    pub place: Option<&'f str>,
}

/// What a client sent, as far as it is told of wherever the request was decided.
#[derive(Clone, Copy, Default)]
pub struct Sent<'f> {
    pub method: Option<&'f str>,
    pub host: Option<&'f str>,
    /// With its query, which is not told.
    pub target: Option<&'f str>,
    pub request_id: Option<&'f str>,
    /// W3C Trace Context, section 3.2.
    pub traceparent: Option<&'f str>,
    /// The client's address and port.
    pub client: Option<(&'f str, Option<u16>)>,
}

/// An event in the making: nothing of it is to be seen before it is masked.
pub struct Event {
    members: Map<String, Value>,
    erased: Vec<String>,
    masked: Vec<String>,
}

impl Facts<'_> {
    /// The event, without anything that nobody may see. `labels` are the gate's.
    pub fn event(self, mask: &Mask, labels: &BTreeMap<String, String>) -> Event {
        self.event_without(&[], mask, labels)
    }

    /// The same without what a configuration names. That goes first: a client that has a name hidden as a
    /// credential does not save what stands under it.
    pub fn event_without(
        self,
        erased: &[Pointer],
        mask: &Mask,
        labels: &BTreeMap<String, String>,
    ) -> Event {
        let at = UNIX_EPOCH.checked_add(Duration::from_nanos(self.at_ns));
        let at = at.unwrap_or(UNIX_EPOCH);
        let mut event = Event::new();
        event.put("labels", json!(labels));
        event.put("decision_id", self.decision_id);
        event.put("timestamp", humantime::format_rfc3339_nanos(at).to_string());
        event.put("time", humantime::format_rfc3339_millis(at).to_string());
        event.put("allowed", self.allowed);
        event.put("reason", self.reason);
        if let Some(rule) = self.rule {
            event.put("rule", rule);
            let path = rule.strip_prefix("data.").unwrap_or(rule);
            event.put("path", path.replace('.', "/"));
        }
        if let Some(revision) = self.revision {
            event.put("revision", revision);
            let name = self.bundle.unwrap_or("bundle");
            event.put("bundles", json!({name: {"revision": revision}}));
        }
        for (key, proven) in [("subject", self.subject), ("key_id", self.key_id)] {
            if let Some(text) = proven {
                event.put(key, mask.proven(text).into_owned());
            }
        }
        if self.by_candidate {
            event.put("enforced_by", "candidate");
        }
        event.some("self_check", self.self_check);
        event.some("place", self.place.map(Value::from));
        // Nobody has looked for secrets in a body that is not told, and both may quote it.
        let everything = mask.is_without_body().then(Mask::of_everything);
        let of_policy = everything.as_ref().unwrap_or(mask);
        if let Some(shadow) = self.shadow {
            event.put("shadow", shadow);
            event.mask_at("/shadow/detail", of_policy);
        }
        event.text("detail", self.detail, mask);
        event.of_request(self.sent, mask);
        event.some("status", self.status.map(Value::from));
        if let Some(took) = self.took_ns {
            event.put("metrics", json!({"timer_server_handler_ns": took}));
            event.put("duration_us", took.checked_div(1_000).unwrap_or_default());
        }
        event.some("input", self.input);
        event.some("result", self.result);
        for pointer in erased {
            event.erase(pointer);
        }
        if let Some(input) = event.members.get_mut("input") {
            mask.input(input, "/input", &mut event.masked);
        }
        if let Some(result) = event.members.get_mut("result") {
            of_policy.result(result, "/result", &mut event.masked);
        }
        event
    }
}

impl Event {
    fn new() -> Event {
        Event {
            members: Map::new(),
            erased: Vec::new(),
            masked: Vec::new(),
        }
    }

    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.members.insert(key.to_owned(), value.into());
    }

    fn some(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// A text that a client or a policy may have had a say in.
    fn text(&mut self, key: &str, text: Option<&str>, mask: &Mask) {
        if let Some(text) = text {
            self.put(key, text);
            self.mask_at(&format!("/{key}"), mask);
        }
    }

    fn mask_at(&mut self, pointer: &str, mask: &Mask) {
        let mut segments = pointer.split('/').skip(1);
        let mut here = segments
            .next()
            .and_then(|first| self.members.get_mut(first));
        for segment in segments {
            here = here.and_then(|value| value.get_mut(segment));
        }
        if let Some(value) = here {
            match pointer {
                "/host" => mask.authority(value, pointer, &mut self.masked),
                _ => mask.value(value, pointer, &mut self.masked),
            }
            cut(value);
        }
    }

    fn of_request(&mut self, sent: Sent<'_>, mask: &Mask) {
        // Those that everybody uses are nobody's secret.
        match sent.method {
            Some(method) if METHODS.contains(&method) => self.put("method", method),
            method => self.text("method", method, mask),
        }
        self.text("host", sent.host, mask);
        let path = sent
            .target
            .and_then(|target| target.split(['?', '#']).next());
        self.text("request_path", path, mask);
        self.text("request_id", sent.request_id, mask);
        if let Some(traceparent) = sent.traceparent {
            self.text("traceparent", Some(traceparent), mask);
            let shown = self.members.get("traceparent").and_then(Value::as_str);
            if let Some((trace, span)) = shown.and_then(trace) {
                let (trace, span) = (trace.to_owned(), span.to_owned());
                self.put("trace_id", trace);
                self.put("span_id", span);
            }
        }
        if let Some((address, port)) = sent.client {
            let by = match (address.parse::<IpAddr>(), port) {
                (Ok(address), Some(port)) => SocketAddr::new(address, port).to_string(),
                _ => address.to_owned(),
            };
            self.put("requested_by", by);
        }
    }

    /// Takes out what a configuration names.
    fn erase(&mut self, pointer: &Pointer) {
        if pointer.remove(&mut self.members) {
            self.erased.push(pointer.as_str().to_owned());
        }
    }

    /// Does what a policy's masks say.
    pub fn apply(&mut self, rules: Vec<Rule>) {
        for rule in rules {
            rule.apply(&mut self.members, &mut self.erased, &mut self.masked);
        }
    }

    /// Takes out what the policy was asked about and what it gave: of an event that is too large, or whose
    /// mask is not known.
    pub fn erase_all(&mut self) {
        for name in ["input", "result"] {
            let at = format!("/{name}");
            let is_in = |pointer: &String| {
                let rest = pointer.strip_prefix(&at);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            // What was taken out of it, or changed in it, is gone with it.
            let was_there = self.members.remove(name).is_some() || self.erased.iter().any(is_in);
            self.masked.retain(|pointer| !is_in(pointer));
            self.erased.retain(|pointer| !is_in(pointer));
            if was_there {
                self.erased.push(at);
            }
        }
    }

    /// As it stands now: what a policy's rules about logs are asked about.
    pub fn value(&mut self) -> &Map<String, Value> {
        for (key, pointers) in [("erased", &self.erased), ("masked", &self.masked)] {
            match pointers.is_empty() {
                true => self.members.remove(key),
                false => self.members.insert(key.to_owned(), json!(pointers)),
            };
        }
        &self.members
    }

    /// As it is told.
    pub fn into_json(mut self) -> Value {
        self.value();
        Value::Object(self.members)
    }

    /// The same as text, in one line.
    pub fn line(&mut self) -> String {
        serde_json::to_string(self.value()).unwrap_or_default()
    }
}

/// Of a text that a client may have made as long as it likes.
const LONGEST: usize = 2048;

/// Cuts what is too long, and shows that it is.
fn cut(value: &mut Value) {
    const CUT: char = '…';
    if let Value::String(text) = value
        && text.len() > LONGEST
    {
        let most = LONGEST.saturating_sub(CUT.len_utf8());
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push(CUT);
    }
}

/// RFC 9110 section 9.3, and RFC 5789.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// The ids of a trace and of its span (W3C Trace Context, section 3.2.2).
fn trace(traceparent: &str) -> Option<(&str, &str)> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let is_good = is_hex(version, 2)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(span, 16)
        && is_hex(flags, 2)
        && (version != "00" || parts.next().is_none());
    is_good.then_some((trace, span))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
