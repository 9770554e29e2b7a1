//! Results as `opa test --format json` has them: what is false or empty is left out, what was printed
//! is in base64, durations are nanoseconds.

use super::{pretty, run::Report};
use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_rego::tools::tests::{Case, Error, Outcome};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub fn show(reports: &[Report<'_>]) -> String {
    format!("{:#}", reports.iter().map(report).collect::<Value>())
}

fn report(report: &Report<'_>) -> Value {
    let Report { test, ran, .. } = report;
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    if let Outcome::Erred(error) = &ran.outcome {
        put(
            "error",
            json!({"code": code(error), "message": pretty::reason(error)}),
        );
    }
    let location = json!({"file": test.file, "row": test.line, "col": test.column});
    put("location", location);
    if !ran.cases.is_empty() {
        put("sub_results", cases(&ran.cases));
    }
    put("package", test.package.as_str().into());
    put("name", test.name.as_str().into());
    if !ran.printed.is_empty() {
        let printed = format!("{}\n", ran.printed.join("\n"));
        put("output", BASE64_STANDARD.encode(printed).into());
    }
    let nanoseconds = u64::try_from(report.duration.as_nanos()).unwrap_or(u64::MAX);
    put("duration", nanoseconds.into());
    match ran.outcome {
        Outcome::Failed => put("fail", true.into()),
        Outcome::Skipped => put("skip", true.into()),
        Outcome::Passed | Outcome::Erred(_) => None,
    };
    Value::Object(fields)
}

/// The codes are OPA's.
fn code(error: &Error) -> &'static str {
    match error {
        Error::TimedOut => "eval_cancel_error",
        Error::Failed(text) if text.contains("conflict") || text.contains("multiple") => {
            "eval_conflict_error"
        }
        Error::Failed(_) => "eval_internal_error",
    }
}

fn cases(cases: &BTreeMap<String, Case>) -> Value {
    let case = |(name, case): (&String, &Case)| {
        let mut fields = Map::from_iter([("name".to_owned(), name.as_str().into())]);
        if case.failed {
            fields.insert("fail".to_owned(), true.into());
        }
        if !case.cases.is_empty() {
            fields.insert("sub_results".to_owned(), self::cases(&case.cases));
        }
        (name.clone(), Value::Object(fields))
    };
    Value::Object(cases.iter().map(case).collect())
}
