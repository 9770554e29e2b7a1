//! Credentials are shown to nobody: every text that is one, or holds enough of one to tell, is hidden in
//! what is said of a request, whichever part of it or of the policy's words it stands in.

mod names;
mod seek;
mod shape;
mod windows;

pub use names::Places;

use crate::{
    config::Config,
    request::{Attributes, Incoming, Request},
};
use seek::Credentials;
use serde_json::{Map, Value};
use shape::Work;
use std::{borrow::Cow, ops::Range, sync::Arc};
use windows::Windows;

/// What stands in a credential's place.
pub const MASKED: &str = "***";

/// The texts of a request that are hidden.
pub struct Mask {
    places: Arc<Places>,
    windows: Windows,
    /// What is too short for a window, in lower case; hidden where it stands as a word.
    short: Vec<String>,
    /// There is more to hide than is looked for: then all is.
    hides_all: bool,
    /// Bytes of text that are looked at; what comes after them is hidden.
    fuel: Work,
}

/// Of texts that are looked at for one request.
const FUEL: usize = 1 << 20;

impl Config {
    /// What must not be shown of a request. `body` is its parsed form, where there is one; `seed` is what
    /// no client knows.
    pub(crate) fn mask(&self, request: &Request<'_>, body: Option<&Value>, seed: &str) -> Mask {
        Mask::new(Arc::clone(&self.places), request, body, seed)
    }
}

/// Of a request that nothing is known of: what has a credential's form, or stands under the name of one.
impl Default for Mask {
    fn default() -> Mask {
        let request = Request {
            headers: &[],
            attributes: Attributes::default(),
            body: Incoming::None,
        };
        Mask::new(Arc::default(), &request, None, "")
    }
}

impl Mask {
    /// Of a request whose credentials are not known: nothing of it is shown.
    pub fn of_everything() -> Mask {
        Mask {
            hides_all: true,
            ..Mask::default()
        }
    }

    /// Of a request that no configuration says anything of: what anybody takes for a credential.
    pub fn of(request: &Request<'_>, body: Option<&Value>, seed: &str) -> Mask {
        Mask::new(Arc::default(), request, body, seed)
    }

    fn new(places: Arc<Places>, request: &Request<'_>, body: Option<&Value>, seed: &str) -> Mask {
        let mut credentials = Credentials::new(&places, seed);
        for (name, value) in request.headers {
            credentials.of_header(name, &String::from_utf8_lossy(value));
        }
        if let Some(body) = body {
            credentials.of_document(body);
        }
        let (windows, short, hides_all) = credentials.found();
        Mask {
            places,
            windows,
            short,
            hides_all,
            fuel: Work::new(FUEL),
        }
    }

