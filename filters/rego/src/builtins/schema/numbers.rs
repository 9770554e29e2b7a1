//! Numbers of a schema: exact, as they are written in decimal.

use num_bigint::{BigInt, Sign};

use super::super::{
    call::{Failure, World},
    sprintf,
};
use crate::value::{self, Value};

/// A number as digits and a power of ten.
struct Decimal {
    digits: BigInt,
    exponent: i64,
}

/// More than a 64-bit float's range and its digits: no number that is read here has more.
const MAX_EXPONENT: i64 = 2048;

fn decimal(number: &Value, world: &World<'_>) -> Result<Decimal, Failure> {
    let text = value::to_json(number).to_string();
    // To read digits takes quadratic time.
    world.charge(text.len().saturating_mul(text.len() / 64 + 1))?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unread = || Failure::Unsupported("a number of that size in a JSON schema");
    let exponent: i64 = exponent.parse().map_err(|_| unread())?;
    let places = i64::try_from(fraction.len()).map_err(|_| unread())?;
    let exponent = exponent.saturating_sub(places);
    if exponent.abs() > MAX_EXPONENT {
        return Err(unread());
    }
    let digits = format!("{whole}{fraction}").parse().map_err(|_| unread())?;
    Ok(Decimal { digits, exponent })
}

/// Whether a number is a multiple of another; of none is zero.
pub(super) fn is_multiple(number: &Value, of: &Value, world: &World<'_>) -> Result<bool, Failure> {
    let (number, of) = (decimal(number, world)?, decimal(of, world)?);
    let exponent = number.exponent.min(of.exponent);
    let scaled = |decimal: Decimal| -> Result<BigInt, Failure> {
        let zeros = decimal.exponent.saturating_sub(exponent).unsigned_abs();
        world.charge(usize::try_from(zeros).unwrap_or(usize::MAX))?;
        let zeros = u32::try_from(zeros).map_err(|_| Failure::Exceeded)?;
        Ok(decimal.digits * BigInt::from(10).pow(zeros))
    };
    let (number, of) = (scaled(number)?, scaled(of)?);
    world.charge(2048)?;
    Ok(of.sign() != Sign::NoSign && (number % of).sign() == Sign::NoSign)
}

/// As Go prints its big floats: ten digits at the most.
pub(super) fn shown(number: &Value) -> String {
    match number {
        Value::Number(number) => number
            .as_f64()
            .map(|float| sprintf::general(float, Some(10), 'e'))
            .unwrap_or_default(),
        _ => String::new(),
    }
}
