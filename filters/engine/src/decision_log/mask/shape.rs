//! What is a credential by its form, wherever it stands: a JWS or JWE in its compact form, and what
//! stands under a credential's name in a text.

use super::names::Places;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{borrow::Cow, cell::Cell, ops::Range};

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

/// Work that is still done for a request: past it nothing is looked at, and all is hidden.
#[derive(Debug)]
pub struct Work(Cell<usize>);

impl Work {
    pub fn new(most: usize) -> Work {
        Work(Cell::new(most))
    }

    /// Takes as much of it; false where there is no more.
    pub fn takes(&self, cost: usize) -> bool {
        let left = self.0.get().checked_sub(cost);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Takes what it costs to ask whether a name is a credential's.
    pub fn takes_name(&self, name: &str) -> bool {
        self.takes(name.len().saturating_add(NAME))
    }

    pub fn is_done(&self) -> bool {
        self.0.get() == 0
    }
}

/// Asking about a name costs as much as looking at so many bytes.
const NAME: usize = 64;

/// Every value of a text that stands under a credential's name: `name=value` in queries, forms, matrix
/// parameters and cookies, `"name": "value"` in JSON, and a URL's user and password. Where the work is
/// more than there is, that is the whole text.
pub fn named(text: &str, places: &Places, work: &Work) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, sign) in text.match_indices(['=', ':']) {
        // What is hidden already is not looked at again: the work stays in proportion to the text.
        if found.last().is_some_and(|last| at < last.end) {
            continue;
        }
        let before = text.get(..at).unwrap_or_default().trim_end();
        let after = text.get(at.saturating_add(1)..).unwrap_or_default();
        if sign == ":" {
            if let Some(length) = after.strip_prefix("//").and_then(user) {
                let start = at.saturating_add(3);
                found.push(start..start.saturating_add(length));
                continue;
            }
            // Else prose would be full of them.
            if !before.ends_with(['"', '\'']) {
                continue;
            }
        }
        let name = before.trim_end_matches(['"', '\'', '\\']);
        // It ends where another sign stands, so that each looks at text of its own.
        let from = name.rfind(BEFORE_NAME).map_or(0, |it| it.saturating_add(1));
        let name = name.get(from..).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        if !work.takes_name(name) {
            return vec![Range {
                start: 0,
                end: text.len(),
            }];
        }
        let plain = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        if !places.is_parameter(&plain) {
            continue;
        }
        let value = value(after, sign);
        if !value.is_empty() {
            let start = text.len().saturating_sub(after.len());
            let begins = start.saturating_add(value.start);
            found.push(begins..start.saturating_add(value.end));
        }
    }
    found
}

/// Where the value is in what comes after the sign.
fn value(after: &str, sign: &str) -> Range<usize> {
    let own = after.trim_start_matches(' ');
    let bare = own.trim_start_matches('\\');
    let slashes = own.len().saturating_sub(bare.len());
    let start = after.len().saturating_sub(bare.len());
    if let Some(quote) = bare.chars().next().filter(|it| ['"', '\''].contains(it)) {
        let start = start.saturating_add(1);
        let quoted = after.get(start..).unwrap_or_default();
        let length = closed(quoted, quote, slashes);
        let rest = quoted.get(length..).unwrap_or_default();
        let behind = rest.trim_start_matches('\\').strip_prefix(quote);
        // Where it goes on behind its quotes, they are a part of it: queries and forms know none.
        let goes_on = behind.is_some_and(|it| !it.is_empty() && !it.starts_with(BEHIND_QUOTE));
        let more = match sign == "=" && goes_on {
            true => rest.find(AFTER_VALUE).unwrap_or(rest.len()),
            false => 0,
        };
        return start..start.saturating_add(length).saturating_add(more);
    }
    let start = after.len().saturating_sub(own.len());
    let length = match sign {
        // Of a list or an object, all: where it ends is not looked for.
        ":" if own.starts_with(['[', '{']) => None,
        ":" => own.find(AFTER_JSON),
        _ => own.find(AFTER_VALUE),
    };
    start..start.saturating_add(length.unwrap_or(own.len()))
}

/// How long a quoted text is, whose quotes stand behind so many backslashes; one of more is in the text.
fn closed(text: &str, quote: char, slashes: usize) -> usize {
    let ends = text.match_indices(quote).map(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        before.trim_end_matches('\\').len()..at
    });
    let mut ends = ends.filter(|own| own.len() <= slashes);
    ends.next().map_or(text.len(), |own| own.start)
}

/// A text with its percent-encoded ASCII decoded, and where in the text each of its bytes begins.
/// Whatever else is encoded is no part of a credential's name, nor a sign before its value.
pub fn decoded(text: &str) -> Option<(String, Vec<usize>)> {
    let mut plain = String::with_capacity(text.len());
    let mut begins = Vec::with_capacity(text.len().saturating_add(1));
    let mut is_changed = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len().saturating_sub(rest.len());
        let byte = rest.get(1..3).filter(|_| c == '%').and_then(hexadecimal);
        let (shown, length) = match byte.filter(u8::is_ascii) {
            Some(byte) => (char::from(byte), 3),
            None => (c, c.len_utf8()),
        };
        is_changed |= length == 3 && c == '%';
        plain.push(shown);
        begins.resize(plain.len(), at);
        rest = rest.get(length..).unwrap_or_default();
    }
    begins.push(text.len());
    is_changed.then_some((plain, begins))
}

