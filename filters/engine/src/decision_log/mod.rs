//! What is told of each decision: OPA's events with what a gate knows beside them, without anything that
//! is a secret, as lines of the proxy's log and in batches to a server.
//!
//! The way of an event: [`event`] is made of a decision → what the configuration takes out goes
//! ([`pointer`]) → the rest is [`mask`]ed → the policy's `data.system.log.drop` and
//! `data.system.log.mask` have a say ([`rules`]) → it is a line, and waits in a [`buffer`] until `remote`
//! uploads it.

pub(crate) mod buffer;
mod event;
mod mask;
mod pointer;
mod rules;

pub use event::{Event, Facts, Sent};
pub use mask::{MASKED, Mask, Places};
pub use pointer::Pointer;
use rules::Said;
pub use rules::entrypoints;

use crate::{
    after::{Over, Shadow},
    decision::{Evidence, Record},
    gate::Gate,
    request::{Attributes, Incoming, Request},
    words::counter,
};
use portcullis_rego::value::to_json;
use serde_json::Value;
use std::collections::BTreeMap;

/// A parsed body that is larger is not told: looking for secrets in it takes time that requests wait.
const MOST_BODY: usize = 64 * 1024;

impl Gate {
    /// Whether decisions are told of.
    pub fn has_decision_log(&self) -> bool {
        self.config().decision_log.is_some()
    }

    /// What must not be shown of a request, whatever is told of it; `body` is its parsed form, where there
    /// is one, and `seed` something that no client knows beforehand.
    pub fn mask(&self, request: &Request<'_>, body: Option<&Value>, seed: &str) -> Mask {
        self.config().mask(request, body, seed)
    }

    /// Tells of a decision: has it wait for its upload, and gives the line for the proxy's log, where it is
    /// to stand there.
    pub(crate) fn log(&self, over: &Over<'_>, shadow: Option<&Shadow>) -> Option<String> {
        let config = self.config().decision_log.as_ref()?;
        let record = over.record;
        let count = |name| self.knowledge().remote().count(name);
        if record.reason.allows() && !config.sample_allowed.takes(&record.decision_id) {
            count(counter::LOG_SAMPLED_OUT);
            return None;
        }
        let mut event = self.event(over, shadow);
        match self.cut(&mut event, over.now_ns) {
            Said::Told => {}
            Said::Unmasked => count(counter::LOG_MASK_FAILURES),
            Said::Dropped => {
                count(counter::LOG_DROPPED_BY_POLICY);
                return None;
            }
        }
        count(counter::LOG_EVENTS);
        let line = event.line();
        let smaller = || {
            event.erase_all();
            event.line()
        };
        let mut remote = self.knowledge().remote();
        let is_left = remote.log(self.config(), &line, smaller, over.now_ns);
        (config.proxy || is_left).then_some(line)
    }

    /// The event of a decision that was made elsewhere by the same configuration, as this gate's log would
    /// have it, without sampling; `None` where the policy drops it.
    pub fn event_of(&self, facts: Facts<'_>, mask: &Mask) -> Option<Value> {
        let (at_ns, labels) = (facts.at_ns, self.labels(facts.decision_id));
        let mut event = facts.event_without(self.erased(), mask, &labels);
        match self.cut(&mut event, at_ns) {
            Said::Told | Said::Unmasked => Some(event.into_json()),
            Said::Dropped => None,
        }
    }

    /// What the configuration has taken out of events.
    fn erased(&self) -> &[Pointer] {
        let config = self.config().decision_log.as_ref();
        config.map_or(&[], |config| &config.mask)
    }

    /// Has the policy take out what it wants nobody to see. Where its mask is not known, all that it could
    /// be about is taken out.
    fn cut(&self, event: &mut Event, now_ns: u64) -> Said {
        if self.config().decision_log.is_none() {
            return Said::Told;
        }
        let said = self.said_of(event, now_ns);
        if said == Said::Unmasked {
            event.erase_all();
        }
        said
    }

