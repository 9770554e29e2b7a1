//! The query of a path: read as opa-envoy reads it (Go's `net/url`), and edited without touching
//! what was not asked for.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;

/// Why a path or query cannot be read: opa-envoy answers 400, and so does the gate.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// The path before the query, and the query where there is a `?`.
pub fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    }
}

/// Unescapes `%XX`. A broken escape is an error; bytes that are not UTF-8 become U+FFFD, since Go
/// takes them and JSON cannot hold them.
pub fn unescape(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let mut parts = text.split('%');
    parts.next();
    let whole = parts.all(|part| {
        part.as_bytes()
            .first_chunk::<2>()
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !whole {
        return Err(Malformed);
    }
    Ok(percent_decode_str(text).decode_utf8_lossy())
}

/// Unescapes what can be, for names that are looked for in every spelling.
pub fn lossy(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The parameters in order, as `net/url.ParseQuery` gives them: `+` is a space, `;` an error.
pub fn parameters(query: &str) -> impl Iterator<Item = Result<(String, String), Malformed>> {
    query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            if piece.contains(';') {
                return Err(Malformed);
            }
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            Ok((plain(key)?, plain(value)?))
        })
}

/// The same, with `None` for a name or value whose bytes are not UTF-8.
pub fn exact_parameters(
    query: &str,
) -> impl Iterator<Item = Result<(Option<String>, Option<String>), Malformed>> {
    let exact = |text: &str| {
        let bytes = percent_decode_str(&text.replace('+', " ")).collect();
        String::from_utf8(bytes).ok()
    };
    // Read twice, so that both agree on what a parameter is, and which cannot be read.
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    parameters(query).zip(pieces).map(move |(read, piece)| {
        read?;
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        Ok((exact(key), exact(value)))
    })
}

fn plain(text: &str) -> Result<String, Malformed> {
    let spaced = text.replace('+', " ");
    unescape(&spaced).map(Cow::into_owned)
}

/// The path without the parameters of these names. What cannot be read is left where it is: it
/// names none of them to us, and whoever reads it differently must not get it, so it goes too
/// where its raw text holds a name.
pub fn without(path: &str, names: &[&str]) -> String {
    edit(path, |key| names.contains(&key), None)
}

/// The path with this parameter set to these values, in place of all it had.
pub fn with(path: &str, name: &str, values: &[String]) -> String {
    let added: Vec<String> = values
        .iter()
        .map(|value| format!("{}={}", escape(name), escape(value)))
        .collect();
    edit(path, |key| key == name, Some(added.join("&")))
}

fn edit(path: &str, drop: impl Fn(&str) -> bool, add: Option<String>) -> String {
    let (start, query) = split(path);
    let stays = |piece: &&str| {
        let key = piece.split_once('=').map_or(*piece, |(key, _)| key);
        // Lossily, so that no spelling of a name survives.
        let decoded = key.replace('+', " ");
        let decoded = percent_decode_str(&decoded).decode_utf8_lossy();
        !drop(&decoded)
    };
    let pieces = || {
        let pieces = query.unwrap_or("").split('&');
        pieces.filter(|piece| !piece.is_empty())
    };
    if add.is_none() && pieces().all(|piece| stays(&piece)) {
        return path.to_owned();
    }
    let kept = pieces().filter(stays).map(str::to_owned);
    let query: Vec<String> = kept.chain(add.filter(|add| !add.is_empty())).collect();
    match query.is_empty() {
        true => start.to_owned(),
        false => format!("{start}?{}", query.join("&")),
    }
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The URL standard's application/x-www-form-urlencoded percent-encode set.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// A name or value of a query as RFC 9421 section 2.2.8 has it: a space is `%20`.
pub fn form_encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_go_does() {
        let read: Result<Vec<_>, _> = parameters("a=1&a=2&b=x+y%21&c&&=e").collect();
        let pairs = [("a", "1"), ("a", "2"), ("b", "x y!"), ("c", ""), ("", "e")];
        assert_eq!(
            read.unwrap(),
            pairs.map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        for bad in ["a=%", "a=%zz", "%f=1", "a;b"] {
            assert!(parameters(bad).any(|p| p.is_err()), "{bad}");
        }
    }

    #[test]
    fn edits_leave_the_rest_alone() {
        assert_eq!(
            without("/p?a=1&t%6Fken=x&b=%2f&token", &["token"]),
            "/p?a=1&b=%2f"
        );
        assert_eq!(without("/p?token=x", &["token"]), "/p");
        for same in ["/p", "/p?", "/p?&&a=1&", "/p?a=%&b;c"] {
            assert_eq!(without(same, &["token"]), same);
        }
        assert_eq!(
            with("/p?a=1&b=2", "a", &["x y".into(), "&".into()]),
            "/p?b=2&a=x%20y&a=%26"
        );
        assert_eq!(with("/p", "a", &["1".into()]), "/p?a=1");
    }
}
