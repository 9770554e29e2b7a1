//! Whose policy a gate takes.

use super::{finding::Finding, kinds::UNSIGNED_BUNDLE};
use portcullis_gatefile::{CANDIDATE, GateFile};
use serde_json::Value;

/// Whoever can answer in the server's place writes the policy, where no signature is asked for.
pub fn check(gate: &GateFile) -> Vec<Finding> {
    let candidate = gate.document.pointer("/policy/candidate");
    // One that decides nothing may come from anywhere.
    let decides = candidate.is_some_and(|it| it.get("enforce").is_some());
    let mut findings = of_policy(gate, "policy");
    if decides {
        findings.extend(of_policy(gate, CANDIDATE));
    }
    findings
}

fn of_policy(gate: &GateFile, at: &str) -> Vec<Finding> {
    let pointer = format!("/{}/bundle", at.replace('.', "/"));
    let Some(bundle) = gate.document.pointer(&pointer) else {
        return Vec::new();
    };
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
        _ => return Vec::new(),
    };
    let hint = "`verification: {keys: {...}}` has it take only what one of these keys has signed \
                (`portcullis bundle sign`)";
    vec![
        Finding::new(
            &UNSIGNED_BUNDLE,
            gate.place(&format!("{at}.{field}")),
            message.to_owned(),
        )
        .hint(hint),
    ]
}
