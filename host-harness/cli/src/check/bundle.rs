//! Whose policy a gate takes.

use super::{finding::Finding, kinds::UNSIGNED_BUNDLE};
use portcullis_gatefile::GateFile;
use serde_json::Value;

/// Whoever can answer in the server's place writes the policy, where no signature is asked for.
pub fn check(gate: &GateFile) -> Vec<Finding> {
    let Some(bundle) = gate.document.pointer("/policy/bundle") else {
        return Vec::new();
    };
    let required = bundle.pointer("/verification/required");
    let (at, message) = match (
        bundle.get("verification"),
        required.and_then(Value::as_bool),
    ) {
        (None, _) => ("policy.bundle", "the gate takes any bundle that it is sent"),
        (Some(_), Some(false)) => (
            "policy.bundle.verification.required",
            "the gate takes a bundle without a signature",
        ),
        _ => return Vec::new(),
    };
    let hint = "`verification: {keys: {...}}` has it take only what one of these keys has signed \
                (`portcullis bundle sign`)";
    vec![Finding::new(&UNSIGNED_BUNDLE, gate.place(at), message.to_owned()).hint(hint)]
}
