//! A signature over a text of the request's parts, which ends with the body.

use super::{AUTHORIZATION, Encoding};
use crate::{
    config::raw::{self, Unit},
    crypto::MacHash,
    error::Findings,
    fields,
};

pub struct Template {
    pub signature: Field,
    pub stamp: Option<Stamp>,
    /// What is signed before the body.
    pub message: Vec<Part>,
    pub hash: MacHash,
}

/// The header that a signature stands in, or several.
pub struct Field {
    /// Lower-case.
    pub header: String,
    /// Between its items, where it has more than one.
    pub separator: Option<char>,
    /// What an item that is a signature begins with.
    pub prefix: String,
    pub encoding: Encoding,
}

/// Where the time stands that it was signed at.
pub struct Stamp {
    pub place: Place,
    /// Of how many a second is made.
    pub per_second: i64,
}

pub enum Place {
    Header(String),
    /// An item of the signature's header, which begins with this.
    Item(String),
}

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Timestamp,
    Method,
    /// The path with its query.
    Target,
    /// The value of a header, which stands once.
    Field(String),
}

impl Field {
    pub fn new(header: &str, separator: Option<char>, prefix: &str, encoding: Encoding) -> Field {
        Field {
            header: header.into(),
            separator,
            prefix: prefix.into(),
            encoding,
        }
    }
}

impl Stamp {
    pub fn header(name: &str) -> Stamp {
        Stamp {
            place: Place::Header(name.into()),
            per_second: 1,
        }
    }

    pub fn item(prefix: &str) -> Stamp {
        Stamp {
            place: Place::Item(prefix.into()),
            per_second: 1,
        }
    }
}

impl Template {
    /// The headers it is made of; not those that mean something without it.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let stamp = self.stamp.as_ref().and_then(|it| match &it.place {
            Place::Header(name) => Some(name.as_str()),
            Place::Item(_) => None,
        });
        std::iter::once(self.signature.header.as_str()).chain(stamp)
    }
}

pub fn read(raw: &raw::Webhook, path: &str, findings: &mut Findings) -> Option<Template> {
    let mut missing = |name: &str| {
        findings.add(
            format!("{path}.{name}"),
            "is missing; `custom` needs `signature: {header, encoding}` and `message: \"{timestamp}.{body}\"`",
        );
    };
    if raw.signature.is_none() {
        missing("signature");
    }
    if raw.message.is_none() {
        missing("message");
    }
    let (signature, message) = (raw.signature.as_ref()?, raw.message.as_ref()?);
    let stamp_header = raw.timestamp.as_ref().and_then(|it| it.header.as_ref());
    for (key, name) in [
        ("signature", Some(&signature.header)),
        ("timestamp", stamp_header),
    ] {
        if let Some(name) = name.filter(|name| !fields::is_lower_token(name)) {
            findings.add(
                format!("{path}.{key}.header"),
                format!("found `{name}`; takes a lower-case header name"),
            );
        }
    }
    let field = Field {
        header: signature.header.clone(),
        separator: signature.separator,
        prefix: signature.prefix.clone(),
        encoding: signature.encoding,
    };
    let stamp = raw.timestamp.as_ref().and_then(|stamp| {
        let place = match (&stamp.header, &stamp.prefix) {
            (Some(name), None) => Place::Header(name.clone()),
            (None, Some(prefix)) if !prefix.is_empty() && field.separator.is_some() => {
                Place::Item(prefix.clone())
            }
            _ => {
                findings.add(
                    format!("{path}.timestamp"),
                    "takes `header`, or `prefix` for an item of a signature's header that has a `separator`",
                );
                return None;
            }
        };
        let per_second = match stamp.unit {
            Unit::S => 1,
            Unit::Ms => 1_000,
        };
        Some(Stamp { place, per_second })
    });
    check_field(&field, stamp.as_ref(), path, findings);
    let parts = match parts(message) {
        Ok(parts) => parts,
        Err(why) => {
            findings.add(
                format!("{path}.message"),
                format!("found `{message}`, {why}"),
            );
            return None;
        }
    };
    let is_signed = parts.contains(&Part::Timestamp);
    if is_signed != raw.timestamp.is_some() {
        findings.add(
            format!("{path}.message"),
            match is_signed {
                true => "has `{timestamp}`, and no `timestamp` says where it stands",
                false => {
                    "does not have `{timestamp}`: one that is not signed is anybody's to change"
                }
            },
        );
    }
    Some(Template {
        signature: field,
        stamp,
        message: parts,
        hash: match raw.hash {
            None | Some(raw::Hash::Sha256) => MacHash::Sha256,
            Some(raw::Hash::Sha384) => MacHash::Sha384,
            Some(raw::Hash::Sha512) => MacHash::Sha512,
        },
    })
}

