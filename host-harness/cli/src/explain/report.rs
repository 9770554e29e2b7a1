//! All there is to say of a request.

use super::{explainer, text};
use crate::{
    failure::Failure,
    http_file::HttpFile,
    mask, moment, policy,
    terminal::{Colour, paint},
};
use portcullis_engine::{
    Attributes, Credential, CredentialOutcome, Effect, Gate, Incoming, Mask, Reason, Request,
};
use portcullis_gatefile::GateFile;
use portcullis_rego::{
    Moment,
    tools::{Attempt, Condition, Explanation, Outcome, Shown},
};
use serde_json::{Map, Value, json};
use std::{path::Path, time::SystemTime};

pub struct Report {
    method: String,
    path: String,
    /// What the client gets; none where it is only known what the policy was asked.
    decision: Option<Decided>,
    credentials: Vec<Credential>,
    /// None where no policy was asked.
    policy: Option<Explanation>,
    /// The decision was made before, and the policy may be another one now.
    is_logged: bool,
}

struct Decided {
    /// Of a denial.
    status: Option<u16>,
    reason: String,
    detail: Option<String>,
}

/// As much as an explanation may take: more than any request is allowed.
const INSTRUCTIONS: u32 = 50_000_000;

impl Report {
    pub fn of_request(file: &GateFile, gate: &Gate, request: &HttpFile) -> Result<Report, Failure> {
        let (decision, credentials, input, entrypoint, mask, now_ns) =
            request.ask(gate, |request, moment| {
                let input = gate.input(request, moment).ok();
                let body = input.as_ref().and_then(|input| input.get("parsed_body"));
                let mask = gate.mask(request, body, moment.decision_id);
                (
                    gate.decide(request, moment),
                    gate.credentials(request, moment),
                    input,
                    gate.entrypoint(request),
                    mask,
                    moment.now_ns,
                )
            });
        let policy = match (&input, entrypoint) {
            (Some(input), Some(rule)) => Some(explained(file, &rule, input, now_ns, &mask)?),
            _ => None,
        };
        let record = decision.record;
        let (method, path) = request.line();
        Ok(Report {
            method,
            path,
            decision: Some(Decided {
                status: match &decision.effect {
                    Effect::Deny(deny) => Some(deny.status),
                    Effect::Allow(_) => None,
                },
                reason: record.reason.code().to_owned(),
                detail: record.detail.map(|detail| mask.text(&detail).into_owned()),
            }),
            credentials,
            policy,
            is_logged: false,
        })
    }

    /// Of a decision that was logged with its input. Its credentials were verified then.
    pub fn of_event(file: &GateFile, gate: &Gate, event: &Value) -> Result<Report, Failure> {
        let input = event.get("input").unwrap_or(&Value::Null);
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        let rule = match text("rule").or(text("path")) {
            // A gate's line has the request's path there.
            Some(rule) if !rule.starts_with('/') => policy::rule(rule),
            _ => policy::entrypoint(file),
        };
        let time = text("timestamp").or(text("time"));
        let now_ns = time
            .and_then(|time| humantime::parse_rfc3339(time).ok())
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .map_or_else(|| moment::nanoseconds(moment::now()), moment::nanoseconds);
        let mask = mask_of(Some(gate), input);
        let policy = match input {
            Value::Null => None,
            input => Some(explained(file, &rule, input, now_ns, &mask)?),
        };
        let http = |key: &str| {
            let pointer = format!("/attributes/request/http/{key}");
            let value = input.pointer(&pointer).and_then(Value::as_str);
            value.or(text(key)).unwrap_or_default().to_owned()
        };
        // Refused before a policy was asked: `path` is a rule's, or in older logs the request's.
        let path = match (http("path"), text("request_path")) {
            (path, Some(own)) if !path.starts_with('/') => own.to_owned(),
            (path, _) => path,
        };
        Ok(Report {
            method: http("method"),
            path: mask.text(&without_query(&path)).into_owned(),
            decision: text("reason").map(|reason| Decided {
                // The status of an allowed request is its upstream's.
                status: event
                    .get("status")
                    .and_then(Value::as_u64)
                    .and_then(|status| u16::try_from(status).ok())
                    .filter(|_| !allows(reason)),
                reason: reason.to_owned(),
                detail: text("detail").map(|detail| mask.text(detail).into_owned()),
            }),
            credentials: Vec::new(),
            policy,
            is_logged: true,
        })
    }

    pub fn to_text(&self, coloured: bool) -> String {
        let mut lines = vec![format!(
            "{} {}",
            self.method.escape_debug(),
            self.path.escape_debug()
        )];
        if let Some(decided) = &self.decision {
            let (colour, what) = match decided.status {
                Some(status) => (
                    Colour::Yellow,
                    format!("denied {status} {}", decided.reason.escape_debug()),
                ),
                None => (
                    Colour::Green,
                    format!("allowed {}", decided.reason.escape_debug()),
                ),
            };
            let detail = decided.detail.as_ref();
            let detail = detail.map(|detail| format!(": {}", printable(detail)));
            let when = if self.is_logged { "logged: " } else { "" };
            let what = paint(colour, &what, coloured);
            lines.push(format!("{when}{what}{}", detail.unwrap_or_default()));
        }
        if !self.credentials.is_empty() {
            lines.extend([String::new(), "credentials".to_owned()]);
            lines.extend(self.credentials.iter().map(credential_line));
        }
        if let Some(policy) = &self.policy {
            lines.push(String::new());
            if self.is_logged {
                lines.push("with the policy as it is now".to_owned());
            }
            lines.extend(text::lines(policy, coloured));
        }
        lines.join("\n")
    }

