//! `walk`, as the array of what it finds: see `calls`.

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(crate) const WALK: &str = "__portcullis_walk";

pub(super) const FUNCTIONS: &[Own] = &[own(WALK, 1, walk)];

fn walk(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut found = Vec::new();
    visit(
        operand::any(arguments, 0)?,
        &mut Vec::new(),
        &mut found,
        world,
    )?;
    Ok(Some(Value::from(found)))
}

/// As deep as values get that come from JSON, and some more.
const MAX_DEPTH: usize = 256;

/// A pair of path and value for this one and for all inside; a set's members have themselves as keys.
fn visit(
    value: &Value,
    path: &mut Vec<Value>,
    found: &mut Vec<Value>,
    world: &World<'_>,
) -> Result<(), Failure> {
    if path.len() > MAX_DEPTH {
        return Err(Failure::Exceeded);
    }
    world.charge_members(path.len().saturating_add(2))?;
    found.push(value::array([Value::from(path.clone()), value.clone()]));
    let mut inner = |key: Value, value: &Value| {
        path.push(key);
        let visited = visit(value, path, found, world);
        path.pop();
        visited
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                inner(Value::from(index), item)?;
            }
        }
        Value::Set(items) => {
            for item in items.iter_sorted() {
                inner(item.clone(), item)?;
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries.iter_sorted() {
                inner(key.clone(), entry)?;
            }
        }
        _ => {}
    }
    Ok(())
}
