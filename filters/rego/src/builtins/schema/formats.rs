//! The formats that OPA's library knows (`format_checkers.go` of gojsonschema), as Go's own packages
//! read them. A format that is not known holds for every text.

use std::net::IpAddr;

use super::super::{
    call::{Failure, World},
    regex, time,
};

pub(super) fn holds(format: &str, text: &str, world: &World<'_>) -> Result<bool, Failure> {
    world.charge(text.len())?;
    let is_time = |layouts: &[&str]| layouts.iter().any(|layout| time::is_time(layout, text));
    Ok(match format {
        "date" => is_time(&["2006-01-02"]),
        "time" => is_time(&["15:04:05Z07:00", "15:04:05"]),
        "date-time" => is_time(&[
            "15:04:05",
            "15:04:05Z07:00",
            "2006-01-02",
            "2006-01-02T15:04:05Z07:00",
        ]),
        "hostname" => text.len() < 256 && text.split('.').all(is_label),
        "email" | "idn-email" => is_mailbox(text),
        "ipv4" => text.contains('.') && text.parse::<IpAddr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<IpAddr>().is_ok(),
        "uri" | "iri" => reference(text).is_some_and(|reference| reference.scheme.is_some()),
        "uri-reference" | "iri-reference" => reference(text).is_some(),
        "uri-template" => reference(text).is_some_and(|reference| is_balanced(&reference.path)),
        "uuid" => is_uuid(text),
        "regex" => return is_regex(text, world),
        "json-pointer" => is_pointer(text),
        "relative-json-pointer" => is_relative_pointer(text),
        _ => true,
    })
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// `user@host`, or `A Name <user@host>` (RFC 5322, `net/mail`), without comments and groups.
fn is_mailbox(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    match text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    {
        Some((name, address)) => is_phrase(name) && is_address(address),
        None => is_address(text),
    }
}

fn is_phrase(name: &str) -> bool {
    let name = name.trim_matches([' ', '\t']);
    is_quoted(name)
        || name
            .split([' ', '\t'])
            .all(|word| word.is_empty() || is_quoted(word) || word.chars().all(is_atom))
}

fn is_address(address: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        let literal = domain
            .strip_prefix('[')
            .and_then(|domain| domain.strip_suffix(']'));
        let is_domain = match literal {
            Some(literal) => literal
                .strip_prefix("IPv6:")
                .unwrap_or(literal)
                .parse::<IpAddr>()
                .is_ok(),
            None => is_dotted(domain),
        };
        is_domain && (is_dotted(local) || is_quoted(local))
    })
}

fn is_dotted(atoms: &str) -> bool {
    atoms
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_atom(character: char) -> bool {
    match character {
        character if character.is_ascii() => {
            character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
        }
        character => !character.is_control(),
    }
}

fn is_quoted(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let Some(inner) = inner else { return false };
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let is_good = match character {
            '"' => false,
            '\\' => characters.next().is_some_and(|next| !next.is_control()),
            other => other == '\t' || !other.is_control(),
        };
        if !is_good {
            return false;
        }
    }
    true
}

/// A URI reference as Go's `net/url` takes it apart; none where it is refused.
struct Reference<'a> {
    scheme: Option<&'a str>,
    /// Decoded.
    path: String,
}

fn reference(text: &str) -> Option<Reference<'_>> {
    if text.contains('\\') || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return None;
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    unescaped(fragment)?;
    let (scheme, rest) = scheme(text)?;
    let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
    if scheme.is_some() && !rest.starts_with('/') {
        // Opaque, as in `mailto:a@b`.
        return Some(Reference {
            scheme,
            path: String::new(),
        });
    }
    let first = rest.split('/').next().unwrap_or_default();
    if scheme.is_none() && first.contains(':') {
        return None;
    }
    let path = match rest.strip_prefix("//") {
        Some(after) if scheme.is_some() || !rest.starts_with("///") => {
            let at = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(at)?;
            is_authority(authority).then_some(path)?
        }
        _ => rest,
    };
    Some(Reference {
        scheme,
        path: unescaped(path)?,
    })
}

fn scheme(text: &str) -> Option<(Option<&str>, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric() && !"+-.".contains(character));
    let (name, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    match (rest.strip_prefix(':'), name.chars().next()) {
        (Some(_), None) => None,
        (Some(rest), Some(first)) if first.is_ascii_alphabetic() => Some((Some(name), rest)),
        _ => Some((None, text)),
    }
}

fn is_authority(authority: &str) -> bool {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    let is_user = user
        .chars()
        .all(|byte| byte.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(byte));
    let (name, port) = match host.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((_, port)) => ("", port),
            None => return false,
        },
        None => match host.rfind(':') {
            Some(at) => host.split_at_checked(at).unwrap_or((host, "")),
            None => (host, ""),
        },
    };
    let is_host = |byte: char| {
        !byte.is_ascii() || byte.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(byte)
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    is_user && unescaped(user).is_some() && name.chars().all(is_host) && is_port
}

/// `%41` for `A`; none where a percent sign begins no byte, or the bytes are not UTF-8.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(left.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        let byte = high.checked_mul(16)?.checked_add(low)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Each brace that opens is closed before another one opens. One that only closes counts for text.
fn is_balanced(path: &str) -> bool {
    let mut is_open = false;
    for character in path.chars() {
        is_open = match (character, is_open) {
            ('{', true) => return false,
            ('{', false) => true,
            ('}', _) => false,
            (_, is_open) => is_open,
        };
    }
    !is_open
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_regex(text: &str, world: &World<'_>) -> Result<bool, Failure> {
    match regex::check(text, world) {
        Ok(()) => Ok(true),
        Err(Failure::Error(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// RFC 6901.
fn is_pointer(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let escapes_hold = text
        .split('~')
        .skip(1)
        .all(|escape| escape.starts_with(['0', '1']));
    text.starts_with('/') && escapes_hold
}

fn is_relative_pointer(text: &str) -> bool {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (levels, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let is_number = levels == "0" || !levels.is_empty() && !levels.starts_with('0');
    is_number && (rest == "#" || is_pointer(rest))
}
