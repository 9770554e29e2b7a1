//! `json.patch`: RFC 6902 on values, sets among them.

use std::{mem, sync::Arc};

use regorus::value::Array;

use super::{
    call::{Failure, Outcome, Own, World, own},
    json::{self, MAX_DEPTH},
    operand, paths,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[own("json.patch", 2, patch)];

/// A patch that does not apply is undefined to OPA, and no error.
fn patch(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut document = Some(operand::any(arguments, 0)?.clone());
    for operation in operand::array(arguments, 1)?.iter() {
        match apply(&mut document, operation, world) {
            Ok(()) => {}
            Err(Failure::Error(_)) => return Ok(None),
            Err(failure) => return Err(failure),
        }
    }
    Ok(document)
}

fn apply(
    document: &mut Option<Value>,
    operation: &Value,
    world: &World<'_>,
) -> Result<(), Failure> {
    world.charge_members(1)?;
    let Value::Object(operation) = operation else {
        return Err(Failure::error("must be an array of JSON-Patch objects"));
    };
    let attribute = |name: &str| {
        operation
            .get(&value::string(name))
            .ok_or_else(|| Failure::error(format!("missing '{name}' attribute")))
    };
    let Value::String(name) = attribute("op")? else {
        return Err(Failure::error("attribute 'op' must be a string"));
    };
    let path = |name| {
        let path = paths::segments(attribute(name)?, world)?;
        if path.len() > MAX_DEPTH {
            return Err(Failure::Exceeded);
        }
        Ok(path)
    };
    match name.as_ref() {
        "add" => insert(document, &path("path")?, attribute("value")?.clone(), world),
        "remove" => remove(document, &path("path")?, world),
        "replace" => {
            let (path, value) = (path("path")?, attribute("value")?);
            remove(document, &path, world)?;
            insert(document, &path, value.clone(), world)
        }
        "move" => {
            let (path, from) = (path("path")?, path("from")?);
            let value = at(document.as_ref(), &from, world)?.clone();
            bounded(&path, &value, world)?;
            remove(document, &from, world)?;
            insert(document, &path, value, world)
        }
        "copy" => {
            let (path, from) = (path("path")?, path("from")?);
            let value = at(document.as_ref(), &from, world)?.clone();
            bounded(&path, &value, world)?;
            insert(document, &path, value, world)
        }
        "test" => {
            let expected = attribute("value")?;
            json::depth(expected, world)?;
            let found = at(document.as_ref(), &path("path")?, world)?;
            if found == expected {
                Ok(())
            } else {
                Err(Failure::error("the value is not the expected one"))
            }
        }
        other => Err(Failure::error(format!("unrecognized op '{other}'"))),
    }
}

/// A copy shares what it copies, so that it could double a document each time, or nest it.
fn bounded(path: &[Value], value: &Value, world: &World<'_>) -> Result<(), Failure> {
    let depth = json::depth(value, world)?.saturating_add(path.len());
    if depth > MAX_DEPTH {
        return Err(Failure::Exceeded);
    }
    Ok(())
}

fn missing() -> Failure {
    Failure::error("the path does not exist")
}

fn at<'a>(
    document: Option<&'a Value>,
    path: &[Value],
    world: &World<'_>,
) -> Result<&'a Value, Failure> {
    world.charge_members(path.len())?;
    let document = document.ok_or_else(missing)?;
    path.iter()
        .try_fold(document, |value, segment| match value {
            Value::Object(entries) => entries.get(segment),
            Value::Set(items) => items.get(segment),
            Value::Array(items) => index(items.len(), segment).and_then(|at| items.get(at)),
            _ => None,
        })
        .ok_or_else(missing)
}

/// Where `-` stands for the end, at which nothing is yet.
fn index(length: usize, segment: &Value) -> Option<usize> {
    match segment {
        Value::Number(number) => number.as_i64().and_then(|at| usize::try_from(at).ok()),
        Value::String(text) if text.as_ref() == "-" => Some(length),
        Value::String(text) => {
            let is_plain = text.as_ref() == "0"
                || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
            is_plain.then(|| text.parse().ok()).flatten()
        }
        _ => None,
    }
}

