//! Paths as routes compare them. What two hops might read differently is not compared at all, so
//! that no spelling of a path reaches the upstream by a route that was meant for another; and what
//! nobody needs is not even shown to a policy.

use percent_encoding::{percent_decode, percent_decode_str};

/// A path, without its query, in which every character that may stand for itself does
/// (RFC 3986 section 3.3, `pchar`), and every other byte is escaped.
#[derive(Debug, PartialEq, Eq)]
pub struct Comparable(String);

impl Comparable {
    /// `None` where hops may disagree: empty segments, backslashes, path parameters (`;`), escaped
    /// slashes, escapes of escapes, control characters, broken escapes, and what is evasive.
    pub fn parse(path: &str) -> Option<Comparable> {
        let raw = ['\\', ';', '?'];
        if path.contains(raw) || path.chars().any(char::is_control) || is_evasive(path) {
            return None;
        }
        let normal = normalize(path)?;
        let segments = normal.strip_prefix('/')?;
        let last = segments.split('/').count();
        for (index, segment) in segments.split('/').enumerate() {
            let is_last = index.checked_add(1) == Some(last);
            if segment.is_empty() && !is_last {
                return None;
            }
        }
        Some(Comparable(normal))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path is this prefix (which has no slash at its end), or stands below it.
    pub fn starts_with_segments(&self, prefix: &str) -> bool {
        self.0
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn normalize(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    let mut parts = path.split('%');
    push(&mut normal, parts.next()?);
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.starts_with('+'))?;
        match byte {
            b'/' | b'\\' | b';' | 0..0x20 | 0x7f => return None,
            byte => push_byte(&mut normal, byte),
        }
        // An escape, once this one is read.
        if byte == b'%' && starts_with_hex(rest) {
            return None;
        }
        push(&mut normal, rest);
    }
    Some(normal)
}

fn starts_with_hex(text: &str) -> bool {
    text.as_bytes()
        .first_chunk::<2>()
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether an upstream would take the path for another one, in a way that no honest client needs:
/// dot segments (clients take them out, RFC 3986 section 5.2.4), also where a parameter is hung on
/// them, a backslash parts them or they are escaped twice; NUL; a fragment; overlong UTF-8
/// (RFC 3629 section 10).
pub fn is_evasive(path: &str) -> bool {
    if !path.contains(['.', '%', '\0', '#']) {
        return false;
    }
    let once: Vec<u8> = percent_decode_str(path).collect();
    let twice: Vec<u8> = percent_decode(&once).collect();
    path.contains('#') || [once, twice].iter().any(|read| is_evasive_as_read(read))
}

fn is_evasive_as_read(path: &[u8]) -> bool {
    let is_dots = |segment: &[u8]| {
        let name = segment.split(|byte| *byte == b';').next();
        matches!(name, Some(b"." | b".."))
    };
    path.contains(&0)
        || path.windows(2).any(is_overlong)
        || path.split(|byte| matches!(byte, b'/' | b'\\')).any(is_dots)
}

/// Two bytes that begin a longer form than the character needs: a decoder that is not strict reads
/// `C0 AF` as a slash. Latin-1 text does not hold them but by chance.
fn is_overlong(pair: &[u8]) -> bool {
    matches!(
        pair,
        [0xC0 | 0xC1, 0x80..=0xBF] | [0xE0, 0x80..=0x9F] | [0xF0, 0x80..=0x8F]
    )
}

fn push(normal: &mut String, raw: &str) {
    for byte in raw.bytes() {
        match byte {
            b'/' => normal.push('/'),
            byte => push_byte(normal, byte),
        }
    }
}

fn push_byte(normal: &mut String, byte: u8) {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => normal.push(char::from(byte)),
        byte if b"-._~!$&'()*+,=:@".contains(&byte) => normal.push(char::from(byte)),
        byte => normal.push_str(percent_encoding::percent_encode_byte(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparable, is_evasive};

    #[test]
    fn spellings_of_one_path_compare_equal() {
        for (path, comparable) in [
            ("/", "/"),
            ("/healthz", "/healthz"),
            ("/%68ealth%7a", "/healthz"),
            ("/a%2e%62/", "/a.b/"),
            ("/a%20b%c3%a9", "/a%20b%C3%A9"),
            ("/100%25", "/100%25"),
            ("/items%3Apurge%40", "/items:purge@"),
            ("/caf\u{e9} x", "/caf%C3%A9%20x"),
        ] {
            assert_eq!(
                Comparable::parse(path).unwrap().as_str(),
                comparable,
                "{path}"
            );
        }
    }

    #[test]
    fn what_hops_read_differently_is_not_compared() {
        for path in [
            "",
            "*",
            "a",
            "//",
            "/a//b",
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/.",
            "/%2e",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a;x=1/b",
            "/a%3bb",
            "/a%00",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/a#b",
            "/%2561dmin",
            "/open/%252e%252e/closed",
            "/open/%c0%ae%c0%ae/closed",
        ] {
            assert_eq!(Comparable::parse(path), None, "{path}");
        }
    }

    #[test]
    fn what_no_client_needs_is_evasive() {
        for path in [
            "/a/..",
            "/./a",
            "/a/.%2E/b",
            "/a%2f..%5cb",
            "/a\\..\\b",
            "/a/..;x=1/b",
            "/a/%252e%252e/b",
            "/a%00.html",
            "/a/b%c0%af",
            "/%c1%a1dmin",
            "/a%e0%80%af",
            "/a%f0%80%80%af",
            "/a#b",
        ] {
            assert!(is_evasive(path), "{path}");
        }
        for path in [
            "*",
            "/",
            "/a.b/..c/d../.well-known/...",
            "//a/;b/c%2Fd",
            "/caf%C3%A9/%E9t%e9",
            "/100%25",
            "/a%252Fb",
        ] {
            assert!(!is_evasive(path), "{path}");
        }
    }

    #[test]
    fn a_prefix_is_whole_segments() {
        let path = Comparable::parse("/hooks/x").unwrap();
        assert!(path.starts_with_segments("/hooks") && path.starts_with_segments(""));
        assert!(!path.starts_with_segments("/hoo"));
    }
}
