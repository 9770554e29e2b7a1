//! Numbers: `to_number`, `numbers.*`.

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("numbers.range", 2, range),
    own("numbers.range_step", 3, range_step),
    own("to_number", 1, to_number),
];

fn to_number(arguments: &[Value], _: &World<'_>) -> Outcome {
    let invalid = || Failure::error("invalid syntax");
    match operand::any(arguments, 0)? {
        Value::Null => Ok(Some(Value::from(0_u64))),
        Value::Bool(value) => Ok(Some(Value::from(u64::from(*value)))),
        number @ Value::Number(_) => Ok(Some(number.clone())),
        Value::String(text) => {
            let json: serde_json::Number = text.parse().map_err(|_| invalid())?;
            let number = value::number_from_text(json.as_str()).map_err(|_| invalid())?;
            Ok(Some(number))
        }
        other => Err(operand::mismatch(
            0,
            "one of {null, boolean, number, string}",
            other,
        )),
    }
}

fn range(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (from, to) = (
        operand::integer(arguments, 0)?,
        operand::integer(arguments, 1)?,
    );
    numbers(from, to, 1, world)
}

fn range_step(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (from, to) = (
        operand::integer(arguments, 0)?,
        operand::integer(arguments, 1)?,
    );
    match operand::integer(arguments, 2)? {
        step if step > 0 => numbers(from, to, step, world),
        _ => Err(Failure::error("step must be a positive number above zero")),
    }
}

/// From one number to the other, either way; a positive step.
fn numbers(from: i64, to: i64, step: i64, world: &World<'_>) -> Outcome {
    let last = from.abs_diff(to) / step.unsigned_abs().max(1);
    world.charge_members(usize::try_from(last).unwrap_or(usize::MAX))?;
    let step = match from <= to {
        true => i128::from(step),
        false => -i128::from(step),
    };
    let numbers = (0..=i128::from(last)).map(|index| {
        let number = i128::from(from) + index * step;
        i64::try_from(number).map(Value::from).ok()
    });
    Ok(numbers.collect::<Option<Vec<Value>>>().map(Value::from))
}
