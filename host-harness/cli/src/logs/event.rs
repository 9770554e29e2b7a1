//! A decision that was logged, as much of it as it takes to find it, and to decide it again: our event, `serve`'s and
//! OPA's (`EventV1` of open-policy-agent/opa's v1/plugins/logs/plugin.go).

use super::glance::{Glance, Look};
use portcullis_engine::{Reason, Within};
use portcullis_rego::{Reach, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// An event, without what nobody asks for.
#[derive(Debug, Default)]
pub struct Event {
    id: Option<String>,
    path: Option<String>,
    rule: Option<String>,
    query: bool,
    timestamp: Option<String>,
    time: Option<String>,
    allowed: Option<bool>,
    reason: Option<String>,
    result: Option<Glance>,
    has_error: bool,
    erased: Option<Vec<String>>,
    masked: Option<Vec<String>>,
    /// As far as the policy can look at it.
    pub input: Option<Value>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    pub allowed: bool,
    /// A code of ours, or one that a gate of another version has.
    pub reason: String,
}

/// An event, and whether there is more behind it.
#[derive(Debug)]
pub struct Read {
    /// `None` of JSON that is no decision, such as OPA's other lines.
    pub event: Option<Event>,
    pub is_all: bool,
}

/// Reads what begins with an object.
///
/// # Errors
/// Where that is no JSON, or an input in which a member stands twice.
pub fn read(json: &[u8], reach: &Reach) -> Result<Read, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let event = Members(reach).deserialize(&mut deserializer)?;
    Ok(Read {
        event: event.is_decision().then_some(event),
        is_all: deserializer.end().is_ok(),
    })
}

impl Event {
    fn is_decision(&self) -> bool {
        let asked = self.path.is_some() || self.rule.is_some();
        let said = self.allowed.is_some() || self.result.is_some() || self.has_error;
        match self.id.is_some() {
            true => asked || said || self.reason.is_some() || self.input.is_some() || self.query,
            // Somebody's own, as far as it can be decided again.
            false => self.input.is_some() && (asked || said),
        }
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The rule as it was logged: `path`, unless that is a request's, as `serve` wrote it once.
    pub fn rule(&self) -> Option<&str> {
        let path = self.path.as_deref().filter(|path| !path.starts_with('/'));
        path.or(self.rule.as_deref())
            .filter(|rule| !rule.is_empty())
    }

    /// Whether it was decided without the policy, or against it.
    pub fn is_not_the_policys(&self) -> bool {
        match self.reason.as_deref().and_then(code) {
            Some(reason) if !reason.code().starts_with("policy.") => true,
            Some(_) => self.rule().is_none() && self.input.is_none() && !self.query,
            None => false,
        }
    }

    /// What came of it then; `None` where that was hidden, or is no decision.
    pub fn old(&self) -> Option<Old> {
        let known = self.reason.as_deref().and_then(code);
        let allowed = match (self.allowed.or(known.map(Reason::allows)), &self.result) {
            (Some(allowed), _) => allowed,
            _ if self.hides(&["result"]) || self.hides(&["result", "allowed"]) => return None,
            (None, Some(Glance::Bool(allowed) | Glance::Allowed(Some(allowed)))) => *allowed,
            (None, Some(_)) => return None,
            // Undefined, or an error.
            (None, None) => false,
        };
        let reason = match &self.reason {
            Some(reason) if is_code(reason) => reason.clone(),
            _ if allowed => Reason::PolicyAllowed.to_string(),
            _ if self.has_error => Reason::PolicyError.to_string(),
            _ if self.result.is_none() && self.allowed.is_none() => {
                Reason::PolicyUndefined.to_string()
            }
            _ => Reason::PolicyDenied.to_string(),
        };
        Some(Old { allowed, reason })
    }

    /// When it was decided, in nanoseconds since the Unix epoch.
    pub fn at_ns(&self) -> Option<u64> {
        [&self.timestamp, &self.time]
            .into_iter()
            .flatten()
            .find_map(|text| text.parse::<jiff::Timestamp>().ok())
            .and_then(|time| u64::try_from(time.as_nanosecond()).ok())
    }

    /// Whether something was taken out of the event, or changed, that this policy can look at.
    pub fn hides_from(&self, reach: &Reach) -> bool {
        let mut hidden = self.hidden();
        if hidden.any(|pointer| {
            let path = segments(pointer);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            path.split_first()
                .is_some_and(|(first, rest)| *first == "input" && reach.leads_to(rest))
        }) {
            return true;
        }
        // Where it is not said what was hidden, as `serve` did once, the mask tells.
        let is_said = self.erased.is_some() || self.masked.is_some();
        !is_said && self.input.as_ref().is_some_and(holds_mask)
    }

    fn hidden(&self) -> impl Iterator<Item = &String> {
        self.erased.iter().chain(&self.masked).flatten()
    }

    fn hides(&self, path: &[&str]) -> bool {
        self.hidden().any(|pointer| segments(pointer) == path)
    }
}

/// RFC 6901 section 4. OPA takes a pointer without its first slash, too.
fn segments(pointer: &str) -> Vec<String> {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    pointer
        .split('/')
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn holds_mask(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(portcullis_engine::MASKED),
        Value::Array(items) => items.iter().any(holds_mask),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| holds_mask(name) || holds_mask(value)),
        _ => false,
    }
}

