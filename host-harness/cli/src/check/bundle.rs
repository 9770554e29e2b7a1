//! Whose policy a gate takes.

use super::{finding::Finding, kinds::UNSIGNED_BUNDLE};
use portcullis_gatefile::{CANDIDATE, GateFile};
use serde_json::Value;

/// What to do about it.
pub const HINT: &str = "`verification: {keys: {...}}` has it take only what one of these keys has signed \
                        (`portcullis bundle sign`)";

/// A bundle that is taken without a signature.
pub struct Unsigned {
    /// Whose bundle: `policy`, or its candidate.
    pub of: &'static str,
    /// What says so.
    pub field: String,
    pub message: &'static str,
}

/// Whoever can answer in the server's place writes the policy, where no signature is asked for.
pub fn check(gate: &GateFile) -> Vec<Finding> {
    let finding = |it: Unsigned| {
        let place = gate.place(&it.field);
        Finding::new(&UNSIGNED_BUNDLE, place, it.message).hint(HINT)
    };
    unsigned(&gate.document).into_iter().map(finding).collect()
}

pub fn unsigned(document: &Value) -> Vec<Unsigned> {
    let candidate = document.pointer("/policy/candidate");
    // One that decides nothing may come from anywhere.
    let decides = candidate.is_some_and(|it| it.get("enforce").is_some());
    let candidate = decides.then(|| of_policy(document, CANDIDATE)).flatten();
    of_policy(document, "policy")
        .into_iter()
        .chain(candidate)
        .collect()
}

fn of_policy(document: &Value, at: &'static str) -> Option<Unsigned> {
    let bundle = document.pointer(&format!("/{}/bundle", at.replace('.', "/")))?;
    let required = bundle.pointer("/verification/required");
    let (field, message) = match (
        bundle.get("verification"),
        required.and_then(Value::as_bool),
    ) {
        (None, _) => ("bundle", "the gate takes any bundle that it is sent"),
        (Some(_), Some(false)) => (
            "bundle.verification.required",
            "the gate takes a bundle without a signature",
        ),
        _ => return None,
    };
    Some(Unsigned {
        of: at,
        field: format!("{at}.{field}"),
        message,
    })
}
