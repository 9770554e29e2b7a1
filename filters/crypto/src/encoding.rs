//! Bytes as text: hexadecimal, and base64 as Go's `encoding/base64` reads it (RFC 4648): line breaks are skipped, bits behind the
//! last byte are not looked at, padding is exact.

use base64::{
    DecodeError, Engine as _,
    alphabet::{self, Alphabet},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Where the text stops being base64, counted in its bytes.
pub type Illegal = usize;

const fn engine(alphabet: &Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_encode_padding(matches!(padding, DecodePaddingMode::RequireCanonical))
        .with_decode_padding_mode(padding);
    GeneralPurpose::new(alphabet, config)
}

const STANDARD: GeneralPurpose = engine(&alphabet::STANDARD, DecodePaddingMode::RequireCanonical);
const STANDARD_BARE: GeneralPurpose = engine(&alphabet::STANDARD, DecodePaddingMode::RequireNone);
const URL: GeneralPurpose = engine(&alphabet::URL_SAFE, DecodePaddingMode::RequireCanonical);
const URL_BARE: GeneralPurpose = engine(&alphabet::URL_SAFE, DecodePaddingMode::RequireNone);

/// # Errors
/// Where it is none.
pub fn standard(text: &[u8]) -> Result<Vec<u8>, Illegal> {
    decode(&STANDARD, text)
}

/// For URLs, with padding.
///
/// # Errors
/// Where it is none.
pub fn url(text: &[u8]) -> Result<Vec<u8>, Illegal> {
    decode(&URL, text)
}

/// Of whichever alphabet and padding the text looks.
///
/// # Errors
/// Where it is none.
pub fn guessed(text: &[u8]) -> Result<Vec<u8>, Illegal> {
    let engine = match (
        text.ends_with(b"="),
        text.iter().any(|byte| matches!(byte, b'+' | b'/')),
    ) {
        (false, false) => URL_BARE,
        (true, false) => URL,
        (false, true) => STANDARD_BARE,
        (true, true) => STANDARD,
    };
    decode(&engine, text)
}

pub fn to_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// For URLs, without padding.
pub fn to_url(bytes: &[u8]) -> String {
    URL_BARE.encode(bytes)
}

/// Hexadecimal, in small letters.
pub fn to_hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// A big-endian number's digits. Its work is quadratic: the caller bounds it.
pub fn to_decimal(bytes: &[u8]) -> String {
    const LIMB: u64 = 1_000_000_000;
    // Nine digits each, the lowest first.
    let mut limbs: Vec<u64> = Vec::new();
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            let value = limb.wrapping_shl(8).saturating_add(carry);
            *limb = value.wrapping_rem(LIMB);
            carry = value.wrapping_div(LIMB);
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut limbs = limbs.into_iter().rev();
    let first = limbs.next().unwrap_or(0).to_string();
    limbs.fold(first, |digits, limb| format!("{digits}{limb:09}"))
}

fn decode(engine: &GeneralPurpose, text: &[u8]) -> Result<Vec<u8>, Illegal> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let bare: Vec<u8>;
    let found = match text.iter().any(is_break) {
        false => engine.decode(text),
        true => {
            bare = text
                .iter()
                .copied()
                .filter(|byte| !is_break(byte))
                .collect();
            engine.decode(&bare)
        }
    };
    found.map_err(|error| match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_tens() {
        let digits = |number: u128| to_decimal(&number.to_be_bytes());
        for number in [0, 9, 10, 999_999_999, 1_000_000_000, u128::MAX] {
            assert_eq!(digits(number), number.to_string());
        }
    }

    #[test]
    fn reads_what_go_reads() {
        assert_eq!(standard(b"YQ==\n").unwrap(), b"a");
        assert_eq!(standard(b"YR==").unwrap(), b"a");
        assert!(standard(b"YQ").is_err());
        assert!(standard(b"YQ ==").is_err());
        assert!(url(b"-_-_").is_ok() && url(b"+/+/").is_err());
        assert_eq!(guessed(b"+/8").unwrap(), guessed(b"-_8=").unwrap());
    }
}
