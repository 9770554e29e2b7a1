//! A second policy that is tried beside the one that decides: asked the same, compared, and told of. It
//! changes no answer, but for the subjects that a configuration has it decide on.

use crate::{
    answer::{self, Said},
    config::{
        candidate::{Candidate as Rules, Enforce},
        headers::Headers,
    },
    crypto::Verifier,
    gate::Gate,
    live::Live,
    words::{Reason, counter},
};
use portcullis_rego::{Entrypoint, Moment, Policy, Value};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The candidate, and how it does.
pub struct Candidate {
    live: Live,
    trial: Mutex<Trial>,
}

/// What a policy made of a request.
#[derive(Clone, PartialEq)]
pub struct Outcome {
    pub said: Said,
    /// The rule's value.
    pub value: Option<Value>,
    pub rule: Entrypoint,
    pub revision: Option<Arc<str>>,
}

#[derive(Default)]
struct Trial {
    /// When the window of errors began: nanoseconds since the Unix epoch.
    since: u64,
    /// The latest time there was. Exchanges end in another order than they are decided in.
    latest: u64,
    errors: u32,
    /// The revision that they are of.
    erred: Option<Arc<str>>,
    /// It decides nothing more, as this revision of it.
    returned: Option<Option<Arc<str>>>,
    /// That it was returned is not told yet.
    is_news: bool,
    counts: BTreeMap<&'static str, u64>,
}

impl Outcome {
    pub fn reason(&self) -> Reason {
        answer::reason(&self.said)
    }

    /// For logs.
    pub fn detail(&self) -> Option<&str> {
        match &self.said {
            Ok(answer) => answer.note().reason.as_deref(),
            Err(failure) => failure.detail.as_deref(),
        }
    }
}

/// Whether a policy gave no answer of its own.
fn is_error(said: &Said) -> bool {
    said.is_err()
}

impl Candidate {
    pub fn new(gate: Gate) -> Candidate {
        Candidate {
            live: Live::new(gate),
            trial: Mutex::default(),
        }
    }

    /// Has the signatures of its bundles checked this way.
    pub fn verified_by(&mut self, verifier: &Verifier) {
        self.live.verified_by(verifier);
    }

    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What it says of an input, by the rule that `asked` is for it; `None` where there is no such policy
    /// yet.
    pub fn ask(
        &self,
        rules: &Rules,
        asked: (&Entrypoint, &Entrypoint),
        input: Value,
        now_ns: u64,
        limits: &Headers,
    ) -> Option<Outcome> {
        let gate = self.live.current();
        let Some(policy) = gate.policy() else {
            self.trial().count(counter::SHADOW_SKIPPED);
            return None;
        };
        let (rule, default) = asked;
        let rule = match rule == default {
            true => &rules.entrypoint,
            false => rule,
        };
        let moment = gate.config().moment(now_ns);
        let outcome = ask(policy, rule, gate.revision_shared(), input, &moment, limits);
        let mut trial = self.trial();
        trial.count(counter::SHADOW_EVALUATIONS);
        if is_error(&outcome.said) {
            trial.count(counter::SHADOW_ERRORS);
            if let Some(enforce) = &rules.enforce {
                trial.erred(enforce, now_ns, outcome.revision.clone());
            }
        }
        Some(outcome)
    }

    /// Whether it decides on this subject's requests.
    pub fn decides_on(&self, rules: &Rules, subject: Option<&str>) -> bool {
        rules.is_for(subject) && self.is_deciding(rules)
    }

    /// Whether there is a policy of it that has not erred too often.
    pub fn is_deciding(&self, rules: &Rules) -> bool {
        let gate = self.live.current();
        let trial = self.trial();
        let is_returned = trial.returned.as_ref();
        rules.enforce.is_some()
            && gate.has_policy()
            && is_returned.is_none_or(|of| *of != gate.revision_shared())
    }

    /// Counts a decision that was its own.
    pub fn decided(&self) {
        self.trial().count(counter::SHADOW_ENFORCED);
    }

    /// Whether it has erred too often since this was asked last.
    pub fn take_news(&self) -> bool {
        std::mem::take(&mut self.trial().is_news)
    }

    /// What was counted since it was asked last, by the counters' names.
    pub fn take_counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = std::mem::take(&mut self.trial().counts);
        for (name, by) in self.live.current().take_counts() {
            if let Some(name) = counter::of_candidate(name) {
                let count: &mut u64 = counts.entry(name).or_default();
                *count = count.saturating_add(by);
            }
        }
        counts
    }

    fn trial(&self) -> MutexGuard<'_, Trial> {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a policy says of an input.
pub fn ask(
    policy: &Policy,
    rule: &Entrypoint,
    revision: Option<Arc<str>>,
    input: Value,
    moment: &Moment,
    limits: &Headers,
) -> Outcome {
    let result = policy.evaluate(rule, input, moment);
    Outcome {
        value: result.as_ref().ok().cloned().flatten(),
        said: answer::said(result, limits),
        rule: rule.clone(),
        revision,
    }
}

impl Trial {
    fn count(&mut self, name: &'static str) {
        let count = self.counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }

    fn erred(&mut self, enforce: &Enforce, now_ns: u64, of: Option<Arc<str>>) {
        let window = u64::try_from(enforce.window.as_nanos()).unwrap_or(u64::MAX);
        // Where the clock was set back, the window is as much longer: that can but return it sooner.
        self.latest = self.latest.max(now_ns);
        let is_over = self.latest >= self.since.saturating_add(window);
        if is_over || self.erred != of {
            (self.since, self.errors) = (self.latest, 0);
            self.erred.clone_from(&of);
        }
        self.errors = self.errors.saturating_add(1);
        let is_returned = self.returned.as_ref() == Some(&of);
        if self.errors > enforce.max_errors && !is_returned {
            self.returned = Some(of);
            self.is_news = true;
            self.count(counter::SHADOW_RETURNS);
        }
    }
}
