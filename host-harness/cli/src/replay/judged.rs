//! One record of a log, decided again.

use super::{
    candidate::{Candidate, Rule},
    shown::Shown,
};
use crate::logs::{
    event::{Event, Old},
    found::{self, Found},
    records::Record,
};
use portcullis_engine::Reason;
use std::sync::Arc;

/// What became of a record.
pub enum Judged {
    NoEvent(found::Lack),
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

/// What became of it, and whether something that is no event stands behind it in its line.
pub fn judge(bytes: &[u8], record: &Record, candidate: &Candidate) -> (Judged, bool) {
    match found::find(bytes, record, candidate.reach()) {
        Found::Event {
            event,
            json,
            is_followed,
        } => (again(*event, json, candidate), is_followed),
        Found::None(lack) => (Judged::NoEvent(lack), false),
    }
}

fn again(event: Event, json: &[u8], candidate: &Candidate) -> Judged {
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
        let whole = found::whole(json).unwrap_or_default();
        again.shown = Some(Shown::of(&whole, candidate));
    }
    Judged::Again(Box::new(again))
}
