//! What a plain scalar of YAML 1.1 is, as go-yaml v2 resolves it.

use super::Words;
use crate::value::{self, Value};

pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    /// Past 64 bits.
    Big(u128),
    Float(f64),
    Text,
}

pub(super) fn resolve(text: &str, words: Words) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if words == Words::YesNo => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if words == Words::YesNo => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let plain;
    let number = match text.as_bytes().first() {
        Some(b'.') => text,
        Some(b'+' | b'-' | b'0'..=b'9') => {
            plain = text.replace('_', "");
            if let Some(integer) = integer(&plain) {
                return integer;
            }
            &plain
        }
        _ => return Scalar::Text,
    };
    match number.parse::<f64>() {
        Ok(float) if float.is_finite() && is_float(number) => Scalar::Float(float),
        _ => Scalar::Text,
    }
}

/// In the base that its prefix says, where a zero says the base of eight.
fn integer(text: &str) -> Option<Scalar> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let is_signed = digits.len() != text.len();
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.bytes().all(|byte| char::from(byte).is_digit(base)) {
        return None;
    }
    let size = u128::from_str_radix(digits, base).ok()?;
    let signed = i128::try_from(size).ok();
    let signed = if is_negative {
        signed.and_then(i128::checked_neg)
    } else {
        signed
    };
    if let Some(signed) = signed.and_then(|signed| i64::try_from(signed).ok()) {
        return Some(Scalar::Integer(signed));
    }
    if is_signed {
        return None;
    }
    match u64::try_from(size) {
        Ok(unsigned) => Some(Scalar::Unsigned(unsigned)),
        // Decimal digits of this many are a float.
        Err(_) => (base != 10).then_some(Scalar::Big(size)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`: less than what Rust reads.
fn is_float(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent_fits =
        exponent.is_none_or(|text| is_digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

/// As JSON has it. None for what is no number there.
pub(super) fn float(float: f64) -> Option<Value> {
    if !float.is_finite() {
        return None;
    }
    value::number_from_text(&super::float::shown(float)).ok()
}
