//! Comparisons that pay for what they compare, under names of our own: to both evaluators one is an
//! instruction, however large the two sides are. See `arithmetic` for where these come in.

use super::{
    call::{Failure, Outcome, Own, World, own, size},
    operand,
};
use crate::value::Value;

pub(crate) const EQUAL: &str = "__portcullis_equal";
pub(crate) const UNEQUAL: &str = "__portcullis_unequal";
pub(crate) const LESS: &str = "__portcullis_less";
pub(crate) const AT_MOST: &str = "__portcullis_at_most";
pub(crate) const MORE: &str = "__portcullis_more";
pub(crate) const AT_LEAST: &str = "__portcullis_at_least";
/// `value in collection`.
pub(crate) const HOLDS: &str = "__portcullis_holds";
/// `key, value in collection`.
pub(crate) const HOLDS_AT: &str = "__portcullis_holds_at";
/// A member of a set or a key of an object, paid for.
pub(crate) const WEIGHED: &str = "__portcullis_weighed";

/// One side of an equation, which may have to be compared or only to be taken: paid for in part.
pub(crate) const GLANCED: &str = "__portcullis_glanced";

pub(super) const FUNCTIONS: &[Own] = &[
    own(EQUAL, 2, |it, world| compare(it, world, |a, b| a == b)),
    own(UNEQUAL, 2, |it, world| compare(it, world, |a, b| a != b)),
    own(LESS, 2, |it, world| compare(it, world, |a, b| a < b)),
    own(AT_MOST, 2, |it, world| compare(it, world, |a, b| a <= b)),
    own(MORE, 2, |it, world| compare(it, world, |a, b| a > b)),
    own(AT_LEAST, 2, |it, world| compare(it, world, |a, b| a >= b)),
    own(HOLDS, 2, holds),
    own(HOLDS_AT, 3, holds_at),
    own(WEIGHED, 1, weighed),
    own(GLANCED, 1, glanced),
];

/// Past any document that is read here.
const MAX_DEPTH: usize = 256;
/// To look at a character costs this much less than to make one.
const READ: usize = 16;

fn compare(arguments: &[Value], world: &World<'_>, answer: fn(&Value, &Value) -> bool) -> Outcome {
    let (one, other) = (operand::any(arguments, 0)?, operand::any(arguments, 1)?);
    charge_pair(one, other, world)?;
    Ok(Some(Value::Bool(answer(one, other))))
}

fn holds(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (value, collection) = (operand::any(arguments, 0)?, operand::any(arguments, 1)?);
    let holds = match collection {
        Value::Array(items) => one_of(items.iter(), value, world)?,
        Value::Object(entries) => one_of(entries.values(), value, world)?,
        Value::Set(items) => {
            charge_place(value, items.len(), world)?;
            items.contains(value)
        }
        _ => false,
    };
    Ok(Some(Value::Bool(holds)))
}

fn holds_at(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (key, value) = (operand::any(arguments, 0)?, operand::any(arguments, 1)?);
    let found = match operand::any(arguments, 2)? {
        Value::Array(items) => match key {
            Value::Number(index) => index
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .and_then(|index| items.get(index)),
            _ => None,
        },
        Value::Object(entries) => {
            charge_place(key, entries.len(), world)?;
            entries.get(key)
        }
        Value::Set(items) => {
            charge_place(key, items.len(), world)?;
            items.get(key)
        }
        _ => None,
    };
    let holds = match found {
        Some(found) => {
            charge_pair(found, value, world)?;
            found == value
        }
        None => false,
    };
    Ok(Some(Value::Bool(holds)))
}

fn weighed(arguments: &[Value], world: &World<'_>) -> Outcome {
    let value = operand::any(arguments, 0)?;
    charge_weight(value, world)?;
    Ok(Some(value.clone()))
}

/// As much as one glance takes: so many of them are well within what comparing may take.
const GLANCE: usize = 4096;

fn glanced(arguments: &[Value], world: &World<'_>) -> Outcome {
    let value = operand::any(arguments, 0)?;
    let mut left = GLANCE;
    weigh(value, &mut left, MAX_DEPTH)?;
    world.charge(GLANCE.saturating_sub(left))?;
    Ok(Some(value.clone()))
}

