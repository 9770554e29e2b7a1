//! What there is to say of a replay.

use super::{candidate::Candidate, tally::Tally};
pub use crate::logs::rest::counted;
use crate::{failure::Failure, logs, policy::Which};
use std::{
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

pub struct Report {
    pub logs: Vec<String>,
    /// The files, or the configuration, that it stands in.
    pub policy: String,
    /// Which of the configuration's it is.
    pub which: Option<Which>,
    pub tally: Tally,
    /// What a reader must know of the numbers.
    pub notes: Vec<String>,
    pub allow: u64,
}

impl Report {
    pub fn new(logs: &[PathBuf], candidate: &Candidate, tally: Tally, allow: u64) -> Report {
        let logs = logs::names(logs);
        let mut notes = notes(&tally, &logs);
        for rule in candidate.absent() {
            let of_it = tally.rules.get(&rule).map_or(0, |rule| rule.replayed);
            notes.push(format!(
                "the policy has no rule {rule}: {} of it {} refused now",
                counted(of_it, "decision", "decisions"),
                if of_it == 1 { "is" } else { "are" },
            ));
        }
        Report {
            logs,
            policy: candidate.name.clone(),
            which: candidate.which,
            tally,
            notes,
            allow,
        }
    }

    /// # Errors
    /// Where nothing was decided again that could have been: a log without flips is another thing.
    pub fn check(&self) -> Result<(), Failure> {
        let totals = &self.tally.totals;
        if totals.events == 0 {
            return Err(self.tally.rest.no_event(&self.logs));
        }
        if totals.replayed > 0 || totals.events == totals.not_the_policys {
            return Ok(());
        }
        let mut why = Vec::new();
        for (count, what) in [
            (totals.without_input, "without `input`"),
            (totals.without_rule, "without a rule that can be asked"),
            (totals.without_outcome, "without what was decided"),
        ] {
            if count > 0 {
                why.push(format!("{count} {what}"));
            }
        }
        let why = why.join(", ");
        Err(Failure::new(format!(
            "{}: no decision can be made again: {why}",
            self.logs.join(", ")
        ))
        .hint(match totals.without_rule {
            0 => "it must be logged with its input",
            _ => "name the rule: --entrypoint envoy/authz/allow",
        }))
    }

    /// The logs whose end is missing. Nobody knows how many flips are missing with it, so that no number of
    /// them may be: it fails.
    pub fn cut_logs(&self) -> Vec<&str> {
        self.tally.rest.cut_logs(&self.logs)
    }

    /// The policy, as people speak of it: a configuration may hold two.
    pub fn against(&self) -> String {
        match self.which {
            Some(which) => format!("the {} of {}", which.name(), self.policy),
            None => self.policy.clone(),
        }
    }

    pub fn passes(&self) -> bool {
        self.tally.totals.flips() <= self.allow && self.cut_logs().is_empty()
    }
}

fn notes(tally: &Tally, logs: &[String]) -> Vec<String> {
    let totals = &tally.totals;
    let mut notes = Vec::new();
    let mut note = |count: u64, one: &str, many: &str, rest: &str| {
        if count > 0 {
            notes.push(format!("{} {rest}", counted(count, one, many)));
        }
    };
    let decision = ("decision", "decisions");
    note(
        totals.uncertain,
        decision.0,
        decision.1,
        "cannot be made again for certain: something that the policy can look at was hidden from the log, or the time is missing",
    );
    note(
        totals.without_input,
        decision.0,
        decision.1,
        "logged without `input`, so not made again",
    );
    note(
        totals.without_rule,
        decision.0,
        decision.1,
        "without a rule that can be asked, so not made again: --entrypoint names one",
    );
    note(
        totals.without_outcome,
        decision.0,
        decision.1,
        "of which the log does not say whether it was an allow, so not made again",
    );
    note(
        tally.other_flips,
        "flip",
        "flips",
        "of more kinds than are told apart: counted, and in no group",
    );
    notes.extend(tally.rest.notes(logs));
    notes
}

/// RFC 3339, in milliseconds.
pub fn time(nanoseconds: u64) -> String {
    let since = Duration::from_nanos(nanoseconds);
    let time = UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_millis(time).to_string()
}

pub fn outcome(allowed: bool) -> &'static str {
    match allowed {
        true => "allow",
        false => "deny",
    }
}
