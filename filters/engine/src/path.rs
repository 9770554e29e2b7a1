//! Paths as routes compare them. What two hops might read differently is not compared at all, so
//! that no spelling of a path reaches the upstream by a route that was meant for another.

/// A path, without its query, in which every character that may stand for itself does
/// (RFC 3986 section 3.3, `pchar`), and every other byte is escaped.
#[derive(Debug, PartialEq, Eq)]
pub struct Comparable(String);

impl Comparable {
    /// `None` where hops may disagree: dot segments, empty segments, backslashes, path parameters
    /// (`;`), escaped slashes, control characters, broken escapes.
    pub fn parse(path: &str) -> Option<Comparable> {
        if path.contains(['\\', ';', '?', '#']) || path.chars().any(|c| c.is_ascii_control()) {
            return None;
        }
        let normal = normalize(path)?;
        let segments = normal.strip_prefix('/')?;
        let last = segments.split('/').count();
        for (index, segment) in segments.split('/').enumerate() {
            let is_last = index.checked_add(1) == Some(last);
            if matches!(segment, "." | "..") || (segment.is_empty() && !is_last) {
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
        push(&mut normal, rest);
    }
    Some(normal)
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
    use super::Comparable;

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
        ] {
            assert_eq!(Comparable::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_prefix_is_whole_segments() {
        let path = Comparable::parse("/hooks/x").unwrap();
        assert!(path.starts_with_segments("/hooks") && path.starts_with_segments(""));
        assert!(!path.starts_with_segments("/hoo"));
    }
}
