//! All there is to say of a request.

use super::{asked::Asked, json, text};
use crate::{
    failure::Failure,
    http_file::HttpFile,
    moment,
    policy::{self, BY_CANDIDATE, Which},
    terminal::{Colour, paint},
};
use portcullis_engine::{
    Attributes, Credential, CredentialOutcome, Effect, Gate, Incoming, Mask, Reason, Record,
    Request,
};
use portcullis_gatefile::GateFile;
use portcullis_rego::tools::Explanation;
use serde_json::{Value, json};
use std::{path::PathBuf, time::SystemTime};

/// Of a bundle, to whom nothing is fetched.
const AWAY: &str = "comes with a bundle, which is not at hand here";

pub struct Report {
    method: String,
    path: String,
    /// What the client gets; none where it is only known what the policy was asked.
    decision: Option<Decided>,
    credentials: Vec<Credential>,
    /// None where no policy was asked.
    policy: Option<Explanation>,
    by: Which,
    /// What else there is to know of the answer.
    notes: Vec<String>,
    /// The decision was made before, and the policy may be another one now.
    is_logged: bool,
    /// The policy is not the configuration's.
    is_named: bool,
}

struct Decided {
    /// Of a denial.
    status: Option<u16>,
    reason: String,
    detail: Option<String>,
}

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
        let record = decision.record;
        let (by, rule) = match record.by_candidate {
            true => (Which::Candidate, record.rule.clone()),
            false => (Which::Policy, entrypoint),
        };
        let policy = match (Asked::own(file, by)?, &input, rule) {
            (Some(asked), Some(input), Some(rule)) => {
                Some(asked.explain(&rule, input, now_ns, &mask)?)
            }
            _ => None,
        };
        let notes = notes(file, gate, &record)?;
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
            by,
            notes,
            is_logged: false,
            is_named: false,
        })
    }

    /// Of a decision that was logged with its input. Its credentials were verified then. `paths` name the
    /// policy, where it is not to be the configuration's.
    pub fn of_event(
        file: &GateFile,
        gate: &Gate,
        event: &Value,
        paths: &[PathBuf],
    ) -> Result<Report, Failure> {
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
        let by = Which::of_record(text("enforced_by"));
        let policy = match input {
            Value::Null => None,
            input => {
                let asked = Asked::named(file, by, paths)?;
                Some(asked.explain(&rule, input, now_ns, &mask)?)
            }
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
            by,
            notes: Vec::new(),
            is_logged: true,
            is_named: !paths.is_empty(),
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
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        lines.extend(notes);
        if !self.credentials.is_empty() {
            lines.extend([String::new(), "credentials".to_owned()]);
            lines.extend(self.credentials.iter().map(credential_line));
        }
        if let Some(policy) = &self.policy {
            lines.push(String::new());
            lines.extend(self.whose());
            lines.extend(text::lines(policy, coloured));
        }
        lines.join("\n")
    }

    /// Which policy the rules are of, where that is not the plain case.
    fn whose(&self) -> Option<String> {
        let decided = match self.by {
            Which::Policy => None,
            Which::Candidate => Some("the candidate decided".to_owned()),
        };
        let with = match (self.is_logged, self.is_named) {
            (false, _) => None,
            (true, false) => Some(format!("with the {} as it is now", self.by.name())),
            (true, true) => Some("with the policy that --policy names".to_owned()),
        };
        let parts: Vec<String> = decided.into_iter().chain(with).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    pub fn to_json(&self) -> Value {
        let mut report = json!({
            "method": self.method,
            "path": self.path,
            "credentials": self.credentials.iter().map(json::credential).collect::<Vec<_>>(),
            "policy": self.policy.as_ref().map(json::explanation),
            "notes": self.notes,
        });
        if let (Some(decided), Some(report)) = (&self.decision, report.as_object_mut()) {
            let decision = json!({
                "allowed": decided.status.is_none(),
                "status": decided.status,
                "reason": decided.reason,
                "detail": decided.detail,
                "enforced_by": match self.by {
                    Which::Policy => None,
                    Which::Candidate => Some(BY_CANDIDATE),
                },
                "logged": self.is_logged,
            });
            report.insert("decision".to_owned(), decision);
        }
        report
    }
}

/// What a gate that fetches no bundle cannot tell of its answer.
fn notes(file: &GateFile, gate: &Gate, record: &Record) -> Result<Vec<String>, Failure> {
    let is_candidates = gate.leaves_to_candidate(record.subject.as_deref());
    let fetched = |which: Which| policy::bundle(file, which).is_some();
    let mut notes = Vec::new();
    if fetched(Which::Policy) && !record.by_candidate {
        notes.push(match record.rule {
            Some(_) => format!("the policy {AWAY}: this is by the one that serves until then"),
            None => format!("the policy {AWAY}"),
        });
    }
    if record.rule.is_some() && is_candidates {
        let has_own = policy::own_sources(file, Which::Candidate)?.is_some();
        let what = match (fetched(Which::Candidate), has_own, record.by_candidate) {
            (_, true, false) => {
                Some("gave no answer of its own: this is by the active policy".into())
            }
            (true, _, true) => Some(format!("{AWAY}: this is by the one that serves until then")),
            (true, _, false) => Some(format!("{AWAY}: this is by the active policy")),
            (false, ..) => None,
        };
        let decides = "the candidate, which decides on this subject's requests,";
        notes.extend(what.map(|what: String| format!("{decides} {what}")));
    }
    Ok(notes)
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

/// Without control characters, and with its quotes as they are.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\'' | '"' | '\\' => vec![c],
            other => other.escape_debug().collect(),
        })
        .collect()
}
