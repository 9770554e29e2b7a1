//! What a log comes to: counts, and what flips in groups. As many groups are kept as can be looked at;
//! the counts are exact whatever there is.

use super::{
    judged::{Again, Judged, Lack},
    timeline::{Step, Timeline},
};
use crate::logs::rest::Rest;
use portcullis_engine::Reason;
use std::collections::{BTreeMap, HashMap};

/// Of flips.
const MAX_GROUPS: usize = 1_000;
/// Of a group; and of all flips.
const MAX_SUBJECTS: usize = 100;
const MAX_ALL_SUBJECTS: usize = 10_000;

/// Exact counts. `events` is what is below it, and so is `replayed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub events: u64,
    pub replayed: u64,
    pub same: u64,
    pub to_allow: u64,
    pub to_deny: u64,
    /// Replayed, but on less than was known then.
    pub uncertain: u64,
    /// Among the uncertain ones.
    pub uncertain_to_allow: u64,
    pub uncertain_to_deny: u64,
    pub not_the_policys: u64,
    pub without_input: u64,
    pub without_rule: u64,
    pub without_outcome: u64,
}

impl Totals {
    /// Uncertain ones, too: one that cannot be told is not taken for none.
    pub fn flips(&self) -> u64 {
        [
            self.to_allow,
            self.to_deny,
            self.uncertain_to_allow,
            self.uncertain_to_deny,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// Flips of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    pub rule: String,
    pub method: String,
    pub host: String,
    pub route: String,
    pub to_allow: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    /// All of them.
    pub count: u64,
    /// Those that are uncertain among them.
    pub uncertain: u64,
    pub subjects: Counted,
    /// Old and new, by how often.
    pub reasons: BTreeMap<(String, String), u64>,
    pub examples: Vec<Example>,
}

#[derive(Clone, Debug)]
pub struct Example {
    pub decision_id: String,
    pub at_ns: Option<u64>,
    pub method: String,
    pub path: String,
    pub subject: Option<String>,
    pub old: String,
    pub new: String,
    pub detail: Option<String>,
    /// `file:line` of the policy.
    pub decided_at: Option<String>,
    pub is_uncertain: bool,
}

/// Names with how often they came, the first of them; the rest is one number.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub names: HashMap<Option<String>, u64>,
    pub others: u64,
}

impl Counted {
    fn add(&mut self, name: Option<&String>, most: usize) {
        let name = name.cloned();
        let is_full = self.names.len() >= most;
        let count = match self.names.get_mut(&name) {
            Some(count) => count,
            None if is_full => &mut self.others,
            None => self.names.entry(name).or_default(),
        };
        *count = count.saturating_add(1);
    }

    /// The most frequent first.
    pub fn sorted(&self) -> Vec<(Option<&str>, u64)> {
        let mut all: Vec<(Option<&str>, u64)> = self
            .names
            .iter()
            .map(|(name, count)| (name.as_deref(), *count))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }
}

/// Of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfRule {
    pub replayed: u64,
    pub to_allow: u64,
    pub to_deny: u64,
    pub uncertain: u64,
    pub uncertain_flips: u64,
}

#[derive(Default)]
pub struct Tally {
    pub totals: Totals,
    pub rest: Rest,
    pub rules: BTreeMap<String, OfRule>,
    /// What the policy says now.
    pub reasons: BTreeMap<&'static str, u64>,
    pub groups: HashMap<Kind, Group>,
    /// Flips of more kinds than are kept.
    pub other_flips: u64,
    pub subjects: Counted,
    pub timeline: Timeline,
    /// Of those replayed, in nanoseconds since the Unix epoch.
    pub first_ns: Option<u64>,
    pub last_ns: Option<u64>,
    pub without_time: u64,
    examples: usize,
}

fn more(count: &mut u64) {
    *count = count.saturating_add(1);
}

impl Tally {
    /// With so many examples of each kind.
    pub fn new(examples: usize) -> Tally {
        Tally {
            examples,
            ..Tally::default()
        }
    }

