//! Pointers into an event, and what is done where they point: what a configuration takes out, and what a
//! policy has removed or replaced.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// The members of an event that a pointer may reach into: OPA's rule
/// (`open-policy-agent/opa` `v1/plugins/logs/mask.go`).
const REACHED: [&str; 2] = ["input", "result"];

/// A place in an event's input or result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    /// As they are written.
    segments: Vec<String>,
}

impl Pointer {
    /// A JSON pointer (RFC 6901) into the input or the result of an event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_event(text: &str) -> Result<Pointer, String> {
        let takes = "takes a JSON pointer (RFC 6901) into `/input` or `/result`";
        let wrong = |what: &str| format!("found `{}`, {what}; {takes}", text.escape_debug());
        let Some(path) = text.strip_prefix('/') else {
            return Err(wrong("which does not begin with `/`"));
        };
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        if !segments
            .first()
            .is_some_and(|it| REACHED.contains(&it.as_str()))
        {
            return Err(wrong("which is another part of the event"));
        }
        for segment in &segments {
            let mut escapes = segment.split('~').skip(1);
            if !escapes.all(|escape| escape.starts_with(['0', '1'])) {
                return Err(wrong("where `~` is followed by neither 0 nor 1"));
            }
        }
        Ok(Pointer {
            text: text.to_owned(),
            segments,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Takes out what is there; false where nothing is.
    pub fn remove(&self, event: &mut Map<String, Value>) -> bool {
        let Some((last, path)) = self.segments.split_last() else {
            return false;
        };
        let Some((first, path)) = path.split_first() else {
            return event.remove(last).is_some();
        };
        event
            .get_mut(first)
            .is_some_and(|value| remove(value, path, last))
    }

    /// Puts a value there, and the objects that lead to it; false where something else stands in the way.
    fn upsert(&self, event: &mut Map<String, Value>, value: Value) -> bool {
        let mut segments = self.segments.iter();
        // Nothing is put into what is not there, as in OPA.
        let Some(mut here) = segments.next().and_then(|first| event.get_mut(first)) else {
            return false;
        };
        if self.segments.len() > 1 && !here.is_object() {
            return false;
        }
        for segment in segments {
            let next = match here {
                Value::Object(members) => {
                    let key = known(members, segment).into_iter().next();
                    let key = key.unwrap_or_else(|| plain(segment).into());
                    Some(members.entry(key).or_insert_with(|| Map::new().into()))
                }
                Value::Array(items) => index(segment).and_then(|at| items.get_mut(at)),
                _ => None,
            };
            match next {
                Some(next) => here = next,
                None => return false,
            }
        }
        *here = value;
        true
    }
}

/// What a policy has done with an event: an entry of `data.system.log.mask`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pointer: Pointer,
    /// What is put there; nothing where what is there is taken out.
    value: Option<Value>,
}

/// No mask of OPA's.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRule;

impl Rule {
    /// Each entry, as OPA reads them: a pointer, or an object with `op`, `path` and `value`.
    ///
    /// # Errors
    /// Where any of them is none: then OPA masks nothing, and tells nothing either.
    pub fn all(mask: &Value) -> Result<Vec<Rule>, NoRule> {
        let entries = mask.as_array().ok_or(NoRule)?;
        entries.iter().map(Rule::read).collect()
    }

    fn read(entry: &Value) -> Result<Rule, NoRule> {
        match entry {
            Value::String(path) => Ok(Rule {
                pointer: pointer(path)?,
                value: None,
            }),
            Value::Object(members) => {
                let text = |key: &str| members.get(key).and_then(Value::as_str).ok_or(NoRule);
                let value = match text("op")? {
                    "remove" => None,
                    "upsert" => Some(members.get("value").cloned().unwrap_or(Value::Null)),
                    _ => return Err(NoRule),
                };
                let pointer = pointer(text("path")?)?;
                Ok(Rule { pointer, value })
            }
            _ => Err(NoRule),
        }
    }

