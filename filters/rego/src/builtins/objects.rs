//! `object.*`.

use std::{collections::BTreeSet, sync::Arc};

use regorus::value::{Object, Set};

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("object.filter", 2, filter),
    own("object.get", 3, get),
    own("object.keys", 1, keys),
    own("object.remove", 2, remove),
    own("object.subset", 2, subset),
    own("object.union", 2, union),
    own("object.union_n", 1, union_n),
];

fn filter(arguments: &[Value], world: &World<'_>) -> Outcome {
    let object = operand::object(arguments, 0)?;
    let keys = keys_of(arguments, world)?;
    world.charge_members(keys.len().min(object.len()))?;
    let kept = keys
        .into_iter()
        .filter_map(|key| Some((key.clone(), object.get(key)?.clone())));
    Ok(Some(value::object(kept)))
}

fn remove(arguments: &[Value], world: &World<'_>) -> Outcome {
    let object = operand::object(arguments, 0)?;
    let keys = keys_of(arguments, world)?;
    world.charge_members(object.len())?;
    let left = object
        .iter_sorted()
        .filter(|(key, _)| !keys.contains(key))
        .map(|(key, value)| (key.clone(), value.clone()));
    Ok(Some(value::object(left)))
}

/// The second argument as keys.
fn keys_of<'a>(arguments: &'a [Value], world: &World<'_>) -> Result<BTreeSet<&'a Value>, Failure> {
    match operand::any(arguments, 1)? {
        Value::Array(items) => {
            world.charge_members(items.len())?;
            Ok(items.iter().collect())
        }
        Value::Set(items) => {
            world.charge_members(items.len())?;
            Ok(items.iter_sorted().collect())
        }
        Value::Object(entries) => {
            world.charge_members(entries.len())?;
            Ok(entries.keys_sorted().collect())
        }
        other => Err(operand::mismatch(1, "one of {object, set, array}", other)),
    }
}

fn keys(arguments: &[Value], world: &World<'_>) -> Outcome {
    let object = operand::object(arguments, 0)?;
    world.charge_members(object.len())?;
    let keys: BTreeSet<Value> = object.keys_sorted().cloned().collect();
    Ok(Some(Value::from(keys)))
}

/// By a key, or by an array of them for a path, through arrays and sets too.
fn get(arguments: &[Value], world: &World<'_>) -> Outcome {
    let object = operand::object(arguments, 0)?;
    let found = match operand::any(arguments, 1)? {
        Value::Array(path) => {
            world.charge_members(path.len())?;
            path.iter()
                .try_fold(operand::any(arguments, 0)?, |value, key| member(value, key))
        }
        key => object.get(key),
    };
    let found = match found {
        Some(found) => found,
        None => operand::any(arguments, 2)?,
    };
    Ok(Some(found.clone()))
}

fn member<'a>(value: &'a Value, key: &Value) -> Option<&'a Value> {
    match (value, key) {
        (Value::Object(entries), key) => entries.get(key),
        (Value::Set(items), key) => items.get(key),
        (Value::Array(items), Value::Number(number)) => {
            items.get(usize::try_from(number.as_i64()?).ok()?)
        }
        _ => None,
    }
}

fn union(arguments: &[Value], world: &World<'_>) -> Outcome {
    operand::object(arguments, 0)?;
    operand::object(arguments, 1)?;
    let mut merged = operand::any(arguments, 0)?.clone();
    merge(&mut merged, operand::any(arguments, 1)?, world)?;
    Ok(Some(merged))
}

fn union_n(arguments: &[Value], world: &World<'_>) -> Outcome {
    let objects = operand::array(arguments, 0)?;
    let mut merged = Value::new_object();
    for object in objects.iter() {
        if !matches!(object, Value::Object(_)) {
            return Err(Failure::error(format!(
                "operand 1 must be array of objects but got array containing {}",
                operand::type_name(object)
            )));
        }
        merge(&mut merged, object, world)?;
    }
    Ok(Some(merged))
}

/// Where both have an object at a key, the two are merged; else the latter's value stays.
fn merge(into: &mut Value, from: &Value, world: &World<'_>) -> Result<(), Failure> {
    let (Value::Object(entries), Value::Object(more)) = (&mut *into, from) else {
        *into = from.clone();
        return Ok(());
    };
    world.charge_members(more.len().saturating_add(1))?;
    if Arc::ptr_eq(entries, more) {
        return Ok(());
    }
    if Arc::strong_count(entries) > 1 {
        world.charge_members(entries.len())?;
    }
    let entries = Arc::make_mut(entries);
    for (key, value) in more.iter_sorted() {
        match entries.get_mut(key) {
            Some(known) => merge(known, value, world)?,
            None => {
                entries.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn subset(arguments: &[Value], world: &World<'_>) -> Outcome {
    let outer = operand::any(arguments, 0)?;
    let inner = operand::any(arguments, 1)?;
    let holds = match (outer, inner) {
        (Value::Object(outer), Value::Object(inner)) => in_object(outer, inner, world)?,
        (Value::Set(outer), Value::Set(inner)) => in_set(outer, inner, world)?,
        (Value::Array(outer), Value::Array(inner)) => {
            in_array(outer.as_slice(), inner.as_slice(), world)?
        }
        (Value::Array(outer), Value::Set(inner)) => {
            world.charge_members(outer.len())?;
            // OPA counts a member that repeats as often as it stands there.
            let mut missing = inner.len();
            outer.iter().any(|item| {
                missing = missing.saturating_sub(usize::from(inner.contains(item)));
                missing == 0
            })
        }
        _ => {
            return Err(Failure::error(
                "both arguments object.subset must be of the same type or array and set",
            ));
        }
    };
    Ok(Some(Value::Bool(holds)))
}

fn in_object(outer: &Object, inner: &Object, world: &World<'_>) -> Result<bool, Failure> {
    world.charge_members(inner.len())?;
    for (key, inner) in inner.iter_sorted() {
        let holds = match (outer.get(key), inner) {
            (None, _) => false,
            (Some(Value::Object(outer)), Value::Object(inner)) => in_object(outer, inner, world)?,
            (Some(Value::Set(outer)), Value::Set(inner)) => in_set(outer, inner, world)?,
            (Some(Value::Array(outer)), Value::Array(inner)) => {
                in_array(outer.as_slice(), inner.as_slice(), world)?
            }
            (Some(outer), inner) => outer == inner,
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn in_set(outer: &Set, inner: &Set, world: &World<'_>) -> Result<bool, Failure> {
    world.charge_members(inner.len())?;
    Ok(inner.iter().all(|item| outer.contains(item)))
}

/// One after another, somewhere in the outer array.
fn in_array(outer: &[Value], inner: &[Value], world: &World<'_>) -> Result<bool, Failure> {
    if inner.is_empty() {
        return Ok(true);
    }
    for start in 0..=outer.len().saturating_sub(inner.len()) {
        let here = outer.get(start..).unwrap_or_default();
        let equal = here.iter().zip(inner).take_while(|(a, b)| a == b).count();
        world.charge_members(equal.saturating_add(1))?;
        if equal == inner.len() {
            return Ok(true);
        }
    }
    Ok(false)
}
