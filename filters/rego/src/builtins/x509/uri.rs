//! The URIs of certificates as Go's `net/url` takes them apart, as far as they are plain.

use super::{super::call::Failure, go::object};
use crate::value::{self, Value};

pub(super) struct Uri<'a> {
    scheme: String,
    /// What follows the scheme where no slash does.
    opaque: &'a str,
    has_host: bool,
    host: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    fragment: &'a str,
}

impl<'a> Uri<'a> {
    /// # Errors
    /// It is none, or has what Go would decode.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, Failure> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Failure::error("x509: cannot parse URI"));
        }
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#!$&'()*+,;=".contains(&byte);
        if !text.bytes().all(plain) {
            return Err(Failure::Unsupported("a URI with what has to be decoded"));
        }
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            Some((before, _)) if !before.contains('/') => {
                return Err(Failure::error("x509: cannot parse URI"));
            }
            _ => (String::new(), rest),
        };
        let (mut opaque, mut has_host, mut host, mut path) = ("", false, "", rest);
        if !scheme.is_empty() && !rest.starts_with('/') {
            (opaque, path) = (rest, "");
        } else if let Some(rest) = rest.strip_prefix("//") {
            has_host = true;
            let end = rest.find('/').unwrap_or(rest.len());
            (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        }
        Ok(Uri {
            scheme,
            opaque,
            has_host,
            host,
            path,
            query,
            fragment,
        })
    }

    pub fn to_text(&self) -> String {
        let colon = if self.scheme.is_empty() { "" } else { ":" };
        let slashes = if self.has_host { "//" } else { "" };
        let mut text = format!(
            "{}{colon}{slashes}{}{}{}",
            self.scheme, self.opaque, self.host, self.path
        );
        for (mark, part) in [
            ('?', self.query),
            ('#', Some(self.fragment).filter(|it| !it.is_empty())),
        ] {
            if let Some(part) = part {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    pub fn to_value(&self) -> Value {
        object([
            ("Scheme", value::string(&self.scheme)),
            ("Opaque", value::string(self.opaque)),
            ("User", Value::Null),
            ("Host", value::string(self.host)),
            ("Path", value::string(self.path)),
            ("RawPath", value::string("")),
            ("OmitHost", Value::Bool(false)),
            ("ForceQuery", Value::Bool(self.query == Some(""))),
            ("RawQuery", value::string(self.query.unwrap_or(""))),
            ("Fragment", value::string(self.fragment)),
            ("RawFragment", value::string("")),
        ])
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
