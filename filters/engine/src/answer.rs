//! What a policy answered: opa-envoy-plugin's output contract, read strictly. Whatever does not
//! fit it is an error, and an error is a refusal.

use crate::{config::headers::Headers as Limits, fields, words::Reason};
use portcullis_rego::{EvalError, Value, value::member};

/// The policy's word on a request, checked in every part that will be used.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Allow(Edits, Note),
    Deny(Shape, Note),
}

impl Answer {
    pub fn note(&self) -> &Note {
        match self {
            Answer::Allow(_, note) | Answer::Deny(_, note) => note,
        }
    }
}

/// A name and the values to set it to, in place of all it had.
pub type Values = (String, Vec<String>);

/// What an allowed request is changed by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    pub headers: Vec<Values>,
    pub remove_headers: Vec<String>,
    pub response_headers: Vec<Values>,
    pub set_query: Vec<Values>,
    pub remove_query: Vec<String>,
}

/// How a refusal is to look; what is absent is the gate's to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    pub status: Option<u16>,
    pub headers: Vec<Values>,
    pub body: Option<String>,
}

/// What goes to logs, whichever way it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    pub reason: Option<String>,
    pub metadata: Option<Value>,
}

/// What came of asking: an answer, or why there is none that counts.
pub type Said = Result<Answer, Failure>;

#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub reason: Reason,
    /// For logs.
    pub detail: Option<String>,
}

/// What is wrong with an answer: for logs.
type Fault = String;

/// What an evaluation says of the request.
pub fn said(result: Result<Option<Value>, EvalError>, limits: &Limits) -> Said {
    let failed = |reason, detail| Failure { reason, detail };
    match result {
        Ok(Some(value)) => {
            read(&value, limits).map_err(|fault| failed(Reason::PolicyError, Some(fault)))
        }
        Ok(None) => Err(failed(Reason::PolicyUndefined, None)),
        Err(EvalError::Budget) => Err(failed(Reason::PolicyBudget, None)),
        Err(error) => Err(failed(Reason::PolicyError, Some(error.to_string()))),
    }
}

/// Why the request is decided as it was said.
pub fn reason(said: &Said) -> Reason {
    match said {
        Ok(Answer::Allow(..)) => Reason::PolicyAllowed,
        Ok(Answer::Deny(..)) => Reason::PolicyDenied,
        Err(failure) => failure.reason,
    }
}

fn read(result: &Value, limits: &Limits) -> Result<Answer, Fault> {
    match result {
        Value::Bool(true) => Ok(Answer::Allow(Edits::default(), Note::default())),
        Value::Bool(false) => Ok(Answer::Deny(Shape::default(), Note::default())),
        Value::Object(_) => {
            let note = Note {
                reason: text(result, "reason")?,
                metadata: match member(result, "dynamic_metadata") {
                    None => None,
                    Some(object @ Value::Object(_)) => Some(object.clone()),
                    Some(_) => return Err("`dynamic_metadata` is no object".into()),
                },
            };
            match member(result, "allowed") {
                Some(Value::Bool(true)) => Ok(Answer::Allow(edits(result, limits)?, note)),
                Some(Value::Bool(false)) => Ok(Answer::Deny(shape(result, limits)?, note)),
                Some(_) => Err("`allowed` is no boolean".into()),
                None => Err("the result is an object without `allowed`".into()),
            }
        }
        _ => Err("the result is neither a boolean nor an object".into()),
    }
}

fn edits(result: &Value, limits: &Limits) -> Result<Edits, Fault> {
    let mut remove_headers = Vec::new();
    for name in list(result, "request_headers_to_remove")? {
        let name = name.to_ascii_lowercase();
        // Upstream ignores these two, so a policy that names them keeps working.
        if name.starts_with(':') || name == "host" {
            continue;
        }
        if fields::is_framing(&name) || !fields::is_token(&name) {
            return Err(format!(
                "`{name}` cannot be removed: it frames the message, or is no name"
            ));
        }
        remove_headers.push(name);
    }
    Ok(Edits {
        headers: headers(result, "headers", limits)?,
        remove_headers,
        response_headers: headers(result, "response_headers_to_add", limits)?,
        set_query: match member(result, "query_parameters_to_set") {
            None => Vec::new(),
            Some(set) => entries(set, "query_parameters_to_set")?,
        },
        remove_query: list(result, "query_parameters_to_remove")?,
    })
}

