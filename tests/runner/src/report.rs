//! What came of a run: one verdict for each case on each subject.

use crate::On;
use std::{collections::BTreeMap, fmt};

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub verdicts: Vec<Verdict>,
    /// Subjects and helpers that were not there, each with the reason.
    pub absent: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Verdict {
    pub scenario: String,
    /// The case's name, or `load` for a configuration.
    pub case: String,
    pub on: On,
    pub result: Result,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Result {
    Passed,
    Failed(Vec<String>),
    Skipped(String),
}

impl Report {
    /// Nothing failed, and something ran.
    pub fn ok(&self) -> bool {
        let [passed, failed, _] = self.counts();
        failed == 0 && passed > 0
    }

    /// Passed, failed, skipped.
    pub fn counts(&self) -> [usize; 3] {
        count(self.verdicts.iter())
    }

    pub fn on(&self, on: On) -> Report {
        let verdicts = self.verdicts.iter().filter(|verdict| verdict.on == on);
        Report {
            verdicts: verdicts.cloned().collect(),
            absent: self.absent.clone(),
        }
    }
}

fn count<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> [usize; 3] {
    verdicts.fold([0; 3], |[passed, failed, skipped], verdict| {
        match verdict.result {
            Result::Passed => [passed.saturating_add(1), failed, skipped],
            Result::Failed(_) => [passed, failed.saturating_add(1), skipped],
            Result::Skipped(_) => [passed, failed, skipped.saturating_add(1)],
        }
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut skipped: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for verdict in &self.verdicts {
            let place = format!("{} / {} on {}", verdict.scenario, verdict.case, verdict.on);
            match &verdict.result {
                Result::Passed => {}
                Result::Skipped(why) => {
                    let case = format!("{} / {}", verdict.scenario, verdict.case);
                    skipped
                        .entry((verdict.on.as_str(), why))
                        .or_default()
                        .push(case);
                }
                Result::Failed(faults) => {
                    writeln!(f, "FAILED   {place}")?;
                    for fault in faults {
                        writeln!(f, "           {fault}")?;
                    }
                }
            }
        }
        for ((on, why), cases) in &skipped {
            writeln!(f, "skipped  {} on {on}: {why}", cases.len())?;
            for case in cases {
                writeln!(f, "           {case}")?;
            }
        }
        for absent in &self.absent {
            writeln!(f, "ABSENT   {absent}")?;
        }
        for on in On::ALL {
            let [passed, failed, skipped] =
                count(self.verdicts.iter().filter(|verdict| verdict.on == *on));
            if passed.max(failed).max(skipped) > 0 {
                writeln!(
                    f,
                    "{on}: {passed} passed, {failed} failed, {skipped} skipped"
                )?;
            }
        }
        let [passed, failed, skipped] = self.counts();
        write!(
            f,
            "in all: {passed} passed, {failed} failed, {skipped} skipped"
        )?;
        if passed.max(failed) == 0 {
            write!(f, "; a run of nothing is a failure")?;
        }
        Ok(())
    }
}
