//! `parsed_body` as opa-envoy gives it: JSON, a form or a multipart form by the content type, null for
//! everything else. Upstream: `opa-envoy-plugin/envoyauth/request.go`, `getParsedBody`.
//!
//! What follows it: the content type is looked through for a kind's name, wherever that stands; an empty
//! body is null, whatever it says; forms are lists by name; a part is text, or JSON where its own content
//! type says so; gRPC without descriptors is null.
//!
//! Where it is stricter. A body that the upstream may read differently is refused, since a policy
//! would then judge one request and the upstream serve another:
//!
//! | | opa-envoy (Go) | here |
//! |---|---|---|
//! | letters of the content type | only small ones are a kind | any are, as for an upstream |
//! | a content type that names two kinds, repeats, or cannot be read | the first kind | refused |
//! | `charset` | not looked at | UTF-8; ASCII and its supersets where the text is ASCII; others refused |
//! | JSON that names a member twice | the last one | refused |
//! | JSON that is no UTF-8, or half a surrogate pair | U+FFFD | refused |
//! | an integer past 64 bits, a number past a 64-bit float | taken | refused |
//! | JSON nested deeper than 127 | taken | refused |
//! | a form's name or value that is no UTF-8, `%ff` too | U+FFFD | refused |
//! | a multipart form without a boundary | null | refused |
//! | parts without a name, or whose name some unescape | left out, or as written | refused |
//! | text before the first part or after the last, lines that end with a bare line feed, folded headers | taken | refused |
//! | the boundary anywhere else in the body | text | refused |
//! | a part's transfer encoding | quoted-printable is decoded | refused, unless it is none |
//! | a field `_charset_` that is not UTF-8 | a field | refused |
//!
//! A file is a value like any other, as in opa-envoy; what is no UTF-8 in it becomes U+FFFD, and only in
//! it.
//!
//! What is made is bounded: [`MAX_VALUES`] in JSON, [`form::MAX_FIELDS`] and [`multipart::MAX_PARTS`].
//! Reading takes time in proportion to the body, times the logarithm of what its largest object holds.

mod field;
mod form;
mod json;
mod multipart;
#[cfg(test)]
mod tests;

use crate::document::Object;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use field::{Charset, Field};
pub use form::MAX_FIELDS;
use portcullis_rego::value::{self, Value};
use std::fmt;

/// What all JSON of a body may hold: each text, number, list and object counts, names of members do not.
/// The worst, objects of one member, took 11 MB for as many, natively; the guest's pointers are half as
/// long.
const MAX_VALUES: usize = 100_000;

/// Why a body cannot be read, or only in more than one way. The gate answers 400; the words are the
/// gate's own and hold nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The `parsed_body` of a whole body.
///
/// `content_type` and `content_encoding` are the headers' texts, repeated ones joined with commas.
///
/// # Errors
/// Where the content type names a kind of body and this is none, or one that can be read in two ways.
pub fn parse(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    body: &[u8],
) -> Result<Value, Malformed> {
    let Some(content_type) = content_type.filter(|_| !body.is_empty()) else {
        return Ok(Value::Null);
    };
    if !is_plain(content_encoding) {
        return match Kind::of(content_type)? {
            None | Some(Kind::Grpc) => Ok(Value::Null),
            Some(_) => Err(Malformed("a body that is coded can be read by no policy")),
        };
    }
    let read = || {
        let field = Field::parse(content_type)?;
        Charset::of(&field).map(|charset| (field, charset))
    };
    match Kind::of(content_type)? {
        None | Some(Kind::Grpc) => Ok(Value::Null),
        Some(Kind::Json) => json::parse(body, read()?.1, &mut { MAX_VALUES }),
        Some(Kind::Form) => form::parse(body, read()?.1),
        Some(Kind::Multipart) => {
            let (field, charset) = read()?;
            multipart::parse(body, &field, charset)
        }
    }
}

/// Whether the body is what it looks like: not compressed, nor coded otherwise. A compressed body may be
/// made of letters and read as a form, so one that is coded must not be parsed.
fn is_plain(content_encoding: Option<&str>) -> bool {
    content_encoding.is_none_or(|codings| {
        codings
            .split(',')
            .map(|coding| coding.trim_matches([' ', '\t']))
            .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity"))
    })
}

/// `body` and `rawBody` of `attributes.request.http`, as far as somebody looks at them; an empty one is
/// left out, as protojson does.
///
/// Envoy's ext_authz fills one of them, by `pack_as_bytes`: the text, with `!` for each byte that is no
/// UTF-8, or the base64 (RFC 4648 section 4) of the bytes. Policies are written for either, so here both
/// are there, but never a text that was not sent: `body` is absent where the body is not UTF-8.
pub fn texts(http: &mut Object<'_>, body: &[u8]) {
    http.part("body", |_| {
        let text = std::str::from_utf8(body).ok()?;
        (!text.is_empty()).then(|| value::string(text))
    });
    http.part("rawBody", |_| {
        (!body.is_empty()).then(|| value::string(&BASE64_STANDARD.encode(body)))
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Grpc,
    Form,
    Multipart,
}

impl Kind {
    const NAMES: [(&str, Kind); 4] = [
        (JSON, Kind::Json),
        ("application/grpc", Kind::Grpc),
        ("application/x-www-form-urlencoded", Kind::Form),
        ("multipart/form-data", Kind::Multipart),
    ];

    /// The one kind that is named, anywhere in the text: `application/json-patch+json` is JSON.
    fn of(content_type: &str) -> Result<Option<Kind>, Malformed> {
        let text = content_type.to_ascii_lowercase();
        let mut named = Kind::NAMES.iter().filter(|(name, _)| text.contains(name));
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(Malformed("the content type names two kinds of body")),
            (first, None) => Ok(first.map(|(_, kind)| *kind)),
        }
    }
}

const JSON: &str = "application/json";

/// Values by name, in lists, since each may come again.
#[derive(Default)]
struct Fields {
    by_name: std::collections::BTreeMap<String, Vec<Value>>,
}

impl Fields {
    /// A field of this name tells some servers what the bytes of the others mean (RFC 7578 section
    /// 4.6).
    const CHARSET: &str = "_charset_";

    fn add(&mut self, name: &str, value: Value) -> Result<(), Malformed> {
        if name == Fields::CHARSET {
            let is_utf_8 = matches!(&value, Value::String(text) if Charset::is_utf_8(text));
            if !is_utf_8 {
                return Err(Malformed("a field says that the charset is another"));
            }
        }
        match self.by_name.get_mut(name) {
            Some(values) => values.push(value),
            None => {
                self.by_name.insert(name.to_owned(), vec![value]);
            }
        }
        Ok(())
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Value {
        let by_name = fields.by_name.into_iter();
        value::object(by_name.map(|(name, values)| (value::string(&name), Value::from(values))))
    }
}
