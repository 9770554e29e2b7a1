//! Credentials are shown to nobody: every text that is one, or holds enough of one to tell, is hidden in
//! what is said of a request, whichever part of it or of the policy's words it stands in.

mod apart;
mod names;
mod seek;
mod shape;
mod text;
mod told;
mod windows;

pub use names::Places;

use crate::{
    config::Config,
    request::{Attributes, Incoming, Request},
};
use seek::Credentials;
use serde_json::{Map, Value};
use shape::Work;
use std::{borrow::Cow, sync::Arc};
use text::without;
use told::tell;
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
    /// There was a body that nobody has looked at.
    is_without_body: bool,
}

/// Of texts that are looked at for one request.
const FUEL: usize = 1 << 20;

impl Config {
    /// What must not be shown of a request. `body` is its parsed form, where there is one; `seed` is what
    /// no client knows.
    pub(crate) fn mask(&self, request: &Request<'_>, body: Option<&Value>, seed: &str) -> Mask {
        Mask::new(Arc::clone(&self.places), request, body, None, seed)
    }

    /// One text without it: less work than a mask for many.
    pub(crate) fn masked(
        &self,
        text: &str,
        request: &Request<'_>,
        body: Option<&Value>,
        seed: &str,
    ) -> String {
        let mask = Mask::new(Arc::clone(&self.places), request, body, Some(text), seed);
        mask.text(text).into_owned()
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
        Mask::new(Arc::default(), &request, None, None, "")
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

    /// The same of a request whose body nobody has looked at: what may quote it is shown to nobody.
    pub fn without_body(self) -> Mask {
        Mask {
            is_without_body: true,
            ..self
        }
    }

    pub fn is_without_body(&self) -> bool {
        self.is_without_body
    }

    /// Of a request that no configuration says anything of: what anybody takes for a credential.
    pub fn of(request: &Request<'_>, body: Option<&Value>, seed: &str) -> Mask {
        Mask::new(Arc::default(), request, body, None, seed)
    }

    /// `text`: the only one that is then looked at.
    fn new(
        places: Arc<Places>,
        request: &Request<'_>,
        body: Option<&Value>,
        text: Option<&str>,
        seed: &str,
    ) -> Mask {
        let mut credentials = Credentials::new(&places, text, seed);
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
            is_without_body: false,
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

    /// The same of whom a request is for: what stands before its `@` is a credential, however short.
    pub fn authority(&self, value: &mut Value, at: &str, masked: &mut Vec<String>) {
        if let Value::String(text) = value
            && let Some((user, host)) = text.rsplit_once('@')
            && user != MASKED
        {
            *text = format!("{MASKED}@{host}");
            tell(at, masked);
        }
        self.value(value, at, masked);
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
                "parsed_body" | "parsed_query" => {
                    self.document(member, at, masked, Keys::Parameters);
                }
                _ => self.document(member, at, masked, Keys::Ours),
            }
        }
    }

    fn attributes(&self, attributes: &mut Value, at: &mut String, masked: &mut Vec<String>) {
        if let Some(extensions) = attributes.get_mut("contextExtensions") {
            let at = &mut format!("{at}/contextExtensions");
            self.document(extensions, at, masked, Keys::Extensions);
        }
        let mut apart = None;
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
            if let Some(host) = http.get_mut("host") {
                self.authority(host, &format!("{at}/request/http/host"), masked);
            }
            if let Some(headers) = http.get_mut("headers") {
                let at = &mut format!("{at}/request/http/headers");
                for name in [":authority", "host"] {
                    if let Some(host) = headers.get_mut(name) {
                        self.authority(host, &format!("{at}/{name}"), masked);
                    }
                }
                self.document(headers, at, masked, Keys::Headers);
                apart = Some(headers.take());
            }
        }
        self.document(attributes, at, masked, Keys::Ours);
        if let Some(headers) = apart
            && let Some(place) = attributes.pointer_mut("/request/http/headers")
        {
            *place = headers;
        }
    }

    /// A policy's answer.
    pub fn result(&self, result: &mut Value, at: &str, masked: &mut Vec<String>) {
        self.document(result, &mut at.to_owned(), masked, Keys::Answer);
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
            Value::Object(members) if keys.are_anybodys() => {
                self.members(members, at, masked, keys);
            }
            Value::Object(_) => each(value, at, &mut |name, member, at| match name
                .is_some_and(|name| self.is_credential(name, keys))
            {
                true => hide(member, at, masked),
                false => self.document(member, at, masked, keys.inner(name)),
            }),
            _ => {}
        }
    }

    /// Members whose names may be credentials, too. What stands under one that is hidden is hidden as well:
    /// no mask that a policy has would find it.
    fn members(
        &self,
        members: &mut Map<String, Value>,
        at: &mut String,
        masked: &mut Vec<String>,
        keys: Keys,
    ) {
        let all: Vec<(String, Value)> = std::mem::take(members).into_iter().collect();
        let shown: Vec<Option<String>> = all
            .iter()
            .map(|(name, _)| match self.text(name) {
                Cow::Owned(shown) => Some(shown),
                Cow::Borrowed(_) => None,
            })
            .collect();
        if shown.iter().any(Option::is_some) {
            tell(at, masked);
        }
        let length = at.len();
        for ((name, mut member), shown) in all.into_iter().zip(shown) {
            at.push('/');
            at.push_str(&escaped(shown.as_deref().unwrap_or(&name)));
            match shown.is_some() || self.is_credential(&name, keys) {
                true => hide(&mut member, at, masked),
                false => self.document(&mut member, at, masked, keys),
            }
            at.truncate(length);
            members.insert(shown.unwrap_or(name), member);
        }
    }

    fn is_credential(&self, name: &str, keys: Keys) -> bool {
        // The document's own are few, and an answer stays usable.
        if keys.are_anybodys() && !self.fuel.takes_name(name) {
            return true;
        }
        match keys {
            Keys::Ours => false,
            Keys::Headers => self.places.is_header(name),
            Keys::Answer | Keys::Parameters | Keys::Extensions => self.places.is_parameter(name),
            Keys::AnswersHeaders => {
                let is_header = self.places.is_header(&name.to_ascii_lowercase());
                is_header || self.places.is_parameter(name)
            }
        }
    }
}

/// Whose names the members of a document have, and of what.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// Nobody can make them something else: a client that sent one as a credential would take the
    /// document apart.
    Ours,
    /// The same, but some may be those of credentials.
    Extensions,
    /// The first are the contract's, the others the policy's.
    Answer,
    AnswersHeaders,
    /// The client's.
    Headers,
    Parameters,
}

impl Keys {
    fn are_anybodys(self) -> bool {
        match self {
            Keys::Ours | Keys::Extensions | Keys::Answer => false,
            Keys::AnswersHeaders | Keys::Headers | Keys::Parameters => true,
        }
    }

    /// Those of what stands under the name.
    fn inner(self, name: Option<&str>) -> Keys {
        const HEADERS: [&str; 3] = [
            "headers",
            "request_headers_to_remove",
            "response_headers_to_add",
        ];
        match self {
            Keys::Answer if name.is_some_and(|name| HEADERS.contains(&name)) => {
                Keys::AnswersHeaders
            }
            Keys::Answer => Keys::Parameters,
            other => other,
        }
    }
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

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "alone_tests.rs"]
mod alone_tests;

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod bounds_tests;