fn shape(result: &Value, limits: &Limits) -> Result<Shape, Fault> {
    let status = match member(result, "http_status") {
        None => None,
        Some(number) => {
            let status = number
                .as_i64()
                .ok()
                .and_then(|status| u16::try_from(status).ok())
                .filter(|status| is_known_status(*status));
            Some(status.ok_or("`http_status` is no status from 200 to 599 that Envoy knows")?)
        }
    };
    Ok(Shape {
        status,
        headers: headers(result, "headers", limits)?,
        body: text(result, "body")?,
    })
}

/// The statuses of Envoy's `type.v3.StatusCode` that can end a response. Envoy checks none of
/// them: others break the connection.
fn is_known_status(status: u16) -> bool {
    matches!(
        status,
        200..=208 | 226 | 300..=305 | 307 | 308 | 400..=417 | 421..=424 | 426 | 428 | 429 | 431
            | 500..=508 | 510 | 511
    )
}

fn headers(result: &Value, key: &str, limits: &Limits) -> Result<Vec<Values>, Fault> {
    let all = match member(result, key) {
        None => Vec::new(),
        Some(Value::Array(objects)) => {
            let mut all = Vec::new();
            for object in objects.iter() {
                all.extend(entries(object, key)?);
            }
            all
        }
        // OPA hands a set on as an array.
        Some(Value::Set(objects)) => {
            let mut all = Vec::new();
            for object in objects.iter_sorted() {
                all.extend(entries(object, key)?);
            }
            all
        }
        Some(object) => entries(object, key)?,
    };
    all.into_iter()
        .map(|(name, values)| {
            let name = name.to_ascii_lowercase();
            writable(&name, limits)?;
            if !values.iter().all(|value| fields::is_value(value)) {
                return Err(format!(
                    "`{key}` has a value for `{name}` that no header may hold"
                ));
            }
            Ok((name, values))
        })
        .collect()
}

fn writable(name: &str, limits: &Limits) -> Result<(), Fault> {
    if limits.is_protected(name) {
        return Err(format!(
            "`{name}` is protected from being written (headers.protect)"
        ));
    }
    if !fields::is_token(name) {
        return Err("a header's name is no name (RFC 9110 section 5.1)".into());
    }
    Ok(())
}

/// An object of texts, or of lists of texts.
fn entries(object: &Value, key: &str) -> Result<Vec<Values>, Fault> {
    let wrong = || format!("`{key}` is no object of texts");
    let Value::Object(entries) = object else {
        return Err(wrong());
    };
    entries
        .iter()
        .map(|(name, value)| {
            let Value::String(name) = name else {
                return Err(wrong());
            };
            let values = match value {
                Value::String(value) => vec![value.to_string()],
                Value::Array(values) => texts(values.iter()).ok_or_else(wrong)?,
                Value::Set(values) => texts(values.iter_sorted()).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            };
            Ok((name.to_string(), values))
        })
        .collect()
}

/// A list of texts; Rego's sets will do.
fn list(result: &Value, key: &str) -> Result<Vec<String>, Fault> {
    let found = match member(result, key) {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => texts(items.iter()),
        Some(Value::Set(items)) => texts(items.iter()),
        Some(_) => None,
    };
    found.ok_or_else(|| format!("`{key}` is no list of texts"))
}

fn texts<'v>(items: impl Iterator<Item = &'v Value>) -> Option<Vec<String>> {
    items
        .map(|item| match item {
            Value::String(text) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

fn text(result: &Value, key: &str) -> Result<Option<String>, Fault> {
    match member(result, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(format!("`{key}` is no text")),
    }
}
