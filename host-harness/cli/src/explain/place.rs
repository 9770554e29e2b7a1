//! Where a policy decided.

use portcullis_engine::Reason;
use portcullis_rego::tools::{Explanation, Outcome};
use serde_json::Value;

/// The line that decided so: `file:line` of the body that held, else of the default. None where the
/// explanation is of another decision: a wrong place is worse than none.
pub fn place(explained: &Explanation, reason: &str) -> Option<String> {
    if !agrees(explained, reason) {
        return None;
    }
    let attempts = || explained.attempts.iter();
    attempts()
        .find(|attempt| matches!(attempt.outcome, Outcome::Held { .. }))
        .or_else(|| attempts().find(|attempt| matches!(attempt.outcome, Outcome::Default { .. })))
        .map(|attempt| format!("{}:{}", attempt.file, attempt.place.line))
}

/// Whether it comes to what was decided for this reason.
pub fn agrees(explained: &Explanation, reason: &str) -> bool {
    let value = explained.value.as_ref();
    let allowed = value.map(|value| value.get("allowed").unwrap_or(value));
    let allows = allowed.and_then(Value::as_bool) == Some(true);
    match reason {
        _ if explained.error.is_some() => false,
        _ if reason == Reason::PolicyAllowed.code() => allows,
        _ if reason == Reason::PolicyDenied.code() => !allows,
        _ => true,
    }
}
