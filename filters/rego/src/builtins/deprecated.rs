//! What OPA has for Rego v0 and refuses in v1 modules, where their names are as good as any: `all`,
//! `any`, `set_diff`, `cast_*`.

use std::collections::BTreeSet;

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("all", 1, all),
    own("any", 1, any),
    own("cast_array", 1, cast_array),
    own("cast_boolean", 1, |arguments, _| {
        cast(arguments, "boolean", |it| matches!(it, Value::Bool(_)))
    }),
    own("cast_null", 1, |arguments, _| {
        cast(arguments, "null", |it| matches!(it, Value::Null))
    }),
    own("cast_object", 1, |arguments, _| {
        cast(arguments, "object", |it| matches!(it, Value::Object(_)))
    }),
    own("cast_set", 1, cast_set),
    own("cast_string", 1, |arguments, _| {
        cast(arguments, "string", |it| matches!(it, Value::String(_)))
    }),
    own("set_diff", 2, set_diff),
];

/// Whether all members are `true`.
fn all(arguments: &[Value], world: &World<'_>) -> Outcome {
    let members = members(arguments, world)?;
    let all = members.iter().all(|member| **member == Value::Bool(true));
    Ok(Some(Value::Bool(all)))
}

/// Whether a member is `true`.
fn any(arguments: &[Value], world: &World<'_>) -> Outcome {
    let members = members(arguments, world)?;
    let any = members.contains(&&Value::Bool(true));
    Ok(Some(Value::Bool(any)))
}

fn members<'a>(arguments: &'a [Value], world: &World<'_>) -> Result<Vec<&'a Value>, Failure> {
    let members = operand::members(arguments, 0)?;
    world.charge_members(members.len())?;
    Ok(members)
}

fn cast(arguments: &[Value], wanted: &str, is: fn(&Value) -> bool) -> Outcome {
    let value = operand::any(arguments, 0)?;
    match is(value) {
        true => Ok(Some(value.clone())),
        false => Err(operand::mismatch(0, wanted, value)),
    }
}

fn cast_array(arguments: &[Value], world: &World<'_>) -> Outcome {
    members(arguments, world).map(|members| Some(value::array(members.into_iter().cloned())))
}

fn cast_set(arguments: &[Value], world: &World<'_>) -> Outcome {
    let members: BTreeSet<Value> = members(arguments, world)?.into_iter().cloned().collect();
    Ok(Some(Value::from(members)))
}

fn set_diff(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (one, other) = (operand::set(arguments, 0)?, operand::set(arguments, 1)?);
    world.charge_members(one.len().saturating_add(other.len()))?;
    Ok(Some(one.difference(other).into_value()))
}