/// What could never hold, or would take what is another's.
fn check_field(field: &Field, stamp: Option<&Stamp>, path: &str, findings: &mut Findings) {
    let mut wrong = |key: &str, message: &str| findings.add(format!("{path}.{key}"), message);
    if field.prefix.is_empty() && field.header == AUTHORIZATION {
        wrong(
            "signature.prefix",
            "is empty, so that every `authorization` would be a signature; takes the scheme and a space",
        );
    }
    if field.prefix.starts_with([' ', '\t']) {
        wrong(
            "signature.prefix",
            "begins with a space, which no value of a header does",
        );
    }
    let alphabet = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '/' | '=');
    if field
        .separator
        .is_some_and(|it| alphabet(it) || field.prefix.contains(it))
    {
        wrong(
            "signature.separator",
            "can stand in an item; takes what stands between them, such as `,`",
        );
    }
    match stamp.map(|it| &it.place) {
        Some(Place::Header(name)) if *name == field.header => wrong(
            "timestamp.header",
            "is the signature's own; takes `prefix` for an item of it",
        ),
        Some(Place::Item(prefix)) if *prefix == field.prefix => {
            wrong("timestamp.prefix", "is the signature's own; takes another");
        }
        _ => {}
    }
}

/// The parts before `{body}`, such that no two requests have one text.
fn parts(message: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let start = message
        .strip_suffix("{body}")
        .ok_or("which does not end with `{body}`: it has to be signed, and after all else")?;
    let mut rest = start;
    while let Some((text, placeholder)) = rest.split_once('{') {
        let (name, after) = placeholder
            .split_once('}')
            .ok_or("where a `{` has no `}`")?;
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(placeholder_of(name)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    for (index, part) in parts.iter().enumerate() {
        let next = parts.get(index.saturating_add(1));
        let end = match next {
            Some(Part::Text(text)) => text.chars().next(),
            Some(_) | None => None,
        };
        let clear = match (part, end) {
            (Part::Text(_), _) => true,
            (_, None) => false,
            (Part::Timestamp, Some(end)) => !end.is_ascii_digit(),
            (Part::Method, Some(end)) => !fields::is_token(end.encode_utf8(&mut [0; 4])),
            (Part::Target, Some(end)) => matches!(end, '\n' | '\t' | ' '),
            // What a value holds is looked at in each request.
            (Part::Field(_), Some(_)) => true,
        };
        if !clear {
            return Err(
                "where something else has to stand between two parts than can stand in the first one, \
                 or two requests would have one text"
                    .into(),
            );
        }
    }
    Ok(parts)
}

fn placeholder_of(name: &str) -> Result<Part, String> {
    match name {
        "timestamp" => Ok(Part::Timestamp),
        "method" => Ok(Part::Method),
        "path" => Ok(Part::Target),
        _ => match name.strip_prefix("header:") {
            Some(field) if fields::is_lower_token(field) => Ok(Part::Field(field.to_owned())),
            _ => Err(format!(
                "where `{{{name}}}` is none of `{{timestamp}}`, `{{method}}`, `{{path}}` (with its query), \
                 `{{header:lower-case-name}}` and, at the end, `{{body}}`"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, parts};

    #[test]
    fn a_text_that_two_requests_could_have_is_none() {
        for text in [
            "{timestamp}.",
            "{body}.",
            "{timestamp}{body}",
            "{timestamp}0{body}",
            "{method}{path}\n{body}",
            "{method}a{body}",
            "{path}.{body}",
            "{header:X-Id}.{body}",
            "{header:x-id}{body}",
            "{other}.{body}",
            "{timestamp.{body}",
        ] {
            assert!(parts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_stand_between_texts() {
        assert_eq!(parts("{body}"), Ok(vec![]));
        assert_eq!(
            parts("v1:{method} {path}\n{header:x-id}.{timestamp}.{body}"),
            Ok(vec![
                Part::Text("v1:".into()),
                Part::Method,
                Part::Text(" ".into()),
                Part::Target,
                Part::Text("\n".into()),
                Part::Field("x-id".into()),
                Part::Text(".".into()),
                Part::Timestamp,
                Part::Text(".".into()),
            ])
        );
    }
}
