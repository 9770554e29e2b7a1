//! Integers of any size, and the bound that keeps them small enough to work with.

use std::mem;

use num_bigint::BigInt;

use super::{
    call::{Failure, World},
    operand,
};
use crate::value::Value;

/// The most bits a builtin's result may have. More than any identifier, serial number or sum needs;
/// to print that many takes microseconds.
pub(super) const MAX_BITS: u64 = 4096;

/// The integer at a position, exact; `2.0` is one.
pub(super) fn operand(
    arguments: &[Value],
    position: usize,
    world: &World<'_>,
) -> Result<BigInt, Failure> {
    let value = operand::any(arguments, position)?;
    let Value::Number(number) = value else {
        return Err(operand::mismatch(position, "integer", value));
    };
    world.charge(cost(value))?;
    of(value).ok_or_else(|| match number.is_integer() {
        true => Failure::Exceeded,
        false => Failure::error(format!(
            "operand {} must be integer number but got floating-point number",
            position.saturating_add(1)
        )),
    })
}

/// A number's integer, where it is one.
pub(super) fn of(value: &Value) -> Option<BigInt> {
    let Value::Number(number) = value else {
        return None;
    };
    if let Some(integer) = number.as_i64() {
        return Some(BigInt::from(integer));
    }
    if let Some(integer) = number.as_big() {
        return Some((*integer).clone());
    }
    // A float past 2^53 is an integer too, and its digits are exact.
    match number.as_f64() {
        Some(float) if number.is_integer() => format!("{float:.0}").parse().ok(),
        _ => None,
    }
}

/// A number without its fraction.
pub(super) fn truncated(value: &Value) -> Option<BigInt> {
    of(value).or_else(|| match value {
        Value::Number(number) => format!("{:.0}", number.as_f64()?.trunc()).parse().ok(),
        _ => None,
    })
}

/// # Errors
/// Where it is larger than a result may be.
pub(super) fn value(integer: BigInt) -> Result<Value, Failure> {
    if integer.bits() > MAX_BITS {
        return Err(Failure::Exceeded);
    }
    let mut value = Value::from(0_u64);
    if let Value::Number(number) = &mut value {
        *number = integer.into();
    }
    Ok(value)
}

/// Whether it was written with a fraction, or came of arithmetic on such: `2.0`, and not `2`.
pub(super) fn is_float(value: &Value) -> bool {
    match (value, &Value::from(0.5)) {
        (Value::Number(number), Value::Number(float)) => {
            mem::discriminant(number) == mem::discriminant(float)
        }
        _ => false,
    }
}

/// What it costs to read, multiply or print a number: quadratic in its length.
pub(super) fn cost(value: &Value) -> usize {
    let Value::Number(number) = value else {
        return 1;
    };
    if number.as_i64().is_some() || number.as_u64().is_some() {
        return 1;
    }
    let words = number.as_big().map_or(16, |integer| integer.bits() / 64);
    usize::try_from(words.saturating_mul(words).saturating_add(32)).unwrap_or(usize::MAX)
}

/// # Errors
/// Where it is an integer larger than a result may be.
pub(super) fn within_bound(value: &Value) -> Result<(), Failure> {
    match value {
        Value::Number(number)
            if number.as_i64().is_none()
                && number
                    .as_big()
                    .is_some_and(|integer| integer.bits() > MAX_BITS) =>
        {
            Err(Failure::Exceeded)
        }
        _ => Ok(()),
    }
}
