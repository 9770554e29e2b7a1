//! What `+ - * / % | &` mean, under names of our own: the evaluators take an error in an operator as
//! the end of more than its expression, and OPA as that of a builtin. See `arithmetic` for where
//! these come in the operators' place.

use super::{
    call::{Failure, Outcome, Own, World, own},
    compare, operand,
};
use crate::value::Value;

pub(crate) const ADD: &str = "__portcullis_add";
pub(crate) const SUBTRACT: &str = "__portcullis_subtract";
pub(crate) const MULTIPLY: &str = "__portcullis_multiply";
pub(crate) const DIVIDE: &str = "__portcullis_divide";
pub(crate) const REMAINDER: &str = "__portcullis_remainder";
pub(crate) const UNION: &str = "__portcullis_union";
pub(crate) const INTERSECTION: &str = "__portcullis_intersection";

/// What `some x in` iterates over.
pub(crate) const COLLECTION: &str = "__portcullis_collection";

pub(super) const FUNCTIONS: &[Own] = &[
    own(ADD, 2, add),
    own(SUBTRACT, 2, subtract),
    own(MULTIPLY, 2, multiply),
    own(DIVIDE, 2, divide),
    own(REMAINDER, 2, remainder),
    own(UNION, 2, union),
    own(INTERSECTION, 2, intersection),
    own(COLLECTION, 1, collection),
];

/// Beyond any number that a policy has a use for: multiplying takes quadratic time.
const MAX_BITS: u64 = 8192;

/// Two numbers, paid for; their methods are regorus's.
macro_rules! numbers {
    ($arguments:expr, $world:expr) => {
        match $arguments {
            [Value::Number(one), Value::Number(other)] => {
                for number in [one, other] {
                    // What fits a machine word costs nothing to speak of.
                    if number.as_i64().is_none()
                        && number.as_u64().is_none()
                        && let Some(big) = number.as_big()
                    {
                        if big.bits() > MAX_BITS {
                            return Err(Failure::Exceeded);
                        }
                        $world.charge(usize::try_from(big.bits()).unwrap_or(usize::MAX))?;
                    }
                }
                (one, other)
            }
            [Value::Number(_), other] => return Err(operand::mismatch(1, "number", other)),
            [other, ..] => return Err(operand::mismatch(0, "number", other)),
            [] => return Err(Failure::error("too few arguments")),
        }
    };
}

/// A result that regorus cannot hold, such as an infinity.
macro_rules! number {
    ($result:expr) => {
        match $result {
            Ok(number) => Ok(Some(Value::from(number))),
            Err(error) => Err(Failure::error(error.to_string())),
        }
    };
}

fn add(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = numbers!(arguments, world);
    number!(one.add(other))
}

/// Of numbers, and of sets their difference.
fn subtract(arguments: &[Value], world: &World<'_>) -> Outcome {
    match arguments {
        [Value::Set(one), Value::Set(other)] => {
            charge(arguments, world)?;
            Ok(Some(one.difference(other).into_value()))
        }
        [Value::Set(_), other] => Err(operand::mismatch(1, "set", other)),
        [Value::Number(_), other @ Value::Set(_)] => Err(operand::mismatch(1, "number", other)),
        [other, _] if !matches!(other, Value::Number(_)) => {
            Err(operand::mismatch(0, "one of {number, set}", other))
        }
        _ => {
            let (one, other) = numbers!(arguments, world);
            number!(one.sub(other))
        }
    }
}

fn multiply(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = numbers!(arguments, world);
    number!(one.mul(other))
}

fn divide(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = numbers!(arguments, world);
    if other.as_f64() == Some(0.0) {
        return Err(Failure::error("divide by zero"));
    }
    number!(one.clone().divide(other))
}

fn remainder(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = numbers!(arguments, world);
    if other.as_f64() == Some(0.0) {
        return Err(Failure::error("modulo by zero"));
    }
    number!(one.clone().modulo(other))
}

fn union(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = (operand::set(arguments, 0)?, operand::set(arguments, 1)?);
    charge(arguments, world)?;
    Ok(Some(one.union(other).into_value()))
}

fn intersection(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = (operand::set(arguments, 0)?, operand::set(arguments, 1)?);
    charge(arguments, world)?;
    Ok(Some(one.intersection(other).into_value()))
}

fn collection(arguments: &[Value], _: &World<'_>) -> Outcome {
    let value = operand::any(arguments, 0)?;
    let is_collection = matches!(value, Value::Array(_) | Value::Set(_) | Value::Object(_));
    Ok(is_collection.then(|| value.clone()))
}

/// What is made of all of it is a new set, for which its members are compared.
fn charge(arguments: &[Value], world: &World<'_>) -> Result<(), Failure> {
    arguments
        .iter()
        .try_for_each(|argument| compare::charge_order(argument, world))
}