    /// The text without what must not be shown of it.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.hidden(text) {
            hidden if hidden.is_empty() => Cow::Borrowed(text),
            hidden => Cow::Owned(without(text, hidden)),
        }
    }

    /// The same of what nobody but a verified token or the gate's own words can have said: no client can
    /// have it hidden by sending it as a credential.
    pub fn proven<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match shape::tokens(text) {
            hidden if hidden.is_empty() => Cow::Borrowed(text),
            hidden => Cow::Owned(without(text, hidden)),
        }
    }

    /// A document without it; `masked` is told the pointers of what was changed, which begin with `at`.
    pub fn value(&self, value: &mut Value, at: &str, masked: &mut Vec<String>) {
        self.document(value, &mut at.to_owned(), masked, Keys::Ours);
    }

    /// A policy's input.
    pub fn input(&self, input: &mut Value, at: &str, masked: &mut Vec<String>) {
        let Value::Object(members) = input else {
            self.value(input, at, masked);
            return;
        };
        for (key, member) in members.iter_mut() {
            let at = &mut format!("{at}/{}", escaped(key));
            match key.as_str() {
                // Claims are no secrets, and what was proven nobody may hide.
                "verified" => proven(self, member, at, masked),
                "attributes" => self.attributes(member, at, masked),
                "parsed_body" | "parsed_query" => self.named(member, at, masked),
                _ => self.document(member, at, masked, Keys::Ours),
            }
        }
    }

    fn attributes(&self, attributes: &mut Value, at: &mut String, masked: &mut Vec<String>) {
        if let Some(http) = attributes
            .pointer_mut("/request/http")
            .and_then(Value::as_object_mut)
        {
            // What it holds is in the parsed one.
            for name in ["body", "rawBody"] {
                if let Some(body) = http.get_mut(name) {
                    hide(body, &format!("{at}/request/http/{name}"), masked);
                }
            }
            if let Some(Value::Object(headers)) = http.get_mut("headers") {
                let at = format!("{at}/request/http/headers");
                for (name, value) in headers.iter_mut() {
                    if self.places.is_header(name) {
                        hide(value, &format!("{at}/{}", escaped(name)), masked);
                    }
                }
                let mut headers = Value::Object(std::mem::take(headers));
                self.document(&mut headers, &mut at.clone(), masked, Keys::Clients);
                http.insert("headers".to_owned(), headers);
            }
        }
        self.document(attributes, at, masked, Keys::Ours);
    }

    /// What a client has named: also what stands under a credential's name, however deep.
    fn named(&self, value: &mut Value, at: &mut String, masked: &mut Vec<String>) {
        self.hide_named(value, at, masked);
        self.document(value, at, masked, Keys::Clients);
    }

    fn hide_named(&self, value: &mut Value, at: &mut String, masked: &mut Vec<String>) {
        each(value, at, &mut |name, member, at| match name
            .is_some_and(|name| self.places.is_parameter(name))
        {
            true => hide(member, at, masked),
            false => self.hide_named(member, at, masked),
        });
    }

    fn document(&self, value: &mut Value, at: &mut String, masked: &mut Vec<String>, keys: Keys) {
        match value {
            Value::String(text) if text != MASKED => {
                let hidden = self.hidden(text);
                if !hidden.is_empty() {
                    *text = without(text, hidden);
                    tell(at, masked);
                }
            }
            Value::Number(number) if !self.hidden(&number.to_string()).is_empty() => {
                hide(value, at, masked);
            }
            Value::Array(_) => each(value, at, &mut |_, member, at| {
                self.document(member, at, masked, keys);
            }),
            Value::Object(members) => {
                if keys == Keys::Clients {
                    self.keys(members, at, masked);
                }
                // Names that stand at the top of an answer are the contract's.
                let inner = Keys::Clients;
                let keys = if keys == Keys::Answer { inner } else { keys };
                each(value, at, &mut |_, member, at| {
                    self.document(member, at, masked, keys);
                });
            }
            _ => {}
        }
    }

    /// A policy's answer.
    pub fn result(&self, result: &mut Value, at: &str, masked: &mut Vec<String>) {
        self.document(result, &mut at.to_owned(), masked, Keys::Answer);
    }

    fn keys(&self, members: &mut Map<String, Value>, at: &str, masked: &mut Vec<String>) {
        let is_plain = |key: &String| key.len() < windows::WINDOW || self.hidden(key).is_empty();
        if members.keys().all(is_plain) {
            return;
        }
        for (key, member) in std::mem::take(members) {
            members.insert(self.text(&key).into_owned(), member);
        }
        tell(at, masked);
    }

    /// What is hidden of a text, in order, and apart.
    fn hidden(&self, text: &str) -> Vec<Range<usize>> {
        let is_seen = self.fuel.takes(text.len());
        if (self.hides_all || !is_seen) && !text.is_empty() {
            let (start, end) = (0, text.len());
            return vec![Range { start, end }];
        }
        let mut hidden = self.seen(text);
        hidden.extend(shape::named(text, &self.places, &self.fuel));
        if text.contains('%') {
            hidden.extend(self.encoded(text));
            let named = shape::named_encoded(text, &self.places, &self.fuel);
            hidden.extend(named.into_iter().map(|(_, range)| range));
        }
        hidden.sort_unstable_by_key(|range| range.start);
        hidden
    }

    /// Credentials as they are, and whatever has a token's shape.
    fn seen(&self, text: &str) -> Vec<Range<usize>> {
        let mut seen = shape::tokens(text);
        if text.len() >= windows::WINDOW && !self.windows.is_empty() {
            let windows = self.windows.find(text);
            seen.extend(windows.map(|at| at..at.saturating_add(windows::WINDOW)));
        }
        if !self.short.is_empty() {
            let lower = text.to_ascii_lowercase();
            for short in &self.short {
                let found = lower.match_indices(short.as_str());
                let found = found.map(|(at, _)| at..at.saturating_add(short.len()));
                seen.extend(found.filter(|range| is_word(&lower, range)));
            }
        }
        seen
    }

    /// Pieces of a URL that hold one once they are decoded.
    fn encoded(&self, text: &str) -> Vec<Range<usize>> {
        const ENDS: [char; 9] = ['/', '?', '&', '=', ';', ',', '#', ' ', '"'];
        let mut hidden = Vec::new();
        let mut start = 0usize;
        for piece in text.split_inclusive(ENDS) {
            let own = piece.strip_suffix(ENDS).unwrap_or(piece);
            let range = start..start.saturating_add(own.len());
            start = start.saturating_add(piece.len());
            if !own.contains('%') {
                continue;
            }
            let plain = percent_encoding::percent_decode_str(own).decode_utf8_lossy();
            if !self.seen(&plain).is_empty() {
                hidden.push(range);
            }
        }
        hidden
    }
}

