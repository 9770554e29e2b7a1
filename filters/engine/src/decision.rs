//! The answer: what happens to the request, and what is recorded of it.
//! There is no `Default`: a decision is made, never left over.

use crate::{candidate::Outcome, words::Reason};
use portcullis_rego::{Entrypoint, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{fmt, sync::Arc};

/// A decision on one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub effect: Effect,
    pub record: Record,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Allow(Allow),
    Deny(Deny),
}

/// The request goes on, changed so.
#[derive(Clone, Debug, PartialEq)]
pub struct Allow {
    /// Applied in order to the request's headers, `:path` among them.
    pub request: Vec<HeaderEdit>,
    /// Applied in order to the headers of the upstream's response.
    pub response: Vec<HeaderEdit>,
}

/// The request ends here, answered so.
#[derive(Clone, Debug, PartialEq)]
pub struct Deny {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// google.rpc.Code for a gRPC client; `None` for everybody else.
    pub grpc_status: Option<u32>,
}

/// One change to a header map. Names are lower-case and checked against RFC 9110.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// All values of the name go.
    Remove(String),
    /// All values of the name are replaced by this one.
    Set(String, String),
    /// A value is added to those there are.
    Append(String, String),
}

impl HeaderEdit {
    /// The edits that leave exactly these values under the name.
    pub(crate) fn replace(name: &str, values: impl IntoIterator<Item = String>) -> Vec<HeaderEdit> {
        let mut values = values.into_iter();
        match values.next() {
            None => vec![HeaderEdit::Remove(name.to_owned())],
            Some(first) => std::iter::once(HeaderEdit::Set(name.to_owned(), first))
                .chain(values.map(|value| HeaderEdit::Append(name.to_owned(), value)))
                .collect(),
        }
    }
}

/// What logs, metrics and the filter state say of a decision. No secrets, no tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub decision_id: String,
    pub reason: Reason,
    /// The Rego rule that decided, such as `data.envoy.authz.allow`; absent where none was asked.
    pub rule: Option<String>,
    /// Who was proven: a token's `sub`, else an API key's subject.
    pub subject: Option<String>,
    /// What proved it: the API key's id, or the token's `kid`.
    pub key_id: Option<String>,
    /// The API key that was verified, by its id, whatever came of the request: for counting uses.
    pub api_key: Option<String>,
    /// The revision of the bundle that the policy is of; absent of a policy of the document's own.
    pub revision: Option<Arc<str>>,
    /// The policy's own `reason`, or what went wrong inside it: for logs only.
    pub detail: Option<String>,
    /// The policy's `dynamic_metadata`.
    pub metadata: Option<Value>,
    /// What both evaluators said of this request, where they were asked and differed.
    pub self_check: Option<Difference>,
    /// The candidate decided, and not the active policy.
    pub by_candidate: bool,
    /// What the policy was asked and said, where somebody looks at it afterwards.
    pub evidence: Option<Evidence>,
}

/// What a policy was asked, and its answer as it gave it. It holds what clients sent: it is shown to nobody
/// as it is.
#[derive(Clone, PartialEq)]
pub struct Evidence {
    /// When it was asked: nanoseconds since the Unix epoch.
    pub now_ns: u64,
    /// All of the input document.
    pub input: Value,
    /// The rule's value; `None` where it was undefined, or no value came of it.
    pub result: Option<Value>,
    /// What the answer was worth, whatever else then refused the request.
    pub reason: Reason,
    /// The rule that the configuration has requests like this decided by.
    pub(crate) asked: Entrypoint,
    /// What the candidate said, where it was to decide and went wrong.
    pub(crate) tried: Option<Arc<Outcome>>,
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence(..)")
    }
}

/// A difference between the evaluators, in kind: what they made of the request stays with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    pub machine: Reason,
    pub interpreter: Reason,
}

impl Difference {
    /// As it stands in logs.
    pub fn to_json(self) -> serde_json::Value {
        serde_json::json!({
            "virtual_machine": self.machine.code(),
            "interpreter": self.interpreter.code(),
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            machine,
            interpreter,
        } = self;
        write!(
            f,
            "the virtual machine said {machine}, the interpreter {interpreter}"
        )
    }
}

impl Record {
    pub(crate) fn new(decision_id: &str, reason: Reason) -> Record {
        Record {
            decision_id: decision_id.to_owned(),
            reason,
            rule: None,
            subject: None,
            key_id: None,
            api_key: None,
            revision: None,
            detail: None,
            metadata: None,
            self_check: None,
            by_candidate: false,
            evidence: None,
        }
    }

    /// The record as it stands in the filter state, in `serve`'s line and, later, in decision logs.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or(serde_json::Value::Null)
    }
}

/// Absent fields are left out; `allowed` says which way it went.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("allowed", &self.reason.allows())?;
        object.serialize_entry("decision_id", &self.decision_id)?;
        object.serialize_entry("reason", self.reason.code())?;
        for (key, value) in [
            ("rule", self.rule.as_deref()),
            ("subject", self.subject.as_deref()),
            ("key_id", self.key_id.as_deref()),
            ("revision", self.revision.as_deref()),
            ("detail", self.detail.as_deref()),
        ] {
            if let Some(value) = value {
                object.serialize_entry(key, value)?;
            }
        }
        if self.by_candidate {
            object.serialize_entry("enforced_by", "candidate")?;
        }
        if let Some(metadata) = &self.metadata {
            let metadata = portcullis_rego::value::to_json(metadata);
            object.serialize_entry("dynamic_metadata", &metadata)?;
        }
        if let Some(difference) = &self.self_check {
            object.serialize_entry("self_check", &difference.to_json())?;
        }
        object.end()
    }
}

/// Its JSON, in one line.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
