//! A builtin's arguments by their types, with OPA's words for what does not fit.

use std::sync::Arc;

use regorus::value::{Array, Object, Set};

use super::call::Failure;
use crate::value::Value;

/// The argument at a position, from 0.
///
/// # Errors
/// Where there is none, which the arity rules out.
pub(super) fn any(arguments: &[Value], position: usize) -> Result<&Value, Failure> {
    arguments
        .get(position)
        .ok_or_else(|| Failure::error("too few arguments"))
}

pub(super) fn string(arguments: &[Value], position: usize) -> Result<&Arc<str>, Failure> {
    match any(arguments, position)? {
        Value::String(text) => Ok(text),
        other => Err(mismatch(position, "string", other)),
    }
}

/// A number that is an integer; `2.0` is one.
pub(super) fn integer(arguments: &[Value], position: usize) -> Result<i64, Failure> {
    let value = any(arguments, position)?;
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Ok(integer),
            None if number.is_integer() => Err(Failure::error(format!(
                "operand {} is out of range",
                position.saturating_add(1)
            ))),
            None => Err(Failure::error(format!(
                "operand {} must be integer number but got floating-point number",
                position.saturating_add(1)
            ))),
        },
        other => Err(mismatch(position, "number", other)),
    }
}

pub(super) fn array(arguments: &[Value], position: usize) -> Result<&Array, Failure> {
    match any(arguments, position)? {
        Value::Array(items) => Ok(items),
        other => Err(mismatch(position, "array", other)),
    }
}

pub(super) fn set(arguments: &[Value], position: usize) -> Result<&Set, Failure> {
    match any(arguments, position)? {
        Value::Set(items) => Ok(items),
        other => Err(mismatch(position, "set", other)),
    }
}

pub(super) fn object(arguments: &[Value], position: usize) -> Result<&Object, Failure> {
    match any(arguments, position)? {
        Value::Object(entries) => Ok(entries),
        other => Err(mismatch(position, "object", other)),
    }
}

/// The members of an array or of a set, in order.
pub(super) fn members(arguments: &[Value], position: usize) -> Result<Vec<&Value>, Failure> {
    match any(arguments, position)? {
        Value::Array(items) => Ok(items.iter().collect()),
        Value::Set(items) => Ok(items.iter_sorted().collect()),
        other => Err(mismatch(position, "one of {set, array}", other)),
    }
}

/// A member, where all have to be strings.
pub(super) fn string_member<'a>(
    position: usize,
    collection: &Value,
    member: &'a Value,
) -> Result<&'a str, Failure> {
    match member {
        Value::String(text) => Ok(text),
        other => Err(wrong_member(position, collection, "string", other)),
    }
}

/// OPA's words: `operand 1 must be array of strings but got array containing number`.
pub(super) fn wrong_member(
    position: usize,
    collection: &Value,
    wanted: &str,
    found: &Value,
) -> Failure {
    let collection = type_name(collection);
    Failure::error(format!(
        "operand {} must be {collection} of {wanted}s but got {collection} containing {}",
        position.saturating_add(1),
        type_name(found)
    ))
}

/// OPA's words: `operand 1 must be string but got number`. The position counts from 0.
pub(super) fn mismatch(position: usize, wanted: &str, found: &Value) -> Failure {
    Failure::error(format!(
        "operand {} must be {wanted} but got {}",
        position.saturating_add(1),
        type_name(found)
    ))
}

pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Set(_) => "set",
        Value::Object(_) => "object",
        Value::Undefined => "undefined",
    }
}