/// Whose names the members of a document have.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// Nobody can make them something else: a client that sent one as a credential would take the
    /// document apart.
    Ours,
    /// The first are the contract's, the others the policy's.
    Answer,
    Clients,
}

fn proven(mask: &Mask, value: &mut Value, at: &mut String, masked: &mut Vec<String>) {
    if let Value::String(text) = value {
        if let Cow::Owned(plain) = mask.proven(text) {
            *text = plain;
            tell(at, masked);
        }
        return;
    }
    each(value, at, &mut |_, member, at| {
        proven(mask, member, at, masked);
    });
}

/// Every member of an object or a list, with its name and its pointer.
fn each(
    value: &mut Value,
    at: &mut String,
    work: &mut dyn FnMut(Option<&str>, &mut Value, &mut String),
) {
    let length = at.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                at.push('/');
                at.push_str(&escaped(name));
                work(Some(name), member, at);
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                at.push_str(&format!("/{index}"));
                work(None, item, at);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// A segment of a pointer (RFC 6901 section 3).
pub fn escaped(segment: &str) -> Cow<'_, str> {
    match segment.contains(['~', '/']) {
        false => Cow::Borrowed(segment),
        true => Cow::Owned(segment.replace('~', "~0").replace('/', "~1")),
    }
}

fn hide(value: &mut Value, at: &str, masked: &mut Vec<String>) {
    *value = MASKED.into();
    tell(at, masked);
}

/// Of pointers that an event lists: a client makes as many places as it likes.
const MOST_TOLD: usize = 64;

fn tell(at: &str, masked: &mut Vec<String>) {
    if masked.len() < MOST_TOLD && masked.last().is_none_or(|last| last != at) {
        masked.push(at.to_owned());
    }
}

fn is_word(text: &str, range: &Range<usize>) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    !is_letter(before) && !is_letter(bytes.get(range.end))
}

/// The text with these ranges hidden, which are in order and may overlap.
fn without(text: &str, hidden: Vec<Range<usize>>) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0usize;
    for range in hidden {
        let start = boundary(text, range.start, false).max(at);
        let end = boundary(text, range.end, true);
        if end <= at {
            continue;
        }
        // Where it goes on with what is hidden already, that is one.
        let between = text.get(at..start).unwrap_or_default();
        if !between.is_empty() || at == 0 {
            shown.push_str(between);
            shown.push_str(MASKED);
        }
        at = end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

/// The end of a character that this is within, or its start.
fn boundary(text: &str, at: usize, is_end: bool) -> usize {
    let mut ahead = at..=text.len();
    let found = match is_end {
        true => ahead.find(|at| text.is_char_boundary(*at)),
        false => (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at)),
    };
    found.unwrap_or(text.len())
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