    fn event(&self, over: &Over<'_>, shadow: Option<&Shadow>) -> Event {
        let none = Request {
            headers: &[],
            attributes: Attributes::default(),
            body: Incoming::None,
        };
        let request = over.request.unwrap_or(&none);
        let record = over.record;
        let is_large = record.evidence.as_ref().is_some_and(is_large);
        let input = record.evidence.as_ref().map(|it| input(it, is_large));
        let body = input.as_ref().and_then(|input| input.get("parsed_body"));
        let mut mask = self.mask(request, body, &record.decision_id);
        if is_large {
            mask = mask.without_body();
        }
        let labels = self.labels(&record.decision_id);
        let result = record.evidence.as_ref().and_then(|it| it.result.as_ref());
        let bundle = self.bundle_name(record.by_candidate);
        let facts = Facts {
            sent: Sent::of(request),
            status: over.status,
            took_ns: over.took_ns,
            shadow: shadow.map(Shadow::to_json),
            result: result.map(to_json),
            bundle: bundle.as_deref(),
            at_ns: over.now_ns,
            ..Facts::of(record)
        };
        Facts { input, ..facts }.event_without(self.erased(), &mask, &labels)
    }

    fn labels(&self, seed: &str) -> BTreeMap<String, String> {
        let own = [
            ("app", "portcullis".to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("id", self.knowledge().remote().log_id(seed)),
        ];
        let mut labels: BTreeMap<String, String> = own.map(|(k, v)| (k.to_owned(), v)).into();
        if let Some(config) = &self.config().decision_log {
            labels.extend(config.labels.clone());
        }
        labels
    }

    /// The name of the bundle that the policy is of, or the candidate.
    pub fn bundle_name(&self, of_candidate: bool) -> Option<String> {
        let name = |gate: &Gate| Some(gate.config().bundle.as_ref()?.name.clone());
        match of_candidate {
            false => name(self),
            true => name(&self.candidate()?.0.live().current()),
        }
    }
}

/// Whether there is a body that is too large.
fn is_large(evidence: &Evidence) -> bool {
    let raw = ["attributes", "request", "http", "rawBody"];
    let body = raw
        .iter()
        .fold(&evidence.input, |value, name| &value[*name]);
    body.as_string().is_ok_and(|body| body.len() > MOST_BODY)
}

/// What the policy was asked about, but for a body that is too large.
fn input(evidence: &Evidence, is_large: bool) -> Value {
    let portcullis_rego::Value::Object(members) = &evidence.input else {
        return to_json(&evidence.input);
    };
    let members = members.iter().filter_map(|(key, member)| {
        let key = key.as_string().ok()?;
        let shown = match is_large && &**key == "parsed_body" {
            true => MASKED.into(),
            false => to_json(member),
        };
        Some((key.to_string(), shown))
    });
    Value::Object(members.collect())
}

impl<'f> Facts<'f> {
    fn of(record: &'f Record) -> Facts<'f> {
        let both = record.self_check.map(|difference| difference.to_json());
        Facts {
            decision_id: &record.decision_id,
            allowed: record.reason.allows(),
            reason: record.reason.code(),
            rule: record.rule.as_deref(),
            subject: record.subject.as_deref(),
            key_id: record.key_id.as_deref(),
            revision: record.revision.as_deref(),
            detail: record.detail.as_deref(),
            by_candidate: record.by_candidate,
            self_check: both,
            ..Facts::default()
        }
    }
}

impl<'f> Sent<'f> {
    fn of(request: &Request<'f>) -> Sent<'f> {
        let text = |name| std::str::from_utf8(request.first(name)?).ok();
        let known = request.attributes;
        Sent {
            method: text(":method"),
            host: text(":authority").or(text("host")),
            target: text(":path"),
            request_id: known.request_id.or(text("x-request-id")),
            traceparent: text("traceparent"),
            client: known.source_address.map(|it| (it, known.source_port)),
        }
    }
}
