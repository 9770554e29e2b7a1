//! Numbers: `to_number`, `numbers.*`.

use num_bigint::{BigInt, Sign};

use super::{
    call::{Failure, Outcome, Own, World, own},
    integers, operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("numbers.range", 2, range),
    own("numbers.range_step", 3, range_step),
    own("to_number", 1, to_number),
];

fn to_number(arguments: &[Value], world: &World<'_>) -> Outcome {
    match operand::any(arguments, 0)? {
        Value::Null => Ok(Some(Value::from(0_u64))),
        Value::Bool(value) => Ok(Some(Value::from(u64::from(*value)))),
        number @ Value::Number(_) => Ok(Some(number.clone())),
        Value::String(text) => {
            world.charge(text.len())?;
            let number = is_decimal(text)
                .then(|| value::number_from_text(text).ok())
                .flatten();
            number
                .map(Some)
                .ok_or_else(|| Failure::error("invalid syntax"))
        }
        other => Err(operand::mismatch(
            0,
            "one of {null, boolean, number, string}",
            other,
        )),
    }
}

/// Go's decimal numbers: `+1`, `007`, `.5`, `5.` and `1e3`, beside JSON's.
fn is_decimal(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let text = unsigned(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let exponent = unsigned(exponent);
    let (integer, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_digits(integer)
        && is_digits(decimals)
        && !(integer.is_empty() && decimals.is_empty())
        && is_digits(&exponent)
        && !exponent.is_empty()
}

fn range(arguments: &[Value], world: &World<'_>) -> Outcome {
    let from = integers::operand(arguments, 0, world)?;
    let to = integers::operand(arguments, 1, world)?;
    numbers(from, &to, BigInt::from(1_u32), world)
}

fn range_step(arguments: &[Value], world: &World<'_>) -> Outcome {
    let from = integers::operand(arguments, 0, world)?;
    let to = integers::operand(arguments, 1, world)?;
    let step = integers::operand(arguments, 2, world)?;
    match step.sign() {
        Sign::Plus => numbers(from, &to, step, world),
        _ => Err(Failure::error(
            "numbers.range_step: step must be a positive integer",
        )),
    }
}

/// From one number to the other, either way; a positive step.
fn numbers(from: BigInt, to: &BigInt, step: BigInt, world: &World<'_>) -> Outcome {
    let distance = to - &from;
    let step = match distance.sign() {
        Sign::Minus => -step,
        _ => step,
    };
    let steps = usize::try_from(distance / &step).map_err(|_| Failure::Exceeded)?;
    world.charge_members(steps)?;
    let length = usize::try_from(from.bits().max(to.bits()) / 64).unwrap_or(usize::MAX);
    world.charge(length.saturating_mul(8).saturating_mul(steps))?;
    let small = |integer: &BigInt| i64::try_from(integer).ok();
    if let (Some(from), Some(_), Some(step)) = (small(&from), small(to), small(&step)) {
        let mut number = Some(from);
        let numbers = (0..=steps).map_while(|_| {
            let this = number?;
            number = this.checked_add(step);
            Some(Value::from(this))
        });
        return Ok(Some(Value::from(numbers.collect::<Vec<_>>())));
    }
    let mut number = from;
    let mut all = Vec::with_capacity(steps.saturating_add(1));
    for _ in 0..steps {
        all.push(integers::value(number.clone())?);
        number += &step;
    }
    all.push(integers::value(number)?);
    Ok(Some(Value::from(all)))
}