fn insert(
    document: &mut Option<Value>,
    path: &[Value],
    value: Value,
    world: &World<'_>,
) -> Result<(), Failure> {
    let Some((last, parents)) = path.split_last() else {
        *document = Some(value);
        return Ok(());
    };
    let document = document.as_mut().ok_or_else(missing)?;
    edit(document, parents, world, |parent| {
        charge_copy(parent, world)?;
        match parent {
            Value::Object(entries) => {
                Arc::make_mut(entries).insert(last.clone(), value);
                Ok(())
            }
            // A set's members are their own keys.
            Value::Set(items) if *last == value => {
                Arc::make_mut(items).insert(value);
                Ok(())
            }
            Value::Array(items) => {
                let at = index(items.len(), last).filter(|at| *at <= items.len());
                let at = at.ok_or_else(missing)?;
                shift(items, at, world, |members| members.insert(at, value))
            }
            _ => Err(missing()),
        }
    })
}

fn remove(document: &mut Option<Value>, path: &[Value], world: &World<'_>) -> Result<(), Failure> {
    let Some((last, parents)) = path.split_last() else {
        return document.take().map(|_| ()).ok_or_else(missing);
    };
    let document = document.as_mut().ok_or_else(missing)?;
    edit(document, parents, world, |parent| {
        charge_copy(parent, world)?;
        match parent {
            Value::Object(entries) => {
                let removed = Arc::make_mut(entries).remove(last);
                removed.map(|_| ()).ok_or_else(missing)
            }
            Value::Set(items) => match Arc::make_mut(items).remove(last) {
                true => Ok(()),
                false => Err(missing()),
            },
            Value::Array(items) => {
                let at = index(items.len(), last).filter(|at| *at < items.len());
                let at = at.ok_or_else(missing)?;
                shift(items, at, world, |members| {
                    members.remove(at);
                })
            }
            _ => Err(missing()),
        }
    })
}

/// An array's members from a place on, which is within it.
fn shift(
    items: &mut Arc<Array>,
    at: usize,
    world: &World<'_>,
    change: impl FnOnce(&mut Vec<Value>),
) -> Result<(), Failure> {
    world.charge_members(items.len().saturating_sub(at))?;
    let items = Arc::make_mut(items);
    let mut members = mem::take(items).into_vec();
    change(&mut members);
    items.extend(members);
    Ok(())
}

/// Changes what stands at a path. What is shared on the way there is copied first.
fn edit(
    value: &mut Value,
    path: &[Value],
    world: &World<'_>,
    change: impl FnOnce(&mut Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some((first, rest)) = path.split_first() else {
        return change(value);
    };
    charge_copy(value, world)?;
    match value {
        Value::Object(entries) => {
            let inner = Arc::make_mut(entries).get_mut(first).ok_or_else(missing)?;
            edit_boxed(inner, rest, world, Box::new(change))
        }
        Value::Array(items) => {
            let at = index(items.len(), first).ok_or_else(missing)?;
            let inner = Arc::make_mut(items).get_mut(at).ok_or_else(missing)?;
            edit_boxed(inner, rest, world, Box::new(change))
        }
        Value::Set(items) => {
            let mut inner = items.get(first).cloned().ok_or_else(missing)?;
            let items = Arc::make_mut(items);
            items.remove(first);
            edit_boxed(&mut inner, rest, world, Box::new(change))?;
            items.insert(inner);
            Ok(())
        }
        _ => Err(missing()),
    }
}

type Change<'a> = Box<dyn FnOnce(&mut Value) -> Result<(), Failure> + 'a>;

/// One function for every change, however deep.
fn edit_boxed(
    value: &mut Value,
    path: &[Value],
    world: &World<'_>,
    change: Change<'_>,
) -> Result<(), Failure> {
    edit(value, path, world, change)
}

fn charge_copy(value: &Value, world: &World<'_>) -> Result<(), Failure> {
    let shared = match value {
        Value::Array(items) if Arc::strong_count(items) > 1 => items.len(),
        Value::Set(items) if Arc::strong_count(items) > 1 => items.len(),
        Value::Object(entries) if Arc::strong_count(entries) > 1 => entries.len(),
        _ => 1,
    };
    world.charge_members(shared)
}
