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
