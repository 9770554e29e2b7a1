//! What a policy says of its own log: `data.system.log.drop` and `data.system.log.mask`, asked with the
//! event as `input`, as OPA asks them.

use super::{
    Event,
    pointer::{NoRule, Rule},
};
use crate::gate::Gate;
use portcullis_rego::{
    Entrypoint, Moment, Policy,
    value::{self, Value},
};

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Told,
    Dropped,
    /// Its mask is not known.
    Unmasked,
}

/// The rules that a policy may have.
pub fn entrypoints() -> Vec<Entrypoint> {
    [DROP, MASK]
        .iter()
        .filter_map(|it| Entrypoint::parse(it).ok())
        .collect()
}

const DROP: &str = "system/log/drop";
const MASK: &str = "system/log/mask";

impl Gate {
    /// Has the policy that is active, if it says anything of logs, drop or mask the event.
    pub(super) fn said_of(&self, event: &mut Event, now_ns: u64) -> Said {
        let Some(policy) = self.policy() else {
            return Said::Told;
        };
        let rule = |path| {
            let entrypoint = Entrypoint::parse(path).ok()?;
            policy.has(&entrypoint).then_some(entrypoint)
        };
        let (drop, mask) = (rule(DROP), rule(MASK));
        if drop.is_none() && mask.is_none() {
            return Said::Told;
        }
        let moment = self.config().moment(now_ns);
        let Ok(input) = value::from_members(event.value()) else {
            // A document that Rego cannot hold: no mask knows it.
            return match mask {
                Some(_) => Said::Unmasked,
                None => Said::Told,
            };
        };
        if let Some(drop) = drop
            && policy.evaluate(&drop, input.clone(), &moment) == Ok(Some(Value::Bool(true)))
        {
            return Said::Dropped;
        }
        match mask.map(|mask| masks(policy, &mask, input, &moment)) {
            None => Said::Told,
            Some(Ok(rules)) => {
                event.apply(rules);
                Said::Told
            }
            Some(Err(NoRule)) => Said::Unmasked,
        }
    }
}

fn masks(
    policy: &Policy,
    mask: &Entrypoint,
    input: Value,
    moment: &Moment,
) -> Result<Vec<Rule>, NoRule> {
    match policy.evaluate(mask, input, moment) {
        Ok(Some(masks)) => Rule::all(&value::to_json(&masks)),
        Ok(None) => Ok(Vec::new()),
        Err(_) => Err(NoRule),
    }
}
