//! Why a test failed: the one place that says so, for every format.

use super::run::Report;
use crate::{explain::text, moment};
use portcullis_rego::{
    Moment, Sources,
    tools::{
        self, Explainer,
        tests::{Outcome, Test},
    },
    value::Value,
};

/// As much as the explanation of a test may take.
const INSTRUCTIONS: u32 = 50_000_000;

/// Says of each test that failed where it stands, and which condition does not hold with which
/// values.
pub fn say(reports: &mut [Report<'_>], sources: &Sources) {
    let failed = |report: &&mut Report<'_>| matches!(report.ran.outcome, Outcome::Failed);
    let mut explainer = None;
    for report in reports.iter_mut().filter(failed) {
        let test = report.test;
        report.why = vec![format!("{}:{}", test.file, test.line)];
        if explainer.is_none() {
            explainer = Some(Explainer::new(sources).ok());
        }
        if let Some(Some(explainer)) = &mut explainer {
            report.why.extend(conditions(explainer, test));
        }
    }
}

/// Without the first line, which only says that the test is undefined.
fn conditions(explainer: &mut Explainer, test: &Test) -> Vec<String> {
    let moment = Moment {
        now_ns: moment::nanoseconds(moment::now()),
        instructions: INSTRUCTIONS,
        strict_builtin_errors: false,
    };
    // A second test of a name has a number.
    let name = test.name.split('#').next().unwrap_or_default();
    let rule = format!("{}.{name}", test.package);
    let mut explanation = explainer.explain(&rule, Value::Undefined, &moment);
    explanation
        .attempts
        .retain(|attempt| attempt.file == test.file && attempt.place.line == test.line);
    let held = explanation
        .attempts
        .iter()
        .find_map(|it| match &it.outcome {
            tools::Outcome::Held { value, .. } => Some(value.clone()),
            _ => None,
        });
    match held {
        Some(value) if value == Some(true.into()) => Vec::new(),
        Some(value) => vec![format!("it is {}, not true", text::shown(value.as_ref()))],
        None => {
            let lines = text::lines(&explanation, false).into_iter().skip(2);
            lines
                .map(|line| line.strip_prefix("    ").unwrap_or(&line).to_owned())
                .collect()
        }
    }
}
