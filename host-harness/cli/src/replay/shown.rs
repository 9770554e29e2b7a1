//! What is shown of a request whose decision flips. Nothing else of its input is, for a log of somebody
//! else's may hold anything.

use super::{candidate::Candidate, route};
use crate::explain::text::safe;
use serde_json::Value;

/// Of each text, in characters.
const WIDTH: usize = 160;
const METHOD: usize = 20;

#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub id: String,
    pub method: String,
    pub host: String,
    pub path: String,
    /// The path without what differs between requests of a kind.
    pub route: String,
    pub subject: Option<String>,
}

impl Shown {
    /// Of an event, masked. Where it names nothing, there is nothing.
    pub fn of(event: &Value, candidate: &Candidate) -> Shown {
        let input = event.get("input").unwrap_or(&Value::Null);
        let mask = candidate.mask(input);
        let at = |value: &Value, pointer: &str| {
            let found = value.pointer(pointer).and_then(Value::as_str)?;
            Some(found.to_owned()).filter(|text| !text.is_empty())
        };
        let http = |name: &str| at(input, &format!("/attributes/request/http/{name}"));
        let masked = |text: String, width| safe(&mask.text(&text), width);
        // A gate's line had the request's path in `path` once.
        let own_path = at(event, "/request_path")
            .or_else(|| at(event, "/path").filter(|path| path.starts_with('/')));
        let path = own_path.or_else(|| http("path")).unwrap_or_default();
        // The mask first: half a credential would not be known.
        let path = mask.text(&path);
        let path = safe(route::plain(&path), WIDTH);
        Shown {
            id: masked(at(event, "/decision_id").unwrap_or_default(), WIDTH),
            method: masked(
                at(event, "/method")
                    .or_else(|| http("method"))
                    .unwrap_or_default(),
                METHOD,
            ),
            host: masked(
                at(event, "/host")
                    .or_else(|| http("host"))
                    .unwrap_or_default(),
                WIDTH,
            ),
            route: route::template(&path),
            path,
            subject: subject(event, input).map(|subject| masked(subject, WIDTH)),
        }
    }
}

/// Who was proven; of OPA's events what the gate would name, and last the connection's peer.
fn subject(event: &Value, input: &Value) -> Option<String> {
    const PROVEN: [&str; 5] = [
        "/verified/jwt/claims/sub",
        "/verified/token/claims/sub",
        "/verified/api_key/subject",
        "/verified/signature/subject",
        "/attributes/source/principal",
    ];
    let own = event.get("subject").and_then(Value::as_str);
    let proven = || {
        PROVEN
            .iter()
            .find_map(|pointer| input.pointer(pointer)?.as_str())
    };
    own.or_else(proven)
        .filter(|subject| !subject.is_empty())
        .map(str::to_owned)
}
