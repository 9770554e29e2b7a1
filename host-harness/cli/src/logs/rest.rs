//! What stands in logs besides events, and what is missing of them.

use super::{Early, found::Lack};
use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// Counts of what is no event.
#[derive(Debug, Default)]
pub struct Rest {
    pub other: u64,
    pub broken: u64,
    pub cut: u64,
    pub too_long: u64,
    /// Where something stood that cannot be read: which log, and the line.
    at: BTreeSet<(usize, u64)>,
    /// The logs whose end is missing. One that ends in a record is not one of them: it may be written on,
    /// and what is missing is that record, which is counted.
    early: BTreeMap<usize, Early>,
}

/// As many places are told.
const MAX_PLACES: usize = 3;

impl Rest {
    /// Counts a record that is no event, by which log it is of and its line.
    pub fn add(&mut self, lack: Lack, (source, line): (usize, u64)) {
        let count = match lack {
            Lack::Other => &mut self.other,
            Lack::Broken => &mut self.broken,
            Lack::Cut => &mut self.cut,
            Lack::TooLong => &mut self.too_long,
        };
        *count = count.saturating_add(1);
        if matches!(lack, Lack::Broken | Lack::TooLong) && self.at.len() < MAX_PLACES {
            self.at.insert((source, line));
        }
    }

    pub fn ends_early(&mut self, source: usize, early: Early) {
        self.early.insert(source, early);
    }

    /// Records that were, or may have been, decisions.
    pub fn unreadable(&self) -> u64 {
        [self.broken, self.cut, self.too_long]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// The logs whose end is missing: nobody knows what stood there.
    pub fn cut_logs<'l>(&self, logs: &'l [String]) -> Vec<&'l str> {
        let sources = self.early.keys();
        sources
            .filter_map(|source| Some(logs.get(*source)?.as_str()))
            .collect()
    }

    /// What there is to say of it but for other lines.
    pub fn notes(&self, logs: &[String]) -> Vec<String> {
        let mut notes = self.of_records(logs);
        for (source, early) in &self.early {
            if let Some(log) = logs.get(*source) {
                notes.push(format!("{log}: {early}"));
            }
        }
        notes
    }

    fn of_records(&self, logs: &[String]) -> Vec<String> {
        let places: Vec<String> = self
            .at
            .iter()
            .filter_map(|(source, line)| Some(format!("{}:{line}", logs.get(*source)?)))
            .collect();
        let told = [
            (
                self.broken,
                format!("cannot be read: {}", places.join(", ")),
            ),
            (self.too_long, "longer than 16 MiB, so not read".to_owned()),
            (
                self.cut,
                "cut off at the end of a log, so not read".to_owned(),
            ),
        ];
        let told = told.into_iter().filter(|(count, _)| *count > 0);
        told.map(|(count, rest)| format!("{} {rest}", counted(count, "record", "records")))
            .collect()
    }

    /// Why there is no event in these logs.
    pub fn no_event(&self, logs: &[String]) -> Failure {
        let mut notes = self.of_records(logs);
        // The logs are named before it.
        let early = self.early.values();
        notes.extend(early.map(ToString::to_string));
        let named = logs.join(", ");
        match notes.is_empty() {
            true => Failure::new(format!("{named}: there is no decision in it")).hint(
                "`serve --decision-log FILE`, the gate's `decision_log` and OPA write such logs",
            ),
            false => Failure::new(format!(
                "{named}: no decision in it can be read: {}",
                notes.join("; ")
            )),
        }
    }
}

pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
