//! What a record of a log is: an event, or why it is none.

use super::{
    event::{self, Event},
    records::{Form, Record},
};
use portcullis_rego::Reach;

pub enum Found<'r> {
    Event {
        event: Box<Event>,
        /// What begins with it.
        json: &'r [u8],
        /// Something that is no event stands behind it in its line.
        is_followed: bool,
    },
    None(Lack),
}

/// Why a record is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A line of something else.
    Other,
    /// An event, or half of one, that cannot be read.
    Broken,
    /// The log ends in it.
    Cut,
    TooLong,
}

/// Where prefixes hold braces, as many of them are tried.
const TRIES: usize = 8;

/// Looks at a record; what of an event's input is read is what `reach` has.
pub fn find<'r>(bytes: &'r [u8], record: &Record, reach: &Reach) -> Found<'r> {
    if record.form == Form::TooLong {
        return Found::None(Lack::TooLong);
    }
    let is_prefixed = bytes.first() != Some(&b'{');
    for start in starts(bytes) {
        let json = bytes.get(start..).unwrap_or_default();
        let Ok(read) = event::read(json, reach) else {
            continue;
        };
        return match read.event {
            Some(event) => Found::Event {
                event: Box::new(event),
                json,
                is_followed: !is_prefixed && !read.is_all,
            },
            None => Found::None(Lack::Other),
        };
    }
    // Of what is no JSON only a decision's remains count as broken.
    let is_ours = || memchr::memmem::find(bytes, b"\"decision_id\"").is_some();
    Found::None(match record.form {
        _ if is_prefixed && !is_ours() => Lack::Other,
        Form::Open => Lack::Cut,
        _ => Lack::Broken,
    })
}

/// Where its object may begin: Envoy and others write before it.
fn starts(bytes: &[u8]) -> Vec<usize> {
    match bytes.first() {
        Some(b'{') => vec![0],
        _ => memchr::memmem::find_iter(bytes, b"{\"")
            .take(TRIES)
            .collect(),
    }
}

/// All of an event, where it begins with these bytes.
pub fn whole(json: &[u8]) -> Option<serde_json::Value> {
    serde_json::Deserializer::from_slice(json)
        .into_iter()
        .next()?
        .ok()
}

/// The same of a record, which may have a prefix.
pub fn whole_of(bytes: &[u8]) -> Option<serde_json::Value> {
    starts(bytes)
        .into_iter()
        .find_map(|start| whole(bytes.get(start..)?))
}