    /// Does it; tells `erased` or `masked` where that changed something.
    pub fn apply(
        self,
        event: &mut Map<String, Value>,
        erased: &mut Vec<String>,
        masked: &mut Vec<String>,
    ) {
        let Rule { pointer, value } = self;
        let (is_done, list) = match value {
            None => (pointer.remove(event), erased),
            Some(value) => (pointer.upsert(event, value), masked),
        };
        if is_done {
            list.push(pointer.text);
        }
    }
}

/// As OPA reads it, which knows no `~`.
fn pointer(text: &str) -> Result<Pointer, NoRule> {
    let path = text.strip_prefix('/').ok_or(NoRule)?;
    let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    let first = segments.first().ok_or(NoRule)?;
    // There is none in our events; OPA's policies may name it.
    if !REACHED.contains(&first.as_str()) && first != "nd_builtin_cache" {
        return Err(NoRule);
    }
    Ok(Pointer {
        text: text.to_owned(),
        segments,
    })
}

/// In every reading of the path.
fn remove(value: &mut Value, path: &[String], last: &str) -> bool {
    let next = path.split_first();
    let segment = next.map_or(last, |(segment, _)| segment.as_str());
    let mut is_done = false;
    match (value, next) {
        (Value::Object(members), None) => {
            for key in known(members, segment) {
                is_done |= members.remove(&key).is_some();
            }
        }
        (Value::Object(members), Some((_, path))) => {
            for key in known(members, segment) {
                let member = members.get_mut(&key);
                is_done |= member.is_some_and(|member| remove(member, path, last));
            }
        }
        (Value::Array(items), next) => {
            let at = index(segment).filter(|at| *at < items.len());
            match (at, next) {
                (Some(at), None) => {
                    items.remove(at);
                    is_done = true;
                }
                (Some(at), Some((_, path))) => {
                    let item = items.get_mut(at);
                    is_done = item.is_some_and(|item| remove(item, path, last));
                }
                (None, _) => {}
            }
        }
        _ => {}
    }
    is_done
}

/// The members that a segment names: as it is written, as RFC 6901 section 4 reads it, or as a part of a
/// URL, which is how OPA's checks read it. Who meant any of them has it taken out, and a client that sends
/// one does not save another.
fn known(members: &Map<String, Value>, segment: &str) -> Vec<String> {
    let url = |text: &str| -> String {
        let text = percent_encoding::percent_decode_str(text);
        text.decode_utf8_lossy().into_owned()
    };
    let (decoded, encoded) = (plain(segment), url(segment));
    let readings = [
        segment.to_owned(),
        url(&decoded),
        plain(&encoded).into_owned(),
        decoded.into_owned(),
        encoded,
    ];
    let mut found: Vec<String> = Vec::new();
    for key in readings {
        if members.contains_key(&key) && !found.contains(&key) {
            found.push(key);
        }
    }
    found
}

fn plain(segment: &str) -> Cow<'_, str> {
    match segment.contains('~') {
        false => Cow::Borrowed(segment),
        true => Cow::Owned(segment.replace("~1", "/").replace("~0", "~")),
    }
}

