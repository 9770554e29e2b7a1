//! What is a credential by its form, wherever it stands: a JWS or JWE in its compact form, and what
//! stands under a credential's name in a text.

use super::names::Places;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::ops::Range;

/// Every token of a text (RFC 7515 section 3.1, RFC 7516 section 3.1): a header of JSON, and at least two
/// parts more. Its dots may be percent-encoded.
pub fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !text.contains("ey") && !text.contains("ew") {
        return found;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let mut dots = Vec::new();
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match dot(rest) {
                Some(length) => {
                    dots.push(at..at.saturating_add(length));
                    at = at.saturating_add(length);
                }
                None if rest.first().is_some_and(is_base64url) => at = at.saturating_add(1),
                None => break,
            }
        }
        found.extend(in_run(text, start..at, &dots));
        at = at.saturating_add(1);
    }
    found
}

fn dot(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'.', ..] => Some(1),
        [b'%', b'2', b'e' | b'E', ..] => Some(3),
        _ => None,
    }
}

fn is_base64url(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// From where the token begins to the end of the run.
fn in_run(text: &str, run: Range<usize>, dots: &[Range<usize>]) -> Option<Range<usize>> {
    // Behind a header there are two dots more.
    let heads = dots.len().checked_sub(1)?;
    let mut begins = run.start;
    for dot in dots.iter().take(heads) {
        let head = text.get(begins..dot.start).unwrap_or_default();
        if let Some(offset) = header(head) {
            return Some(begins.saturating_add(offset)..run.end);
        }
        begins = dot.end;
    }
    None
}

/// Where in it a token's header begins.
fn header(segment: &str) -> Option<usize> {
    let mut starts = segment.match_indices('e').map(|(at, _)| at);
    starts.find(|at| {
        let start = segment.get(*at..at.saturating_add(LEAST));
        let start = start.and_then(|it| BASE64_URL_SAFE_NO_PAD.decode(it).ok());
        let start = start.unwrap_or_default();
        let rest = start.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"\""))
    })
}

/// Of the base64 of a header that is looked at.
const LEAST: usize = 8;

/// Every value of a text that stands under a credential's name: `name=value` in queries, forms, matrix
/// parameters and cookies, `"name": "value"` in JSON, and a URL's user and password.
pub fn named(text: &str, places: &Places) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, sign) in text.match_indices(['=', ':']) {
        // What is hidden already is not looked at again: the work stays in proportion to the text.
        if found.last().is_some_and(|last| at < last.end) {
            continue;
        }
        let before = last(text.get(..at).unwrap_or_default());
        let after = text.get(at.saturating_add(1)..).unwrap_or_default();
        if sign == ":" {
            if let Some(length) = after.strip_prefix("//").and_then(user) {
                let start = at.saturating_add(3);
                found.push(start..start.saturating_add(length));
                continue;
            }
            // Else prose would be full of them.
            if !before.trim_end().ends_with(['"', '\'']) {
                continue;
            }
        }
        let name = before.trim_end().trim_end_matches(['"', '\'', '\\']);
        let from = name.rfind(BEFORE_NAME).map_or(0, |it| it.saturating_add(1));
        let name = name.get(from..).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let plain = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        if !places.is_parameter(&plain) {
            continue;
        }
        let value = after.trim_start_matches([' ', '\\', '"', '\'']);
        let start = text.len().saturating_sub(value.len());
        let length = value.find(AFTER_VALUE).unwrap_or(value.len());
        if length > 0 {
            found.push(start..start.saturating_add(length));
        }
    }
    found
}

/// As much of a text's end as a name takes.
fn last(text: &str) -> &str {
    let from = text.len().saturating_sub(LONGEST_NAME);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at));
    text.get(from.unwrap_or_default()..).unwrap_or_default()
}

const BEFORE_NAME: [char; 15] = [
    '?', '&', '#', ';', ',', '/', ' ', '"', '\'', '{', '(', '[', '<', '\n', '\t',
];
const AFTER_VALUE: [char; 14] = [
    '&', '#', ';', ',', ' ', '"', '\'', '}', ')', ']', '>', '\\', '\n', '\t',
];
const LONGEST_NAME: usize = 128;

/// How long `user:password` is, at the start of a URL's authority.
fn user(authority: &str) -> Option<usize> {
    let end = authority.find(['/', '?', '#', ' ', '"']);
    let authority = authority.get(..end.unwrap_or(authority.len()))?;
    let (user, _) = authority.rsplit_once('@')?;
    user.contains(':').then_some(user.len())
}

#[cfg(test)]
mod tests {
    use super::{Places, named, tokens};

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

    #[test]
    fn tokens_are_found_wherever_they_stand() {
        for around in ["{}", "a {} b", "x={}&y", "\"{}\"", "xx{}", "é{}é", "a.{}"] {
            let text = around.replace("{}", TOKEN);
            let found = tokens(&text);
            assert_eq!(found.len(), 1, "{around}");
            assert_eq!(text.get(found[0].clone()), Some(TOKEN), "{around}");
        }
        let encoded = TOKEN.replace('.', "%2E");
        assert_eq!(tokens(&encoded).first(), Some(&(0..encoded.len())));
        // Without a payload, and without a signature.
        assert_eq!(tokens("eyJhbGciOiJSUzI1NiJ9..c2ln").len(), 1);
        assert_eq!(tokens("eyJhbGciOiJSUzI1NiJ9.e30.").len(), 1);
        // White space in its header.
        assert_eq!(tokens("eyAiYWxnIjoibm9uZSJ9.e30.").len(), 1);
        assert_eq!(tokens("ewoiYWxnIjoibm9uZSJ9.e30.").len(), 1);
    }

    #[test]
    fn what_is_none_stays() {
        for text in [
            "monkeybusiness.example.com",
            "keyed.eyjafjallajokull.example.com",
            "1.2.3",
            "eyJhbGciOiJSUzI1NiJ9",
            "eyJhbGciOiJSUzI1NiJ9.e30",
            "",
            "....",
        ] {
            assert!(tokens(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn values_under_a_credentials_name() {
        for (text, hidden) in [
            ("/a?x=1&access_token=abc&y=2", "abc"),
            // Base64 has slashes, so a matrix parameter goes on to the end.
            ("/a;token=abc/b", "abc/b"),
            ("password=hunter2", "hunter2"),
            ("{\"password\": \"hunter2\"}", "hunter2"),
            ("{\\\"password\\\":\\\"hunter2\\\"}", "hunter2"),
            ("<https://x/?sig=abc>; rel=next", "abc"),
            ("https://alice:hunter2@x/a", "alice:hunter2"),
            ("/a?%61pi_key=abc", "abc"),
            ("api_key=\"abc\"", "abc"),
        ] {
            let found = named(text, &Places::default());
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(text.get(found[0].clone()), Some(hidden), "{text}");
        }
        for text in [
            "a=1",
            "the token: expired",
            "=",
            ":",
            "https://x/a@b:c",
            "x=y=z",
        ] {
            assert!(named(text, &Places::default()).is_empty(), "{text}");
        }
    }
}