    /// Counts one. Where it is to be an example, `place` is asked where it was decided.
    pub fn add(
        &mut self,
        judged: &Judged,
        at: (usize, u64),
        place: impl FnOnce(&Again) -> Option<String>,
    ) {
        let totals = &mut self.totals;
        match judged {
            Judged::NoEvent(lack) => self.rest.add(*lack, at),
            Judged::NotThePolicys => {
                more(&mut totals.events);
                more(&mut totals.not_the_policys);
            }
            Judged::Lacks(lack) => {
                more(&mut totals.events);
                more(match lack {
                    Lack::Input => &mut totals.without_input,
                    Lack::Rule => &mut totals.without_rule,
                    Lack::Outcome => &mut totals.without_outcome,
                });
            }
            Judged::Again(again) => self.again(again, place),
        }
    }

    fn again(&mut self, again: &Again, place: impl FnOnce(&Again) -> Option<String>) {
        let flips = again.flips();
        let to_allow = again.new.allows();
        let rule = match self.rules.get_mut(&again.rule.name) {
            Some(rule) => rule,
            None => self.rules.entry(again.rule.name.clone()).or_default(),
        };
        let totals = &mut self.totals;
        more(&mut totals.events);
        more(&mut totals.replayed);
        more(&mut rule.replayed);
        let mut step = Step {
            replayed: 1,
            ..Step::default()
        };
        match (again.is_uncertain, flips, to_allow) {
            (true, _, _) => {
                more(&mut totals.uncertain);
                more(&mut rule.uncertain);
                if flips {
                    more(&mut rule.uncertain_flips);
                    step.uncertain = 1;
                    more(match to_allow {
                        true => &mut totals.uncertain_to_allow,
                        false => &mut totals.uncertain_to_deny,
                    });
                }
            }
            (false, false, _) => more(&mut totals.same),
            (false, true, true) => {
                more(&mut totals.to_allow);
                more(&mut rule.to_allow);
                step.to_allow = 1;
            }
            (false, true, false) => {
                more(&mut totals.to_deny);
                more(&mut rule.to_deny);
                step.to_deny = 1;
            }
        }
        more(self.reasons.entry(again.new.code()).or_default());
        match again.at_ns {
            Some(at) => {
                self.first_ns = Some(self.first_ns.map_or(at, |first| first.min(at)));
                self.last_ns = Some(self.last_ns.map_or(at, |last| last.max(at)));
                self.timeline.add(at / 1_000_000_000, &step);
            }
            None => more(&mut self.without_time),
        }
        if flips {
            self.flip(again, to_allow, place);
        }
    }

    fn flip(
        &mut self,
        again: &Again,
        to_allow: bool,
        place: impl FnOnce(&Again) -> Option<String>,
    ) {
        let shown = again.shown.clone().unwrap_or_default();
        self.subjects.add(shown.subject.as_ref(), MAX_ALL_SUBJECTS);
        let kind = Kind {
            rule: again.rule.name.clone(),
            method: shown.method.clone(),
            host: shown.host,
            route: shown.route,
            to_allow,
        };
        let is_full = self.groups.len() >= MAX_GROUPS;
        if is_full && !self.groups.contains_key(&kind) {
            return more(&mut self.other_flips);
        }
        let group = self.groups.entry(kind).or_default();
        more(&mut group.count);
        if again.is_uncertain {
            more(&mut group.uncertain);
        }
        group.subjects.add(shown.subject.as_ref(), MAX_SUBJECTS);
        let reasons = (again.old.reason.clone(), again.new.to_string());
        // A policy says few; of those in a log anybody could make up more.
        if group.reasons.len() < Reason::ALL.len() || group.reasons.contains_key(&reasons) {
            more(group.reasons.entry(reasons).or_default());
        }
        if group.examples.len() < self.examples {
            group.examples.push(Example {
                decision_id: shown.id,
                at_ns: again.at_ns,
                method: shown.method,
                path: shown.path,
                subject: shown.subject,
                old: again.old.reason.clone(),
                new: again.new.to_string(),
                detail: again.detail.clone(),
                decided_at: place(again),
                is_uncertain: again.is_uncertain,
            });
        }
    }

    /// The largest first.
    pub fn sorted(&self) -> Vec<(&Kind, &Group)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::Counted;

    #[test]
    fn what_is_one_too_many_is_counted_all_the_same() {
        let mut counted = Counted::default();
        for name in ["a", "b", "a", "c", "b", "a"] {
            counted.add(Some(&name.to_owned()), 2);
        }
        counted.add(None, 3);
        assert_eq!(
            counted.sorted(),
            [(Some("a"), 3), (Some("b"), 2), (None, 1)]
        );
        assert_eq!(counted.others, 1);
    }
}