    pub fn to_json(&self) -> Value {
        let mut report = json!({
            "method": self.method,
            "path": self.path,
            "credentials": self.credentials.iter().map(credential_json).collect::<Vec<_>>(),
            "policy": self.policy.as_ref().map(explanation_json),
        });
        if let (Some(decided), Some(report)) = (&self.decision, report.as_object_mut()) {
            let decision = json!({
                "allowed": decided.status.is_none(),
                "status": decided.status,
                "reason": decided.reason,
                "detail": decided.detail,
                "logged": self.is_logged,
            });
            report.insert("decision".to_owned(), decision);
        }
        report
    }
}

fn explained(
    file: &GateFile,
    rule: &str,
    input: &Value,
    now_ns: u64,
    mask: &Mask,
) -> Result<Explanation, Failure> {
    let moment = Moment {
        now_ns,
        instructions: INSTRUCTIONS,
        strict_builtin_errors: false,
    };
    let input = policy::rego_value(input)?;
    let mut explanation = explainer(file)?.explain(rule, input, &moment);
    mask::explanation(mask, &mut explanation);
    based(&mut explanation, file.base());
    Ok(explanation)
}

/// Files as the user would open them.
fn based(explanation: &mut Explanation, base: &Path) {
    for attempt in &mut explanation.attempts {
        attempt.file = base.join(&attempt.file).display().to_string();
        if let Outcome::Failed(condition) = &mut attempt.outcome {
            condition.because.iter_mut().for_each(|it| based(it, base));
        }
    }
}

fn allows(code: &str) -> bool {
    let mut known = Reason::ALL.iter();
    known.any(|reason| reason.code() == code && reason.allows())
}

/// What must not be shown of a logged input: what a configuration takes for credentials, and what anybody does.
pub fn mask_of(gate: Option<&Gate>, input: &Value) -> Mask {
    let headers = input.pointer("/attributes/request/http/headers");
    let headers: Vec<(&str, &str)> = headers
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    let http = |key: &str| {
        let value = input.pointer(&format!("/attributes/request/http/{key}"));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let pseudo = [
        (":method", http("method")),
        (":path", http("path")),
        (":authority", http("host")),
        (":scheme", http("scheme")),
    ];
    let own = headers.iter().filter(|(name, _)| !name.starts_with(':'));
    let all: Vec<(&str, &[u8])> = pseudo
        .iter()
        .chain(own)
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let request = Request {
        headers: &all,
        attributes: Attributes::default(),
        body: Incoming::None,
    };
    let (body, seed) = (input.get("parsed_body"), moment::unique_id());
    match gate {
        Some(gate) => gate.mask(&request, body, &seed),
        None => Mask::of(&request, body, &seed),
    }
}

/// A query may hold a credential.
pub fn without_query(path: &str) -> String {
    path.split('?').next().unwrap_or_default().to_owned()
}

fn credential_line(credential: &Credential) -> String {
    let what = match &credential.outcome {
        CredentialOutcome::Missing => "none".to_owned(),
        CredentialOutcome::Verified { by, subject } => match subject {
            Some(subject) => format!(
                "verified: {}, subject {}",
                by.escape_debug(),
                subject.escape_debug()
            ),
            None => format!("verified: {}", by.escape_debug()),
        },
        CredentialOutcome::Refused { reason, detail } => match detail {
            Some(detail) => format!("refused: {reason}: {}", printable(detail)),
            None => format!("refused: {reason}"),
        },
    };
    format!("  {:<10} {what}", credential.check)
}

fn credential_json(credential: &Credential) -> Value {
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

fn explanation_json(explanation: &Explanation) -> Value {
    let mut json = Map::new();
    json.insert("rule".into(), explanation.rule.clone().into());
    if let Some(value) = &explanation.value {
        json.insert("value".into(), value.clone());
    }
    if let Some(error) = &explanation.error {
        json.insert("error".into(), error.clone().into());
    }
    let attempts = explanation.attempts.iter().map(attempt_json);
    json.insert("definitions".into(), attempts.collect());
    json.into()
}

fn attempt_json(attempt: &Attempt) -> Value {
    let mut json = json!({
        "file": attempt.file,
        "line": attempt.place.line,
        "column": attempt.place.column,
        "text": attempt.text,
    });
    let (outcome, value, more) = match &attempt.outcome {
        Outcome::Held { value, values } => {
            let values = values.iter().map(shown_json).collect();
            ("held", value.clone(), Some(("values", values)))
        }
        Outcome::Default { value } => ("default", value.clone(), None),
        Outcome::NotReached => ("not_reached", None, None),
        Outcome::Unexplained(why) => ("unexplained", None, Some(("why", why.clone().into()))),
        Outcome::Failed(condition) => {
            let condition = condition_json(condition);
            ("failed", None, Some(("condition", condition)))
        }
    };
    if let Some(json) = json.as_object_mut() {
        json.insert("outcome".into(), outcome.into());
        json.extend(value.map(|value| ("value".to_owned(), value)));
        json.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    json
}

fn condition_json(condition: &Condition) -> Value {
    json!({
        "line": condition.place.line,
        "column": condition.place.column,
        "text": condition.text,
        "values": condition.values.iter().map(shown_json).collect::<Vec<_>>(),
        "because": condition.because.iter().map(explanation_json).collect::<Vec<_>>(),
    })
}

fn shown_json(shown: &Shown) -> Value {
    let mut json = Map::new();
    json.insert("text".into(), shown.text.clone().into());
    json.extend(shown.value.clone().map(|value| ("value".to_owned(), value)));
    if shown.more > 0 {
        json.insert("more".into(), shown.more.into());
    }
    Value::Object(json)
}

/// Without control characters, and with its quotes as they are.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\'' | '"' | '\\' => vec![c],
            other => other.escape_debug().collect(),
        })
        .collect()
}