fn index(segment: &str) -> Option<usize> {
    let digits = segment.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| segment.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{NoRule, Pointer, Rule};
    use serde_json::{Map, Value, json};

    fn event() -> Map<String, Value> {
        let event = json!({
            "input": {"a": {"b": 1, "c/d": 2, "e~f": 3, "g h": 4}, "list": [1, 2, [3, 4]]},
            "result": true,
        });
        event.as_object().unwrap().clone()
    }

    #[test]
    fn pointers_into_an_event() {
        for (text, left) in [
            ("/input/a/b", Some("/input/a/c~1d")),
            ("/input/a/c~1d", Some("/input/a/b")),
            ("/input/a/e~0f", Some("/input/a/b")),
            ("/input/list/2/1", Some("/input/list/2/0")),
            ("/input/a", Some("/input/list")),
            ("/input", Some("/result")),
            ("/result", Some("/input")),
        ] {
            let pointer = Pointer::of_event(text).unwrap();
            let mut event = event();
            assert!(pointer.remove(&mut event), "{text}");
            // What moved up in a list is another.
            if !text.contains("list") {
                assert!(!pointer.remove(&mut event), "{text}");
            }
            let event = Value::Object(event);
            assert!(left.is_none_or(|it| event.pointer(it).is_some()), "{text}");
            assert_eq!(event.pointer(text), None, "{text}");
        }
        for text in [
            "/input/x",
            "/input/a/b/c",
            "/input/list/9",
            "/input/list/-",
            "/result/a",
        ] {
            let mut event = event();
            assert!(
                !Pointer::of_event(text).unwrap().remove(&mut event),
                "{text}"
            );
        }
    }

    #[test]
    fn every_reading_of_a_pointer_is_removed() {
        for text in ["/input/a/ssn~1no%41/b", "/input/ssn~1no%41"] {
            let mut event = json!({"input": {}});
            let keys = ["ssn~1no%41", "ssn/no%41", "ssn~1noA", "ssn/noA"];
            let of = |value: Value| -> Value {
                let members = keys.map(|key| (key.to_owned(), value.clone()));
                Value::Object(members.into_iter().collect())
            };
            event["input"] = of(json!("1234"));
            event["input"]["a"] = of(json!({"b": "1234", "c": [1, 2]}));
            let mut event = event.as_object().unwrap().clone();
            assert!(Pointer::of_event(text).unwrap().remove(&mut event));
            let mut left = event["input"].clone();
            if text.contains("/a/") {
                left = left["a"].clone();
            } else {
                left.as_object_mut().unwrap().remove("a");
            }
            assert!(!left.to_string().contains("1234"), "{text}: {left}");
        }
    }

    #[test]
    fn what_is_no_pointer_into_an_event() {
        for text in [
            "",
            "input",
            "/",
            "/labels",
            "/inputs",
            "/input/~2",
            "/input/a~",
            "/timestamp",
        ] {
            assert!(Pointer::of_event(text).is_err(), "{text}");
        }
    }

    /// The cases of OPA's `mask_test.go`, as far as events of ours have what they are about.
    #[test]
    fn masks_of_opa() {
        let cases = [
            (json!(["/input/a/b"]), "/input/a/b", None, true),
            (
                json!([{"op": "remove", "path": "/input/a/b"}]),
                "/input/a/b",
                None,
                true,
            ),
            (
                json!([{"op": "upsert", "path": "/input/a/b", "value": "x"}]),
                "/input/a/b",
                Some(json!("x")),
                false,
            ),
            (
                json!([{"op": "upsert", "path": "/input/n/e/w", "value": 7}]),
                "/input/n/e/w",
                Some(json!(7)),
                false,
            ),
            (
                json!([{"op": "upsert", "path": "/input/list/0", "value": 7}]),
                "/input/list/0",
                Some(json!(7)),
                false,
            ),
            (
                json!([{"op": "upsert", "path": "/input", "value": {}}]),
                "/input",
                Some(json!({})),
                false,
            ),
            (
                json!([{"op": "upsert", "path": "/result"}]),
                "/result",
                Some(Value::Null),
                false,
            ),
            (json!(["/input/a/g%20h"]), "/input/a/g h", None, true),
        ];
        for (mask, at, value, is_erased) in cases {
            let mut event = event();
            let (mut erased, mut masked) = (Vec::new(), Vec::new());
            for rule in Rule::all(&mask).unwrap() {
                rule.apply(&mut event, &mut erased, &mut masked);
            }
            let event = Value::Object(event);
            assert_eq!(event.pointer(at).cloned(), value, "{mask}");
            assert_eq!(
                (erased.len(), masked.len()),
                if is_erased { (1, 0) } else { (0, 1) }
            );
        }
        // They change nothing, and are no mistake.
        for mask in [
            json!(["/input/x/y"]),
            json!(["/nd_builtin_cache/a"]),
            json!([{"op": "upsert", "path": "/input/list/7", "value": 1}]),
            json!([{"op": "upsert", "path": "/input/a/b/c", "value": 1}]),
            json!([{"op": "upsert", "path": "/result/a", "value": 1}]),
            json!([]),
        ] {
            let mut after = event();
            let (mut erased, mut masked) = (Vec::new(), Vec::new());
            for rule in Rule::all(&mask).unwrap() {
                rule.apply(&mut after, &mut erased, &mut masked);
            }
            assert_eq!(after, event(), "{mask}");
            assert!(erased.is_empty() && masked.is_empty(), "{mask}");
        }
        for mask in [
            json!("/input"),
            json!({"a": 1}),
            json!(["input"]),
            json!([""]),
            json!(["/labels"]),
            json!([7]),
            json!([{"path": "/input/a"}]),
            json!([{"op": "move", "path": "/input/a"}]),
            json!([{"op": "remove"}]),
            json!(["/input/a", {"op": 1, "path": "/input/a"}]),
        ] {
            assert_eq!(Rule::all(&mask), Err(NoRule), "{mask}");
        }
    }
}
