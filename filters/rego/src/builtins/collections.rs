//! Arrays and sets: what joins them, and what counts them.

use std::collections::BTreeSet;

use super::{
    call::{Failure, Outcome, Own, World, own},
    integers, operand,
};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Own] = &[
    own("array.concat", 2, concat),
    own("array.flatten", 1, flatten),
    own("array.slice", 3, slice),
    own("count", 1, count),
    own("intersection", 1, intersection),
    own("product", 1, product),
    own("sum", 1, sum),
    own("union", 1, union),
];

fn concat(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (left, right) = (operand::array(arguments, 0)?, operand::array(arguments, 1)?);
    world.charge_members(left.len().saturating_add(right.len()))?;
    let items: Vec<Value> = left.iter().chain(right.iter()).cloned().collect();
    Ok(Some(Value::from(items)))
}

fn flatten(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut flat = Vec::new();
    for item in operand::array(arguments, 0)?.iter() {
        match item {
            Value::Array(items) => {
                world.charge_members(items.len().saturating_add(1))?;
                flat.extend(items.iter().cloned());
            }
            other => {
                world.charge_members(1)?;
                flat.push(other.clone());
            }
        }
    }
    Ok(Some(Value::from(flat)))
}

fn slice(arguments: &[Value], world: &World<'_>) -> Outcome {
    let items = operand::array(arguments, 0)?.as_slice();
    let at = |position| {
        let at = operand::integer(arguments, position)?;
        let at = usize::try_from(at.max(0)).unwrap_or(usize::MAX);
        Ok::<usize, Failure>(at.min(items.len()))
    };
    let (start, stop) = (at(1)?, at(2)?);
    let slice = items.get(start.min(stop)..stop).unwrap_or_default();
    world.charge_members(slice.len())?;
    Ok(Some(Value::from(slice.to_vec())))
}

fn count(arguments: &[Value], world: &World<'_>) -> Outcome {
    let count = match operand::any(arguments, 0)? {
        Value::Array(items) => items.len(),
        Value::Set(items) => items.len(),
        Value::Object(entries) => entries.len(),
        Value::String(text) => {
            world.charge(text.len() / 16)?;
            text.chars().count()
        }
        other => {
            return Err(operand::mismatch(
                0,
                "one of {array, object, set, string}",
                other,
            ));
        }
    };
    Ok(Some(Value::from(count)))
}

fn sum(arguments: &[Value], world: &World<'_>) -> Outcome {
    fold(
        arguments,
        world,
        Value::from(0_u64),
        |total, number| match (total, number) {
            (Value::Number(total), Value::Number(number)) => {
                total.add(number).ok().map(Value::from)
            }
            _ => None,
        },
    )
}

fn product(arguments: &[Value], world: &World<'_>) -> Outcome {
    fold(
        arguments,
        world,
        Value::from(1_u64),
        |total, number| match (total, number) {
            (Value::Number(total), Value::Number(number)) => {
                total.mul(number).ok().map(Value::from)
            }
            _ => None,
        },
    )
}

fn fold(
    arguments: &[Value],
    world: &World<'_>,
    mut total: Value,
    step: fn(&Value, &Value) -> Option<Value>,
) -> Outcome {
    for item in operand::members(arguments, 0)? {
        if !matches!(item, Value::Number(_)) {
            let collection = operand::any(arguments, 0)?;
            return Err(operand::wrong_member(0, collection, "number", item));
        }
        let cost = integers::cost(&total).saturating_add(integers::cost(item));
        world.charge(cost)?;
        total = step(&total, item).ok_or(Failure::Unsupported("a number past any float"))?;
        integers::within_bound(&total)?;
    }
    Ok(Some(total))
}

fn union(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut all = BTreeSet::new();
    for item in operand::set(arguments, 0)?.iter_sorted() {
        let Value::Set(items) = item else {
            return Err(operand::mismatch(0, "set", item));
        };
        world.charge_members(items.len())?;
        all.extend(items.iter_sorted().cloned());
    }
    Ok(Some(Value::from(all)))
}

fn intersection(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut sets = Vec::new();
    for item in operand::set(arguments, 0)?.iter_sorted() {
        let Value::Set(items) = item else {
            return Err(operand::mismatch(0, "set", item));
        };
        sets.push(items);
    }
    let Some(smallest) = sets.iter().min_by_key(|items| items.len()) else {
        return Ok(Some(Value::new_set()));
    };
    world.charge_members(smallest.len().saturating_mul(sets.len()))?;
    let common: BTreeSet<Value> = smallest
        .iter_sorted()
        .filter(|item| sets.iter().all(|items| items.contains(item)))
        .cloned()
        .collect();
    Ok(Some(Value::from(common)))
}