/// Takes a value's weight from what is left; no more than that.
fn weigh(value: &Value, left: &mut usize, depth: usize) -> Result<(), Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::Exceeded)?;
    let own = match value {
        Value::String(text) => text.len() / READ,
        other => size(other),
    };
    *left = left.saturating_sub(own);
    if *left == 0 {
        return Ok(());
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| weigh(item, left, depth)),
        Value::Set(items) => items.iter().try_for_each(|item| weigh(item, left, depth)),
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            weigh(key, left, depth)?;
            weigh(value, left, depth)
        }),
        _ => Ok(()),
    }
}

fn one_of<'a>(
    members: impl Iterator<Item = &'a Value>,
    value: &Value,
    world: &World<'_>,
) -> Result<bool, Failure> {
    for member in members {
        charge_pair(member, value, world)?;
        if member == value {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes what it costs to put a collection's members in order.
///
/// # Errors
/// Where there is not so much left.
pub(super) fn charge_order(collection: &Value, world: &World<'_>) -> Result<(), Failure> {
    let count = match collection {
        Value::Array(items) => items.len(),
        Value::Set(items) => items.len(),
        _ => return Ok(()),
    };
    world.charge_members(count)?;
    for _ in 0..steps(count) {
        charge_weight(collection, world)?;
    }
    Ok(())
}

/// Takes what it costs to compare two values: both are walked as far as they agree.
///
/// # Errors
/// As [`charge_order`].
pub(crate) fn charge_pair(one: &Value, other: &Value, world: &World<'_>) -> Result<(), Failure> {
    agree(one, other, world, MAX_DEPTH).map(|_| ())
}

/// Takes what it costs to find a value's place among so many.
///
/// # Errors
/// As [`charge_order`].
pub(crate) fn charge_place(value: &Value, count: usize, world: &World<'_>) -> Result<(), Failure> {
    for _ in 0..=steps(count) {
        charge_weight(value, world)?;
    }
    Ok(())
}

/// About the logarithm.
fn steps(count: usize) -> u32 {
    usize::BITS.saturating_sub(count.leading_zeros())
}

fn agree(one: &Value, other: &Value, world: &World<'_>, depth: usize) -> Result<bool, Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::Exceeded)?;
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            world.charge(one.len().min(other.len()) / READ)?;
            Ok(one == other)
        }
        (Value::Array(one), Value::Array(other)) => {
            all_agree(one.iter(), other.iter(), world, depth)
        }
        (Value::Set(one), Value::Set(other)) => {
            all_agree(one.iter_sorted(), other.iter_sorted(), world, depth)
        }
        (Value::Object(one), Value::Object(other)) => {
            for ((one_key, one), (other_key, other)) in one.iter_sorted().zip(other.iter_sorted()) {
                world.charge_members(1)?;
                if !agree(one_key, other_key, world, depth)? || !agree(one, other, world, depth)? {
                    return Ok(false);
                }
            }
            Ok(one.len() == other.len())
        }
        (Value::Array(_) | Value::Set(_) | Value::Object(_), _)
        | (_, Value::Array(_) | Value::Set(_) | Value::Object(_)) => Ok(false),
        _ => {
            world.charge(1)?;
            Ok(one == other)
        }
    }
}

fn all_agree<'a>(
    one: impl ExactSizeIterator<Item = &'a Value>,
    other: impl ExactSizeIterator<Item = &'a Value>,
    world: &World<'_>,
    depth: usize,
) -> Result<bool, Failure> {
    let same = one.len() == other.len();
    for (one, other) in one.zip(other) {
        world.charge_members(1)?;
        if !agree(one, other, world, depth)? {
            return Ok(false);
        }
    }
    Ok(same)
}

/// All that is in a value, each time it is.
fn charge_weight(value: &Value, world: &World<'_>) -> Result<(), Failure> {
    let before = world.left();
    let mut left = before;
    weigh(value, &mut left, MAX_DEPTH)?;
    world.charge(before.saturating_sub(left))?;
    match left {
        0 => Err(Failure::Exceeded),
        _ => Ok(()),
    }
}
