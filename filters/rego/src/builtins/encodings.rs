//! `base64.*` and `base64url.*` as Go decodes them: line ends are passed over, and the last
//! character's spare bits may be anything.

use base64::{
    Engine as _,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("base64.decode", 1, decode),
    own("base64.is_valid", 1, is_valid),
    own("base64url.decode", 1, decode_url),
];

fn decode(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    bytes(text, &STANDARD, world).map(text_of)
}

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    let valid = match operand::any(arguments, 0)? {
        Value::String(text) => match bytes(text, &STANDARD, world) {
            Ok(_) => true,
            Err(Failure::Error(_)) => false,
            Err(other) => return Err(other),
        },
        _ => false,
    };
    Ok(Some(Value::Bool(valid)))
}

fn decode_url(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len())?;
    let mut text = text.to_string();
    if !text.ends_with('=') {
        // By the length of all of it, line ends too, as OPA has it.
        text.push_str(match text.len() % 4 {
            0 => "",
            2 => "==",
            3 => "=",
            _ => return Err(Failure::error("illegal base64url string")),
        });
    }
    bytes(&text, &URL_SAFE, world).map(text_of)
}

fn bytes(text: &str, alphabet: &Alphabet, world: &World<'_>) -> Result<Vec<u8>, Failure> {
    world.charge(text.len().saturating_mul(2))?;
    let engine = GeneralPurpose::new(
        alphabet,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let text: String = text
        .chars()
        .filter(|character| !matches!(character, '\r' | '\n'))
        .collect();
    engine
        .decode(text)
        .map_err(|_| Failure::error("illegal base64 data"))
}

/// What is no UTF-8 could be in no JSON: OPA too writes U+FFFD in its place there.
fn text_of(bytes: Vec<u8>) -> Option<Value> {
    Some(value::string(&String::from_utf8_lossy(&bytes)))
}
