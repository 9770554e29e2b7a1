//! Results for people, in the layout of `opa test`.

use super::{duration, run::Report};
use crate::terminal::{Colour, paint};
use portcullis_rego::tools::tests::{Case, Error, Outcome};
use std::collections::BTreeMap;

const RULER: usize = 80;

pub fn show(reports: &[Report<'_>], verbose: bool, colour: bool) -> String {
    let mut page = Page {
        text: String::new(),
        verbose,
        colour,
    };
    let failed = |report: &&Report<'_>| report.ran.outcome == Outcome::Failed;
    if verbose && reports.iter().any(|report| failed(&report)) {
        page.line("FAILURES");
        page.ruler();
        for report in reports.iter().filter(failed) {
            page.failure(report);
        }
        page.line("SUMMARY");
        page.ruler();
    }
    let mut file = None;
    for report in reports {
        if !verbose && report.ran.outcome == Outcome::Passed {
            continue;
        }
        if file != Some(&report.test.file) {
            if file.is_some() {
                page.line("");
            }
            page.line(&format!("{}:", report.test.file));
            file = Some(&report.test.file);
        }
        page.result(report);
    }
    if file.is_some() {
        page.ruler();
    }
    page.counts(reports);
    page.text
}

/// Each outcome's word, the same in every format.
pub fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "PASS",
        Outcome::Failed => "FAIL",
        Outcome::Skipped => "SKIPPED",
        Outcome::Erred(_) => "ERROR",
    }
}

/// Why there is no outcome.
pub fn reason(error: &Error) -> String {
    match error {
        Error::TimedOut => "the test took longer than --timeout allows".to_owned(),
        Error::Failed(text) => text.clone(),
    }
}

struct Page {
    text: String,
    verbose: bool,
    colour: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn ruler(&mut self) {
        self.line(&"-".repeat(RULER));
    }

    fn painted(&self, outcome: &Outcome) -> String {
        let colour = match outcome {
            Outcome::Passed => Colour::Green,
            Outcome::Failed | Outcome::Erred(_) => Colour::Red,
            Outcome::Skipped => Colour::Yellow,
        };
        paint(colour, word(outcome), self.colour)
    }

    fn name(&mut self, report: &Report<'_>) {
        let Report { test, ran, .. } = report;
        let mut line = format!(
            "{}.{}: {}",
            test.package,
            test.name,
            self.painted(&ran.outcome)
        );
        if ran.outcome != Outcome::Skipped {
            line.push_str(&format!(" ({})", duration::show(report.duration)));
        }
        self.line(&line);
    }

    /// In full, above the summary.
    fn failure(&mut self, report: &Report<'_>) {
        self.name(report);
        self.line("");
        self.why(report);
        self.cases(&report.ran.cases, 1, false);
        self.line("");
    }

    fn why(&mut self, report: &Report<'_>) {
        for line in &report.why {
            self.line(&format!("  {line}"));
        }
    }

    fn result(&mut self, report: &Report<'_>) {
        self.name(report);
        // With --verbose it stands above.
        if !self.verbose {
            self.why(report);
        }
        self.cases(&report.ran.cases, 1, self.verbose);
        if let Outcome::Erred(error) = &report.ran.outcome {
            self.line(&format!("  {}", reason(error)));
        }
        if !report.ran.printed.is_empty() {
            self.line("");
            for line in report.ran.printed.join("\n").trim().lines() {
                self.line(&format!("  {line}"));
            }
            self.line("");
        }
    }

    fn cases(&mut self, cases: &BTreeMap<String, Case>, depth: usize, passed_too: bool) {
        for (name, case) in cases {
            if !case.failed && !passed_too {
                continue;
            }
            let outcome = match case.failed {
                true => Outcome::Failed,
                false => Outcome::Passed,
            };
            let painted = self.painted(&outcome);
            self.line(&format!("{}{name}: {painted}", "  ".repeat(depth)));
            self.cases(&case.cases, depth.saturating_add(1), passed_too);
        }
    }

    fn counts(&mut self, reports: &[Report<'_>]) {
        let mut counts =
            [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|it| (it, 0_usize));
        let mut erred = 0_usize;
        let mut add = |outcome: &Outcome, more: usize| match counts
            .iter_mut()
            .find(|(counted, _)| counted == outcome)
        {
            Some((_, count)) => *count = count.saturating_add(more),
            None => erred = erred.saturating_add(more),
        };
        for Report { ran, .. } in reports {
            match ran.cases.is_empty() {
                true => add(&ran.outcome, 1),
                // Each case counts in place of its test.
                false => {
                    let (passed, failed) = leaves(&ran.cases);
                    add(&Outcome::Passed, passed);
                    add(&Outcome::Failed, failed);
                }
            }
        }
        let total = counts
            .iter()
            .fold(erred, |sum, (_, count)| sum.saturating_add(*count));
        for (outcome, count) in counts.iter().filter(|(_, count)| *count > 0) {
            let painted = self.painted(outcome);
            self.line(&format!("{painted}: {count}/{total}"));
        }
        if erred > 0 {
            let painted = paint(Colour::Red, "ERROR", self.colour);
            self.line(&format!("{painted}: {erred}/{total}"));
        }
    }
}

/// How many of the cases that have none below them passed, and how many failed.
fn leaves(cases: &BTreeMap<String, Case>) -> (usize, usize) {
    cases.values().fold((0, 0), |(passed, failed), case| {
        let (more_passed, more_failed) = match (case.cases.is_empty(), case.failed) {
            (true, false) => (1, 0),
            (true, true) => (0, 1),
            (false, _) => leaves(&case.cases),
        };
        (
            usize::saturating_add(passed, more_passed),
            usize::saturating_add(failed, more_failed),
        )
    })
}
