//! Where the policy decided.

use super::{candidate::Candidate, judged::Again};
use crate::{explain::place, logs::found::whole_of, policy};
use portcullis_rego::tools::Explainer;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// More are not explained: each asks the policy many questions.
const MOST: usize = 500;

pub struct Why<'c> {
    candidate: &'c Candidate,
    explainer: Option<Explainer>,
    left: usize,
}

impl<'c> Why<'c> {
    pub fn new(candidate: &'c Candidate) -> Why<'c> {
        Why {
            candidate,
            explainer: None,
            left: MOST,
        }
    }

    /// The line of the policy that a decision comes from: `file:line`. A wrong one is worse than none.
    pub fn place(&mut self, again: &Again, record: &[u8]) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        let event = whole_of(record)?;
        let input = policy::rego_value(event.get("input")?).ok()?;
        let candidate = self.candidate;
        let explainer = match self.explainer.take() {
            Some(explainer) => explainer,
            None => Explainer::new(&candidate.sources).ok()?,
        };
        let moment = candidate.moment(again.at_ns.unwrap_or_default());
        // One that panics is not asked again.
        let explained = catch_unwind(AssertUnwindSafe(move || {
            let mut explainer = explainer;
            let explained = explainer.explain(&again.rule.name, input, &moment);
            (explainer, explained)
        }));
        let (explainer, explained) = explained.ok()?;
        self.explainer = Some(explainer);
        let place = place(&explained, again.new.code())?;
        Some(candidate.base.join(place).display().to_string())
    }
}
