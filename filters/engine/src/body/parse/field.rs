//! A field with parameters, as Content-Type and Content-Disposition are written (RFC 9110 section
//! 5.6.6, RFC 2183 section 2), without anything that two readers take differently.

use super::Malformed;
use crate::fields;

/// More than any has. It keeps the search for repeated names short.
const MAX_PARAMETERS: usize = 16;

/// `type/subtype; name=value; name="value"`.
pub struct Field<'t> {
    pub value: &'t str,
    /// Names in small letters, and what stands between the quotes.
    parameters: Vec<(String, &'t str)>,
}

impl<'t> Field<'t> {
    pub fn parse(text: &'t str) -> Result<Self, Malformed> {
        if !fields::is_received_value(text) {
            return Err(Malformed("a control character in a field"));
        }
        let (value, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let value = trim(value);
        if !value.splitn(2, '/').all(fields::is_token) {
            return Err(Malformed("a content type or disposition that is none"));
        }
        let mut parameters: Vec<(String, &str)> = Vec::new();
        while let Some(start) = next_start(rest) {
            let (name, value, after) =
                parameter(start).ok_or(Malformed("a parameter that cannot be read"))?;
            let name = name.to_ascii_lowercase();
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(Malformed("a parameter that stands twice"));
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(Malformed("too many parameters"));
            }
            parameters.push((name, value));
            rest = after;
        }
        Ok(Field { value, parameters })
    }

    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|(other, _)| other == name)
    }

    /// Refuses what readers unescape or not: a backslash, and the name with an asterisk (RFC 2231,
    /// RFC 5987).
    pub fn get(&self, name: &str) -> Result<Option<&'t str>, Malformed> {
        let starred = |other: &str| {
            other
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('*'))
        };
        if self.parameters.iter().any(|(other, _)| starred(other)) {
            return Err(Malformed("a parameter in RFC 2231's way"));
        }
        let found = self.parameters.iter().find(|(other, _)| other == name);
        match found {
            Some((_, value)) if value.contains('\\') => {
                Err(Malformed("a backslash in a parameter"))
            }
            found => Ok(found.map(|(_, value)| *value)),
        }
    }
}

/// Where the next parameter starts. Semicolons with nothing between them are no parameters (RFC 9110
/// section 5.6.6).
fn next_start(rest: &str) -> Option<&str> {
    let start = rest.trim_start_matches([' ', '\t', ';']);
    (!start.is_empty()).then_some(start)
}

/// Name, value, and what follows the semicolon.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let (value, rest) = quoted.split_once('"')?;
            // Whether the text goes on here is what readers differ in.
            if value.ends_with('\\') {
                return None;
            }
            (value, rest)
        }
        None => {
            let end = rest.find([';', ' ', '\t']).unwrap_or(rest.len());
            let (value, rest) = rest.split_at_checked(end)?;
            fields::is_token(value).then_some((value, rest))?
        }
    };
    let rest = trim(rest);
    let ends = rest.is_empty() || rest.starts_with(';');
    (ends && fields::is_token(name)).then_some((name, value, rest))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// What the bytes of a text mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Utf8,
    /// A charset that has ASCII in it: what both agree on.
    Ascii,
}

impl Charset {
    pub fn of(field: &Field<'_>) -> Result<Self, Malformed> {
        match field.get("charset")? {
            None => Ok(Charset::Utf8),
            Some(name) if Charset::is_utf_8(name) => Ok(Charset::Utf8),
            Some(name)
                if ["us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"]
                    .iter()
                    .any(|known| name.eq_ignore_ascii_case(known)) =>
            {
                Ok(Charset::Ascii)
            }
            Some(_) => Err(Malformed("a charset that is not UTF-8")),
        }
    }

    pub fn is_utf_8(name: &str) -> bool {
        name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8")
    }

    /// The text, where its bytes mean the same in this charset and in UTF-8.
    pub fn text(self, bytes: &[u8]) -> Result<&str, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("no UTF-8"))?;
        match self {
            Charset::Ascii if !text.is_ascii() => Err(Malformed("a charset that is not UTF-8")),
            Charset::Ascii | Charset::Utf8 => Ok(text),
        }
    }
}
