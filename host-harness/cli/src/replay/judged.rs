//! One record of a log, decided again.

use super::{
    candidate::{Candidate, Rule},
    event::{self, Old},
    records::{Form, Record},
    shown::Shown,
};
use portcullis_engine::Reason;
use std::sync::Arc;

/// What became of a record.
pub enum Judged {
    /// A line of something else.
    NoEvent,
    /// An event, or half of one, that cannot be read.
    Broken,
    /// The log ends in it.
    Cut,
    TooLong,
    /// Decided without the policy, or against it: no policy changes that.
    NotThePolicys,
    /// It cannot be decided again.
    Lacks(Lack),
    Again(Box<Again>),
}

/// What it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    Input,
    Rule,
    Outcome,
}

/// A decision, and what would be decided now.
pub struct Again {
    pub rule: Arc<Rule>,
    pub at_ns: Option<u64>,
    pub old: Old,
    pub new: Reason,
    pub detail: Option<String>,
    /// Something was hidden from it that the policy can look at.
    pub is_uncertain: bool,
    /// Of one that flips.
    pub shown: Option<Shown>,
}

impl Again {
    pub fn flips(&self) -> bool {
        self.old.allowed != self.new.allows()
    }
}

/// Where prefixes hold braces, as many of them are tried.
const TRIES: usize = 8;

/// What became of it, and whether something that is no event stands behind it in its line.
pub fn judge(bytes: &[u8], record: &Record, candidate: &Candidate) -> (Judged, bool) {
    if record.form == Form::TooLong {
        return (Judged::TooLong, false);
    }
    let is_prefixed = bytes.first() != Some(&b'{');
    for start in starts(bytes) {
        let json = bytes.get(start..).unwrap_or_default();
        let Ok(read) = event::read(json, candidate.reach()) else {
            continue;
        };
        return match read.event {
            Some(event) => {
                let judged = again(event, json, candidate);
                (judged, !is_prefixed && !read.is_all)
            }
            None => (Judged::NoEvent, false),
        };
    }
    // Of what is no JSON only a decision's remains count as broken.
    let is_ours = || memchr::memmem::find(bytes, b"\"decision_id\"").is_some();
    let judged = match record.form {
        _ if is_prefixed && !is_ours() => Judged::NoEvent,
        Form::Open => Judged::Cut,
        _ => Judged::Broken,
    };
    (judged, false)
}

/// Where its object may begin: Envoy and others write before it.
fn starts(bytes: &[u8]) -> Vec<usize> {
    match bytes.first() {
        Some(b'{') => vec![0],
        _ => memchr::memmem::find_iter(bytes, b"{\"")
            .take(TRIES)
            .collect(),
    }
}

fn again(event: event::Event, json: &[u8], candidate: &Candidate) -> Judged {
    if event.is_not_the_policys() {
        return Judged::NotThePolicys;
    }
    let Some(rule) = candidate.rule(event.rule()) else {
        return Judged::Lacks(Lack::Rule);
    };
    let at_ns = event.at_ns();
    // What the policy makes of the time cannot be told without.
    let is_uncertain = at_ns.is_none() || event.hides_from(candidate.reach());
    let old = event.old();
    let Some(input) = event.input else {
        return Judged::Lacks(Lack::Input);
    };
    let Some(old) = old else {
        return Judged::Lacks(Lack::Outcome);
    };
    let new = candidate.decide(&rule, input, at_ns.unwrap_or_default());
    let mut again = Again {
        rule,
        at_ns,
        old,
        new: new.reason,
        detail: new.detail,
        is_uncertain,
        shown: None,
    };
    if again.flips() {
        let whole = whole(json).unwrap_or_default();
        again.shown = Some(Shown::of(&whole, candidate));
    }
    Judged::Again(Box::new(again))
}

/// All of an event, where it begins with these bytes.
pub fn whole(json: &[u8]) -> Option<serde_json::Value> {
    serde_json::Deserializer::from_slice(json)
        .into_iter()
        .next()?
        .ok()
}

/// The same of a record, which may have a prefix.
pub fn whole_of(bytes: &[u8]) -> Option<serde_json::Value> {
    starts(bytes)
        .into_iter()
        .find_map(|start| whole(bytes.get(start..)?))
}
