//! Whether anything that is taken for a credential in a header could stand in one text. Mostly nothing could:
//! policies say who is let in and why in words of their own, and four bytes in a row tell that much sooner than
//! all that is done to find credentials.

use super::{
    seek::{LEAST, is_scheme},
    windows::WINDOW,
};

/// What a text has in common with what a client sends.
pub struct Apart {
    /// Every four bytes in a row of the text in lower case, sorted; and a bit for each.
    fours: Vec<u32>,
    bits: [u64; 64],
    /// It has what a token's signature may be shown as.
    has_hex: bool,
}

/// No credential is looked for that is shorter.
const FOUR: usize = LEAST;

/// Where a credential is taken out of its header, it is not decoded unless it has one of these, or is no ASCII.
fn is_written_otherwise(byte: u8) -> bool {
    matches!(byte, b'%' | b'"' | b'\\') || !(b' '..=b'~').contains(&byte)
}

impl Apart {
    /// Of a text without anything that is percent-encoded.
    pub fn of(text: &str) -> Apart {
        let mut fours: Vec<u32> = fours(text).collect();
        fours.sort_unstable();
        fours.dedup();
        let mut apart = Apart {
            fours,
            bits: [0; 64],
            has_hex: has_hex(text),
        };
        for four in &apart.fours {
            let (word, bit) = place(*four);
            if let Some(word) = apart.bits.get_mut(word) {
                *word |= bit;
            }
        }
        apart
    }

    /// Whether nothing of the value can stand in the text, in whatever way credentials are shown. `is_credential`:
    /// it is one as a whole, so that its parts are decoded (RFC 7617).
    pub fn is_from(&self, value: &str, is_credential: bool) -> bool {
        if (self.has_hex && value.contains('.')) || (is_credential && may_be_basic(value)) {
            return false;
        }
        let mut four = 0;
        value.bytes().all(|byte| {
            four = next(four, byte);
            !is_written_otherwise(byte) && !self.has(four)
        })
    }

    fn has(&self, four: u32) -> bool {
        let (word, bit) = place(four);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
            && self.fours.binary_search(&four).is_ok()
    }
}

/// One of 4096 bits: the last six number the bit, those before the word.
fn place(four: u32) -> (usize, u64) {
    let hash = four.wrapping_mul(0x9e37_79b1) >> 20;
    let word = usize::try_from(hash >> 6).unwrap_or_default();
    (word, 1 << (hash & 63))
}

/// The four bytes that end with this one.
fn next(four: u32, byte: u8) -> u32 {
    four.wrapping_shl(8) | u32::from(byte.to_ascii_lowercase())
}

fn fours(text: &str) -> impl Iterator<Item = u32> + '_ {
    let mut four = 0;
    let all = text.bytes().map(move |byte| {
        four = next(four, byte);
        four
    });
    all.skip(FOUR.saturating_sub(1))
}

/// As much of a signature in hexadecimal as is hidden: eight digits anywhere, or fewer as a word.
fn has_hex(text: &str) -> bool {
    let is_hex = |run: &str| run.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut runs = text.split(|c: char| !c.is_ascii_hexdigit());
    words.any(|word| word.len() >= FOUR && is_hex(word)) || runs.any(|run| run.len() >= WINDOW)
}

/// Whether a part could be the base64 of a user and a password, of four bytes together.
fn may_be_basic(value: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let mut parts = value.split([' ', ',', ';']).map(str::trim);
    parts.any(|part| part.len() >= 6 && !is_scheme(part) && part.bytes().all(is_base64))
}

#[cfg(test)]
mod tests {
    use super::Apart;

    #[test]
    fn what_has_nothing_in_common_is_told() {
        let text = "clerk may read orders";
        let apart = Apart::of(text);
        for (value, is_credential, is_apart) in [
            ("Mozilla/5.0 (X11; Linux x86_64)", false, true),
            ("Bearer abc.def.ghi", true, true),
            ("hunter2-hunter3", true, false),
            ("hunter2-hunter3", false, true),
            ("the READ scope", false, false),
            ("a%20b", false, false),
            ("\"quoted\"", false, false),
            ("a\\b", false, false),
            ("é", false, false),
            ("a\tb", false, false),
            ("", true, true),
            ("abc", true, true),
        ] {
            assert_eq!(apart.is_from(value, is_credential), is_apart, "{value}");
        }
    }

    #[test]
    fn what_may_be_a_signature_is_looked_at() {
        for (text, is_apart) in [
            ("access denied", true),
            ("face it", false),
            ("xx0123abcdxx", false),
            ("0123abc-xx", false),
            ("0123abcxx", true),
        ] {
            assert_eq!(
                Apart::of(text).is_from("Bearer h.p.s", true),
                is_apart,
                "{text}"
            );
        }
    }
}