fn hexadecimal(digits: &str) -> Option<u8> {
    let is_one = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

/// What stands under a credential's name once it is decoded, at most twice: the text, and where in it.
pub fn named_encoded(text: &str, places: &Places, work: &Work) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    let mut begins: Option<Vec<usize>> = None;
    let mut text = Cow::Borrowed(text);
    for _ in 0..2 {
        let Some((plain, inner)) = text.contains('%').then(|| decoded(&text)).flatten() else {
            break;
        };
        let all = 0..text.len();
        let inner = match &begins {
            None => inner,
            Some(outer) => inner
                .iter()
                .map(|at| outer.get(*at).copied().unwrap_or(all.end))
                .collect(),
        };
        let place = |at: usize| inner.get(at).copied().unwrap_or_default();
        for range in named(&plain, places, work) {
            let value = plain.get(range.clone()).unwrap_or_default().to_owned();
            found.push((value, place(range.start)..place(range.end)));
        }
        begins = Some(inner);
        text = Cow::Owned(plain);
    }
    found
}

const BEFORE_NAME: [char; 16] = [
    '?', '&', '#', ';', ',', '/', ' ', '"', '\'', '{', '(', '[', '<', '=', '\n', '\t',
];
/// A value holds whatever else there is: a password has brackets and commas.
const AFTER_VALUE: [char; 7] = ['&', '#', ';', ' ', '\n', '\r', '\t'];
const BEHIND_QUOTE: [char; 15] = [
    '&', '#', ';', ',', ' ', '"', '\'', '\\', ')', ']', '}', '>', '\n', '\r', '\t',
];
const AFTER_JSON: [char; 6] = [',', '}', ']', ' ', '\n', '\t'];

/// How long `user:password` or `user` is, at the start of a URL's authority.
fn user(authority: &str) -> Option<usize> {
    let end = authority.find(['/', '?', '#', ' ', '"']);
    let authority = authority.get(..end.unwrap_or(authority.len()))?;
    let (user, _) = authority.rsplit_once('@')?;
    (!user.is_empty()).then_some(user.len())
}

#[cfg(test)]
mod tests {
    use super::{Places, Work, named, named_encoded, tokens};

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
            ("<https://x/?sig=abc>; rel=next", "abc>"),
            ("https://alice@x/a", "alice"),
            ("password=a)b'c,d]e}f&x=1", "a)b'c,d]e}f"),
            ("password=\"a b, c\" d", "a b, c"),
            ("{\"password\":\"a \\\"b\\\", c\"}", "a \\\"b\\\", c"),
            ("{\\\"password\\\":\\\"a, b\\\",\\\"c\\\":1}", "a, b"),
            ("{\"tokens\": [\"abc\"]}", "[\"abc\"]}"),
            ("{\"pin\": 1234, \"x\": 1}", "1234"),
            ("x=token=abc", "abc"),
            ("password='a'hunter2&x", "a'hunter2"),
            ("password=''hunter2&x", "'hunter2"),
            ("https://alice:hunter2@x/a", "alice:hunter2"),
            ("/a?%61pi_key=abc", "abc"),
            ("api_key=\"abc\"", "abc"),
        ] {
            let found = named(text, &Places::default(), &Work::new(1 << 20));
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
            assert!(
                named(text, &Places::default(), &Work::new(1 << 20)).is_empty(),
                "{text}"
            );
        }
    }

    #[test]
    fn long_names_are_asked_whole() {
        let long = "x".repeat(200);
        for name in [format!("{long}_token"), format!("token_{long}")] {
            let text = format!("?{name}=abc");
            let found = named(&text, &Places::default(), &Work::new(1 << 20));
            assert_eq!(found.first(), Some(&(text.len() - 3..text.len())));
        }
    }

    #[test]
    fn encoded_signs_are_signs() {
        for (text, hidden) in [
            ("/a?x=access_token%3Dopaque123", "opaque123"),
            ("/a?x=access_token%3dab%2Fc%26y", "ab%2Fc"),
            ("/a?é=%C3%A9access_token%253Dopaque%2526y", "opaque"),
            ("/%22password%22%3A%22a%20b%22%7D", "a%20b"),
            ("/?u=https%3A%2F%2Fbob%3Ahunter2%40x%2F", "bob%3Ahunter2"),
        ] {
            let found = named_encoded(text, &Places::default(), &Work::new(1 << 20));
            let found: Vec<&str> = found
                .iter()
                .filter_map(|(_, range)| text.get(range.clone()))
                .collect();
            assert_eq!(found, [hidden], "{text}");
        }
        for text in ["%", "%3", "%zz", "a%3Db", "%é1=", "100%", "token%C3%A9"] {
            let found = named_encoded(text, &Places::default(), &Work::new(1 << 20));
            assert!(found.is_empty(), "{text}");
        }
    }

    /// Whatever there is of signs: none looks at another's text, and past the work all is hidden.
    #[test]
    fn signs_are_as_much_work_as_they_are_long() {
        for sign in ["=", ":", "\"=", "\":", "%3D", "a=", "\"a\":", "%22=", "://"] {
            let text = sign.repeat(60_000);
            let work = Work::new(usize::MAX);
            assert!(named(&text, &Places::default(), &work).is_empty(), "{sign}");
            let done = usize::MAX - work.0.get();
            assert!(done <= 70 * text.len(), "{sign}: {done}");
            let work = Work::new(1000);
            let found = named(&text, &Places::default(), &work);
            if done > 1000 {
                assert_eq!(found.first(), Some(&(0..text.len())), "{sign}");
                assert!(work.is_done(), "{sign}");
            }
        }
    }
}
