//! An explanation for programs.

use portcullis_engine::{Credential, CredentialOutcome};
use portcullis_rego::tools::{Attempt, Condition, Explanation, Outcome, Shown};
use serde_json::{Map, Value, json};

/// What became of a credential.
pub fn credential(credential: &Credential) -> Value {
    let check = credential.check;
    match &credential.outcome {
        CredentialOutcome::Missing => json!({"check": check, "outcome": "missing"}),
        CredentialOutcome::Verified { by, subject } => json!({
            "check": check, "outcome": "verified", "by": by, "subject": subject,
        }),
        CredentialOutcome::Refused { reason, detail } => json!({
            "check": check, "outcome": "refused", "reason": reason.code(), "detail": detail,
        }),
    }
}

/// Of a rule, and of those it asks.
pub fn explanation(explanation: &Explanation) -> Value {
    let mut json = Map::new();
    json.insert("rule".into(), explanation.rule.clone().into());
    if let Some(value) = &explanation.value {
        json.insert("value".into(), value.clone());
    }
    if let Some(error) = &explanation.error {
        json.insert("error".into(), error.clone().into());
    }
    let attempts = explanation.attempts.iter().map(attempt);
    json.insert("definitions".into(), attempts.collect());
    json.into()
}

fn attempt(attempt: &Attempt) -> Value {
    let mut json = json!({
        "file": attempt.file,
        "line": attempt.place.line,
        "column": attempt.place.column,
        "text": attempt.text,
    });
    let (outcome, value, more) = match &attempt.outcome {
        Outcome::Held { value, values } => {
            let values = values.iter().map(shown).collect();
            ("held", value.clone(), Some(("values", values)))
        }
        Outcome::Default { value } => ("default", value.clone(), None),
        Outcome::NotReached => ("not_reached", None, None),
        Outcome::Unexplained(why) => ("unexplained", None, Some(("why", why.clone().into()))),
        Outcome::Failed(failed) => ("failed", None, Some(("condition", condition(failed)))),
    };
    if let Some(json) = json.as_object_mut() {
        json.insert("outcome".into(), outcome.into());
        json.extend(value.map(|value| ("value".to_owned(), value)));
        json.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    json
}

fn condition(condition: &Condition) -> Value {
    json!({
        "line": condition.place.line,
        "column": condition.place.column,
        "text": condition.text,
        "values": condition.values.iter().map(shown).collect::<Vec<_>>(),
        "because": condition.because.iter().map(explanation).collect::<Vec<_>>(),
    })
}

fn shown(shown: &Shown) -> Value {
    let mut json = Map::new();
    json.insert("text".into(), shown.text.clone().into());
    json.extend(shown.value.clone().map(|value| ("value".to_owned(), value)));
    if shown.more > 0 {
        json.insert("more".into(), shown.more.into());
    }
    Value::Object(json)
}