fn code(reason: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|it| it.code() == reason)
}

/// A reason is shown, so it must be one: anybody can write a log.
fn is_code(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.len() <= 40 && text.contains('.') && text.split('.').all(is_part)
}

struct Members<'r>(&'r Reach);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Event;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Event, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Event, A::Error> {
        let mut event = Event::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if name == Known::Other {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            if name == Known::Input {
                let input = members.next_value_seed(Within(self.0))?;
                event.input = Some(input).filter(|input| *input != Value::Null);
                continue;
            }
            let value = members.next_value_seed(Look)?;
            match name {
                Known::DecisionId => event.id = value.text(),
                Known::Path => event.path = value.text(),
                Known::Rule => event.rule = value.text(),
                Known::Query => event.query = value.text().is_some_and(|text| !text.is_empty()),
                Known::Timestamp => event.timestamp = value.text(),
                Known::Time => event.time = value.text(),
                Known::Allowed => {
                    event.allowed = match value {
                        Glance::Bool(allowed) => Some(allowed),
                        _ => None,
                    }
                }
                Known::Reason => event.reason = value.text(),
                Known::Result => event.result = Some(value).filter(|it| *it != Glance::Null),
                Known::Error => event.has_error = value != Glance::Null,
                Known::Erased => event.erased = value.texts(),
                Known::Masked => event.masked = value.texts(),
                Known::Input | Known::Other => {}
            }
        }
        Ok(event)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    DecisionId,
    Path,
    Rule,
    Query,
    Timestamp,
    Time,
    Allowed,
    Reason,
    Result,
    Error,
    Erased,
    Masked,
    Input,
    Other,
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Known;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Known, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Known;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Known, E> {
        Ok(match name {
            "decision_id" => Known::DecisionId,
            "path" => Known::Path,
            "rule" => Known::Rule,
            "query" => Known::Query,
            "timestamp" => Known::Timestamp,
            "time" => Known::Time,
            "allowed" => Known::Allowed,
            "reason" => Known::Reason,
            "result" => Known::Result,
            "error" => Known::Error,
            "erased" => Known::Erased,
            "masked" => Known::Masked,
            "input" => Known::Input,
            _ => Known::Other,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Old, read};
    use portcullis_rego::Reach;

    #[test]
    fn what_was_decided_is_read_of_every_form() {
        // The members beside an input, and `allowed` with the reason; none where it is not told.
        let cases: &[(&str, Option<(bool, &str)>)] = &[
            (
                r#""allowed": true, "reason": "policy.allowed", "result": false"#,
                Some((true, "policy.allowed")),
            ),
            (
                r#""allowed": false, "reason": "policy.budget""#,
                Some((false, "policy.budget")),
            ),
            // `serve` has no `allowed`, and where there was no time to explain no `result` either.
            (
                r#""reason": "policy.allowed""#,
                Some((true, "policy.allowed")),
            ),
            (r#""result": true"#, Some((true, "policy.allowed"))),
            (r#""result": false"#, Some((false, "policy.denied"))),
            (
                r#""result": {"http_status": 401, "allowed": false, "headers": {}}"#,
                Some((false, "policy.denied")),
            ),
            (
                r#""result": {"allowed": true}, "reason": "Alice said so""#,
                Some((true, "policy.allowed")),
            ),
            ("\"decision_id\": \"x\"", Some((false, "policy.undefined"))),
            (
                r#""error": {"code": "eval_conflict_error"}"#,
                Some((false, "policy.error")),
            ),
            (r#""result": {"allowed": "yes"}"#, None),
            (r#""result": 1.5"#, None),
            (r#""result": ["a violation"]"#, None),
            (r#""result": true, "masked": ["/result"]"#, None),
            (r#""result": {}, "erased": ["/result/allowed"]"#, None),
            (
                r#""allowed": true, "erased": ["/result"]"#,
                Some((true, "policy.allowed")),
            ),
        ];
        for (members, expected) in cases {
            let line = format!(r#"{{"path": "a/b", "input": {{}}, {members}}}"#);
            let event = read(line.as_bytes(), &Reach::Whole).unwrap().event.unwrap();
            let expected = expected.map(|(allowed, reason)| Old {
                allowed,
                reason: reason.to_owned(),
            });
            assert_eq!(event.old(), expected, "{members}");
            assert_eq!(event.rule(), Some("a/b"));
        }
    }

    #[test]
    fn other_lines_are_no_events() {
        for line in [
            "{}",
            r#"{"level": "info", "msg": "Received request.", "req_id": 1, "req_path": "/v1/data", "time": "2026-11-27T07:00:00Z"}"#,
            r#"{"decision_id": "x", "msg": "printed", "line": "authz.rego:7", "level": "info"}"#,
            r#"{"decision_id": 7, "path": "a/b"}"#,
        ] {
            let read = read(line.as_bytes(), &Reach::Whole).unwrap();
            assert!(read.event.is_none(), "{line}");
        }
        for line in ["[]", "7", "{\"input\": {\"a\": 1, \"a\": 2}}", "{\"a\""] {
            assert!(read(line.as_bytes(), &Reach::Whole).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_hidden_matters_where_it_is_looked_at() {
        let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let paths = [path("a.b"), path("user")];
        let reach = Reach::of_paths(paths.iter().map(Vec::as_slice));
        // What else the event has, and whether that hides something from the policy.
        for (members, hides) in [
            (r#""masked": ["/input/a/b"]"#, true),
            (r#""masked": ["/input/a/b/c"]"#, true),
            (r#""erased": ["/input/a"]"#, true),
            (r#""erased": ["/input"]"#, true),
            (r#""erased": ["input/user"]"#, true),
            (
                r#""erased": ["/input/a/c", "/result", "/user", "/input/a~1b"]"#,
                false,
            ),
            (r#""x": 1"#, false),
        ] {
            let line = format!(r#"{{"rule": "data.a.b", "input": {{"user": "x"}}, {members}}}"#);
            let event = read(line.as_bytes(), &reach).unwrap().event.unwrap();
            assert_eq!(event.hides_from(&reach), hides, "{members}");
            assert!(event.hides_from(&Reach::Whole) || !members.contains("/input"));
        }
        // Of old logs the mask itself tells.
        let line = r#"{"path": "/x", "rule": "data.a.b", "input": {"user": "a ***", "z": 1}}"#;
        let event = read(line.as_bytes(), &reach).unwrap().event.unwrap();
        assert!(event.hides_from(&reach));
        assert_eq!(event.rule(), Some("data.a.b"));
        let line = r#"{"path": "/x", "rule": "data.a.b", "input": {"user": "a", "z": "***"}}"#;
        let event = read(line.as_bytes(), &reach).unwrap().event.unwrap();
        assert!(!event.hides_from(&reach));
    }

    #[test]
    fn times_have_offsets_and_fractions() {
        let at = |members: &str| {
            let line = format!(r#"{{"path": "a/b", "input": {{}}, {members}}}"#);
            let read = read(line.as_bytes(), &Reach::Whole).unwrap();
            read.event.unwrap().at_ns()
        };
        assert_eq!(
            at(r#""timestamp": "1970-01-01T01:00:01.000000002+01:00""#),
            Some(1_000_000_002)
        );
        assert_eq!(at(r#""time": "1970-01-01T00:00:01Z""#), Some(1_000_000_000));
        assert_eq!(at(r#""timestamp": "yesterday""#), None);
        assert_eq!(at(r#""timestamp": "1960-01-01T00:00:01Z""#), None);
    }
}
