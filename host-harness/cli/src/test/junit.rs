//! Results as JUnit's XML: a suite a file, a case a test.

use super::{pretty, run::Report};
use crate::failure::Failure;
use portcullis_rego::tools::tests::{Case, Outcome};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::{collections::BTreeMap, time::Duration};

pub fn show(reports: &[Report<'_>]) -> Result<String, Failure> {
    let mut document = quick_junit::Report::new("portcullis test");
    let mut time = Duration::ZERO;
    for reports in reports.chunk_by(|a, b| a.test.file == b.test.file) {
        let Some(first) = reports.first() else {
            continue;
        };
        let mut suite = TestSuite::new(first.test.file.as_str());
        suite.set_time(sum(reports));
        suite.add_test_cases(reports.iter().map(case));
        document.add_test_suite(suite);
        time = time.saturating_add(sum(reports));
    }
    document.set_time(time);
    document
        .to_string()
        .map_err(|error| Failure::new(format!("the results cannot be written as XML: {error}")))
}

fn sum(reports: &[Report<'_>]) -> Duration {
    let durations = reports.iter().map(|report| report.duration);
    durations.fold(Duration::ZERO, Duration::saturating_add)
}

fn case(report: &Report<'_>) -> TestCase {
    let Report { test, ran, .. } = report;
    let place = format!("{}:{}", test.file, test.line);
    let status = match &ran.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Skipped => TestCaseStatus::skipped(),
        Outcome::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!("{place}: the test is not true"));
            let mut lines = report.why.clone();
            failed(&ran.cases, "", &mut lines);
            if !lines.is_empty() {
                status.set_description(lines.join("\n"));
            }
            status
        }
        Outcome::Erred(error) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(format!("{place}: {}", pretty::reason(error)));
            status
        }
    };
    let mut case = TestCase::new(test.name.as_str(), status);
    case.set_classname(test.package.as_str());
    case.set_time(report.duration);
    case.extra.insert("file".into(), test.file.as_str().into());
    case.extra
        .insert("line".into(), test.line.to_string().into());
    if !ran.printed.is_empty() {
        // No characters of XML, and the library leaves them.
        let printed = ran
            .printed
            .join("\n")
            .replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        case.set_system_out(printed);
    }
    case
}

fn failed(cases: &BTreeMap<String, Case>, above: &str, lines: &mut Vec<String>) {
    for (name, case) in cases.iter().filter(|(_, case)| case.failed) {
        let name = format!("{above}{name}");
        match case.cases.is_empty() {
            true => lines.push(format!("{name}: FAIL")),
            false => failed(&case.cases, &format!("{name}/"), lines),
        }
    }
}
