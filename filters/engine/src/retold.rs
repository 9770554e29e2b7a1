//! What there is to tell of a decision that was made elsewhere by the same configuration, where only its
//! record is at hand: `serve` has its module decide, and an engine beside it tell more.

use crate::{
    after::Shadow,
    candidate::{self, Outcome},
    decision::{Evidence, Record},
    gate::{Gate, Moment},
    pass::{Asked, Pass},
    request::Request,
};
use portcullis_rego::{Entrypoint, Reach, Value, value::to_json};

/// What the policies said of a request, as an event has it.
pub struct Retold {
    /// What the rule that decided gave; `None` where it was undefined, or no value came of it.
    pub result: Option<serde_json::Value>,
    /// What the policy that did not decide says.
    pub shadow: Option<Shadow>,
}

impl Gate {
    /// Asks again the policy that decided, and the other one where the configuration has it asked. `moment`
    /// is the decision's, with its id, by which candidates are sampled; the reason's code and `by_candidate`
    /// are its record's. `None` where it comes to something else here: nothing is better than what is wrong.
    pub fn retell(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        reason: &str,
        by_candidate: bool,
    ) -> Option<Retold> {
        let pass = Pass {
            reach: &Reach::Whole,
            ..self.pass(request, moment, moment.now_ns)
        };
        let Asked::Policy(question) = pass.asked().ok()? else {
            return None;
        };
        let asked = &question.settings.entrypoint;
        let input = question.input;
        let outcome = self.said_again(by_candidate, asked, input.clone(), moment.now_ns)?;
        let said = outcome.reason();
        // Whatever else refused the request did so after the policy had allowed it.
        let is_the_same = match reason.starts_with("policy.") {
            true => said.code() == reason,
            false => said.allows(),
        };
        if !is_the_same {
            return None;
        }
        let evidence = Evidence {
            now_ns: moment.now_ns,
            input,
            result: None,
            reason: said,
            asked: asked.clone(),
            tried: None,
        };
        let record = Record {
            by_candidate,
            evidence: Some(evidence),
            ..Record::new(moment.decision_id, said)
        };
        Some(Retold {
            result: outcome.value.as_ref().map(to_json),
            shadow: self.shadow(&record),
        })
    }

    /// What the policy says that decided.
    fn said_again(
        &self,
        by_candidate: bool,
        asked: &Entrypoint,
        input: Value,
        now_ns: u64,
    ) -> Option<Outcome> {
        let config = self.config();
        if by_candidate {
            let (candidate, rules) = self.candidate()?;
            let asked = (asked, &config.settings.entrypoint);
            return candidate.ask(rules, asked, input, now_ns, &config.headers);
        }
        let (moment, revision) = (config.moment(now_ns), self.revision_shared());
        let (policy, limits) = (self.policy()?, &config.headers);
        Some(candidate::ask(
            policy, asked, revision, input, &moment, limits,
        ))
    }
}
