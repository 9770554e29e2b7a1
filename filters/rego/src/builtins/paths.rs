//! `json.filter` and `json.remove`: documents by paths.

use std::collections::BTreeMap;

use super::{
    call::{Failure, Outcome, Own, World, own},
    json::MAX_DEPTH,
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] =
    &[own("json.filter", 2, filter), own("json.remove", 2, remove)];

fn filter(arguments: &[Value], world: &World<'_>) -> Outcome {
    operand::object(arguments, 0)?;
    let paths = paths(arguments, world)?;
    kept(operand::any(arguments, 0)?, &paths, world).map(Some)
}

fn remove(arguments: &[Value], world: &World<'_>) -> Outcome {
    operand::object(arguments, 0)?;
    let paths = paths(arguments, world)?;
    left(operand::any(arguments, 0)?, &paths, world)
}

/// Paths by their segments. None is where a path ends, and all that is longer.
type Paths = BTreeMap<Value, Option<Box<Branch>>>;

struct Branch(Paths);

fn paths(arguments: &[Value], world: &World<'_>) -> Result<Paths, Failure> {
    let mut root = Paths::new();
    let wanted: Vec<&Value> = match operand::any(arguments, 1)? {
        Value::Array(items) => items.iter().collect(),
        Value::Set(items) => items.iter_sorted().collect(),
        other => return Err(operand::mismatch(1, "one of {set, array}", other)),
    };
    for path in wanted {
        let path = segments(path, world)?;
        if path.len() > MAX_DEPTH {
            return Err(Failure::Exceeded);
        }
        add(&mut root, &path);
    }
    Ok(root)
}

fn add(node: &mut Paths, path: &[Value]) {
    match path {
        // The empty path asks for nothing.
        [] => {}
        [last] => {
            node.insert(last.clone(), None);
        }
        [first, rest @ ..] => {
            let child = node
                .entry(first.clone())
                .or_insert_with(|| Some(Box::new(Branch(Paths::new()))));
            if let Some(branch) = child {
                add(&mut branch.0, rest);
            }
        }
    }
}

/// The segments of a path, which is an array of them or a JSON pointer, whose first slashes may be
/// missing or many.
pub(super) fn segments(path: &Value, world: &World<'_>) -> Result<Vec<Value>, Failure> {
    match path {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => {
            world.charge(text.len())?;
            world.charge_members(text.split('/').count())?;
            Ok(text
                .trim_start_matches('/')
                .split('/')
                .map(|part| value::string(&part.replace("~1", "/").replace("~0", "~")))
                .collect())
        }
        Value::Array(parts) => {
            world.charge_members(parts.len())?;
            Ok(parts.as_slice().to_vec())
        }
        other => Err(Failure::error(format!(
            "operand 2 must be one of {{set, array}} containing string paths or array of path \
             segments but got {}",
            operand::type_name(other)
        ))),
    }
}

fn index(position: usize) -> Value {
    value::string(&position.to_string())
}

/// What stands at the paths. A path that goes on past a value that has no members keeps it.
fn kept(value: &Value, paths: &Paths, world: &World<'_>) -> Result<Value, Failure> {
    let inner = |value: &Value, paths: &Option<Box<Branch>>| match paths {
        None => Ok(value.clone()),
        Some(branch) => kept(value, &branch.0, world),
    };
    match value {
        Value::Array(items) => {
            world.charge_members(items.len())?;
            let mut kept = Vec::new();
            for (position, item) in items.iter().enumerate() {
                if let Some(paths) = paths.get(&index(position)) {
                    kept.push(inner(item, paths)?);
                }
            }
            Ok(Value::from(kept))
        }
        Value::Set(items) => {
            world.charge_members(items.len())?;
            let mut kept = std::collections::BTreeSet::new();
            for item in items.iter_sorted() {
                if let Some(paths) = paths.get(item) {
                    kept.insert(inner(item, paths)?);
                }
            }
            Ok(Value::from(kept))
        }
        Value::Object(entries) => {
            world.charge_members(paths.len())?;
            let mut kept = BTreeMap::new();
            for (key, paths) in paths {
                if let Some(value) = entries.get(key) {
                    kept.insert(key.clone(), inner(value, paths)?);
                }
            }
            Ok(Value::from(kept))
        }
        other => Ok(other.clone()),
    }
}

/// What does not stand at the paths.
fn left(value: &Value, paths: &Paths, world: &World<'_>) -> Outcome {
    let inner = |value: &Value, paths: Option<&Option<Box<Branch>>>| match paths {
        None => Ok(Some(value.clone())),
        Some(None) => Ok(None),
        Some(Some(branch)) => left(value, &branch.0, world),
    };
    let found = match value {
        Value::Array(items) => {
            world.charge_members(items.len())?;
            let mut found = Vec::new();
            for (position, item) in items.iter().enumerate() {
                found.extend(inner(item, paths.get(&index(position)))?);
            }
            Value::from(found)
        }
        Value::Set(items) => {
            world.charge_members(items.len())?;
            let mut found = std::collections::BTreeSet::new();
            for item in items.iter_sorted() {
                found.extend(inner(item, paths.get(item))?);
            }
            Value::from(found)
        }
        Value::Object(entries) => {
            world.charge_members(entries.len())?;
            let mut found = BTreeMap::new();
            for (key, value) in entries.iter_sorted() {
                if let Some(value) = inner(value, paths.get(key))? {
                    found.insert(key.clone(), value);
                }
            }
            Value::from(found)
        }
        other => other.clone(),
    };
    Ok(Some(found))
}
