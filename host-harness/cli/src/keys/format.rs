//! What an API key of ours looks like, so that a scanner knows one that leaked, and a hand that
//! copies one badly is told.
//!
//! `PREFIX_` + 43 characters + 6 characters of checksum, all of them of `0-9A-Za-z`. The 43 are drawn
//! uniformly: 62^43 is a little more than 2^256. The checksum is the CRC-32 (IEEE 802.3, as zlib's
//! and gzip's) of everything before it, in base 62 with the digits in the order above. It finds any
//! one character that was changed, two neighbours that were swapped, and of everything else all but
//! one in four thousand million. It is no secret and proves nothing: the gate never looks at it.

use std::fmt;

/// A key. It has no `Debug` and no `Display`: what shows one says so.
pub struct Key(String);

/// What stands before the underscore: what the key is for, or whose.
#[derive(Clone, Debug)]
pub struct Prefix(String);

/// What a text can be that was taken for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of ours, and whole.
    Whole,
    /// It looks like one of ours, and something of it was changed, lost or added.
    Damaged,
    /// Somebody else's.
    Foreign,
}

pub const DEFAULT_PREFIX: &str = "pclkey";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u32 = 62;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;

impl Key {
    /// # Errors
    /// Where the system has no randomness.
    pub fn generate(prefix: &Prefix) -> Result<Key, getrandom::Error> {
        let mut text = format!("{prefix}_");
        let whole = text.len().saturating_add(SECRET);
        while text.len() < whole {
            let mut byte = [0];
            getrandom::fill(&mut byte)?;
            let [byte] = byte;
            // 248 is the last multiple of 62: above it some digits would come more often.
            if byte < 248 {
                text.push(digit(u32::from(byte)));
            }
        }
        text.push_str(&checksum(&text));
        Ok(Key(text))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Prefix {
    /// Two to sixteen of `a-z` and `0-9`, beginning with a letter.
    pub fn parse(text: &str) -> Result<Prefix, String> {
        let mut bytes = text.bytes();
        let begins = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let plain = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        match begins && plain && (2..=16).contains(&text.len()) {
            true => Ok(Prefix(text.to_owned())),
            false => Err("takes 2 to 16 of a-z and 0-9, beginning with a letter".to_owned()),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is a key of ours, with any prefix.
pub fn kind(text: &str) -> Kind {
    let Some((prefix, rest)) = text.split_once('_') else {
        return Kind::Foreign;
    };
    let is_default = prefix == DEFAULT_PREFIX;
    let whole = rest.len() == SECRET.saturating_add(CHECKSUM);
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let looks_like_one = whole && plain && Prefix::parse(prefix).is_ok();
    if !(is_default || looks_like_one) {
        return Kind::Foreign;
    }
    let at = text.len().saturating_sub(CHECKSUM);
    match text.split_at_checked(at) {
        Some((before, found)) if whole && plain && checksum(before) == found => Kind::Whole,
        _ => Kind::Damaged,
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = Vec::with_capacity(CHECKSUM);
    for _ in 0..CHECKSUM {
        digits.push(digit(rest));
        rest = rest.checked_div(BASE).unwrap_or_default();
    }
    digits.iter().rev().collect()
}

/// The last digit of a number.
fn digit(number: u32) -> char {
    let last = number
        .checked_rem(BASE)
        .and_then(|it| usize::try_from(it).ok());
    let found = last.and_then(|it| DIGITS.get(it)).copied();
    char::from(found.unwrap_or(b'0'))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The expression that the README gives to scanners.
    fn scanner() -> regex::Regex {
        let expression = r"\bpclkey_[0-9A-Za-z]{49}\b";
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains(&format!("\n{expression}\n")));
        regex::Regex::new(expression).unwrap()
    }

    fn key(prefix: &str) -> String {
        let key = Key::generate(&Prefix::parse(prefix).unwrap()).unwrap();
        key.expose().to_owned()
    }

    const EXPECTED: &str = "2ZmqQF";

    /// Python: `zlib.crc32(b"pclkey_" + b"0" * 43)` is 2361078683, in base 62 `2ZmqQF`.
    #[test]
    fn the_checksum_is_crc_32_in_base_62() {
        let text = format!("pclkey_{}", "0".repeat(43));
        assert_eq!(checksum(&text), EXPECTED);
        assert_eq!(kind(&format!("{text}{EXPECTED}")), Kind::Whole);
        assert_eq!(checksum(""), "000000");
    }

    #[test]
    fn a_scanner_knows_a_key_wherever_it_stands() {
        let key = key(DEFAULT_PREFIX);
        for around in [
            format!("KEY={key}\n"),
            format!("\"{key}\","),
            format!("x-api-key: {key}"),
        ] {
            assert_eq!(scanner().find(&around).unwrap().as_str(), key);
        }
        assert!(!scanner().is_match(&key.replace("pclkey", "pclkeys")));
    }

    #[test]
    fn every_digit_comes_as_often() {
        let mut counts = [0_u32; 256];
        let keys = 2_000;
        for _ in 0..keys {
            let key = key("acme");
            for byte in key.bytes().skip("acme_".len()).take(SECRET) {
                counts[usize::from(byte)] += 1;
            }
        }
        // 1387 each; ten standard deviations are 370.
        for digit in DIGITS {
            let count = counts[usize::from(*digit)];
            assert!(
                (1_017..1_757).contains(&count),
                "{}: {count}",
                char::from(*digit)
            );
        }
    }

    #[test]
    fn others_are_left_alone() {
        for text in [
            "",
            "key",
            "ghp_abc",
            "a_b",
            "sk_live_0123",
            "acme_short",
            "Acme_x",
            "_",
        ] {
            assert_eq!(kind(text), Kind::Foreign, "{text}");
        }
        for text in ["pclkey_", "pclkey_short", "pclkey_é"] {
            assert_eq!(kind(text), Kind::Damaged, "{text}");
        }
        let short = key(DEFAULT_PREFIX);
        let (but_one, _) = short.split_at(short.len() - 1);
        assert_eq!(kind(but_one), Kind::Damaged);
        assert_eq!(kind(&format!("{short}0")), Kind::Damaged);
    }

    #[test]
    fn prefixes_are_plain() {
        for text in ["ab", "acme2", "abcdefghijklmnop"] {
            assert!(Prefix::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "a",
            "2a",
            "Acme",
            "a_b",
            "a-b",
            "abcdefghijklmnopq",
            "é2",
        ] {
            assert!(Prefix::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_character_is_found(at in 7_usize..56, by in 1_usize..62) {
            let mut bytes = key(DEFAULT_PREFIX).into_bytes();
            let was = DIGITS.iter().position(|it| *it == bytes[at]).unwrap();
            bytes[at] = DIGITS[(was + by) % 62];
            prop_assert_eq!(kind(std::str::from_utf8(&bytes).unwrap()), Kind::Damaged);
        }

        #[test]
        fn swapped_neighbours_are_found(at in 7_usize..55) {
            let mut bytes = key(DEFAULT_PREFIX).into_bytes();
            prop_assume!(bytes[at] != bytes[at + 1]);
            bytes.swap(at, at + 1);
            prop_assert_eq!(kind(std::str::from_utf8(&bytes).unwrap()), Kind::Damaged);
        }

        #[test]
        fn swapped_others_are_found(one in 7_usize..56, other in 7_usize..56) {
            let mut bytes = key(DEFAULT_PREFIX).into_bytes();
            prop_assume!(bytes[one] != bytes[other]);
            bytes.swap(one, other);
            prop_assert_eq!(kind(std::str::from_utf8(&bytes).unwrap()), Kind::Damaged);
        }

        #[test]
        fn another_prefix_is_found(at in 0_usize..4, letter in b'a'..=b'z') {
            let mut bytes = key("acme").into_bytes();
            prop_assume!(bytes[at] != letter);
            bytes[at] = letter;
            prop_assert_eq!(kind(std::str::from_utf8(&bytes).unwrap()), Kind::Damaged);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            kind(&text);
        }
    }
}
