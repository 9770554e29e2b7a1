//! Field names and values (RFC 9110 section 5): what may stand in a header, and which names mean
//! the same to an upstream.

/// `token` of RFC 9110 section 5.6.2.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[inline]
fn is_tchar(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// A token as HTTP/2 has the names of fields (RFC 9113 section 8.2.1).
pub fn is_lower_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| is_tchar(byte) && !byte.is_ascii_uppercase())
}

/// A field value as this gate writes it: no control character (U+0080 to U+009F are some, too) but the
/// tab, no space at its ends.
pub fn is_value(text: &str) -> bool {
    !text.chars().any(is_control) && text.trim_matches([' ', '\t']) == text
}

/// A field value as it may be received: no control character but the tab.
pub fn is_received_value(text: &str) -> bool {
    is_printable(text.as_bytes()) || !text.chars().any(is_control)
}

/// Whether all of it is printable ASCII, eight bytes at a time: tokens are long.
fn is_printable(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_le_bytes(*word);
        let is_delete = word ^ (ONES * 0x7f);
        // A high bit for each byte that is one already, is below a space, or is U+007F.
        odd | word
            | (word.wrapping_sub(ONES * 0x20) & !word)
            | (is_delete.wrapping_sub(ONES) & !is_delete)
    });
    odd & HIGH == 0 && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// Whether two names are one to an upstream that folds case away and `-` into `_`, as CGI does (RFC 3875
/// section 4.1.18) and WSGI after it; some fold whatever is no letter and no digit.
pub fn is_twin(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// What all names have in common that are one to such an upstream.
pub fn folded(name: &str) -> String {
    name.bytes().map(|byte| char::from(fold(byte))).collect()
}

fn fold(byte: u8) -> u8 {
    match byte {
        // Of pseudo-headers, which no header that is sent can be called.
        b':' => byte,
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        _ => b'-',
    }
}

/// A name, or every name with a prefix: `x-user`, `x-auth-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Name(String),
    Prefix(String),
}

impl Pattern {
    /// Reads `name` or `prefix*`; a prefix may start with the `:` of pseudo-headers.
    pub fn parse(text: &str) -> Option<Pattern> {
        let text = text.to_ascii_lowercase();
        match text.strip_suffix('*') {
            Some(prefix)
                if is_token(prefix.strip_prefix(':').unwrap_or(prefix)) || prefix == ":" =>
            {
                Some(Pattern::Prefix(prefix.to_owned()))
            }
            None if is_token(&text) => Some(Pattern::Name(text)),
            _ => None,
        }
    }

    /// Whether a lower-case name is meant, twins included.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Name(own) => is_twin(own, name),
            Pattern::Prefix(prefix) => name
                .get(..prefix.len())
                .is_some_and(|start| is_twin(prefix, start)),
        }
    }
}

/// Names that frame the message or belong to one hop (RFC 9110 section 7.6.1): nobody but the
/// proxy may write them, whatever the configuration says.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Whether a name is one of them, or would be read as one.
pub fn is_framing(name: &str) -> bool {
    FRAMING.iter().any(|own| is_twin(own, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_split_a_message() {
        for bad in ["a\r\nb", "a\nb", "\0", "a\x7f", "a\u{85}b", " a", "a "] {
            assert!(!is_value(bad), "{bad:?}");
        }
        for good in ["", "a b", "a\tb", "é"] {
            assert!(is_value(good), "{good:?}");
        }
    }

    #[test]
    fn eight_bytes_at_once_are_judged_as_one() {
        for byte in 0..=u8::MAX {
            for place in 0..19 {
                for around in [b' ', b'a', b'~'] {
                    let mut bytes = [around; 19];
                    bytes[place] = byte;
                    let plain = (b' '..=b'~').contains(&byte);
                    assert_eq!(is_printable(&bytes), plain, "{byte} at {place}");
                }
            }
        }
        assert!(is_printable(b""));
    }

    #[test]
    fn tokens_are_those_of_the_rfc() {
        for byte in 0..=u8::MAX {
            let character = char::from(byte);
            let listed = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&character.to_string()), listed, "{character:?}");
            let lower = listed && !byte.is_ascii_uppercase();
            assert_eq!(
                is_lower_token(&character.to_string()),
                lower,
                "{character:?}"
            );
        }
        assert!(!is_token("") && !is_lower_token(""));
    }

    #[test]
    fn patterns_take_twins() {
        let pattern = Pattern::parse("X-Auth-*").unwrap();
        for name in ["x-auth-user", "x_auth_user", "x-auth-"] {
            assert!(pattern.matches(name), "{name}");
        }
        for name in ["x-auth", "x-author"] {
            assert!(!pattern.matches(name), "{name}");
        }
        assert!(Pattern::parse("*").is_none() && Pattern::parse("a b").is_none());
        assert!(Pattern::parse(":*").unwrap().matches(":path"));
    }
}
