//! `replace` and `strings.replace_n`: all at once, so that nothing is replaced twice.

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
    strings::READ,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("replace", 3, replace),
    own("strings.replace_n", 2, replace_n),
];

fn replace(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, old, new) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
        operand::string(arguments, 2)?,
    );
    world.charge(text.len())?;
    if old.is_empty() {
        return all(text, &[(old, new)], world).map(Some);
    }
    let mut replaced = String::new();
    for (index, part) in text.split(&**old).enumerate() {
        if index > 0 {
            world.charge(new.len().saturating_add(1))?;
            replaced.push_str(new);
        }
        replaced.push_str(part);
    }
    Ok(Some(Value::from(replaced)))
}

fn replace_n(arguments: &[Value], world: &World<'_>) -> Outcome {
    let patterns = operand::object(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    world.charge_members(patterns.len())?;
    world.charge(text.len())?;
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(patterns.len());
    for (old, new) in patterns.iter_sorted() {
        let Value::String(old) = old else {
            return Err(Failure::error(
                "operand 1 non-string key found in pattern object",
            ));
        };
        let Value::String(new) = new else {
            return Err(Failure::error(
                "operand 1 non-string value found in pattern object",
            ));
        };
        pairs.push((old, new));
    }
    all(text, &pairs, world).map(Some)
}

/// At each place the first of the pairs that fits, in their order. An empty one fits everywhere,
/// also between a character's bytes; at a place where it has been put, another may still fit.
fn all(text: &str, pairs: &[(&str, &str)], world: &World<'_>) -> Result<Value, Failure> {
    let mut by_byte: Vec<Vec<(&[u8], &str)>> = vec![Vec::new(); 256];
    let mut everywhere = None;
    for (old, new) in pairs {
        let old = old.as_bytes();
        match old.first() {
            Some(byte) => by_byte
                .get_mut(usize::from(*byte))
                .into_iter()
                .for_each(|those| those.push((old, new))),
            None => everywhere = Some(*new),
        }
    }
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        if let Some(new) = everywhere {
            world.charge(new.len().saturating_add(1))?;
            replaced.extend_from_slice(new.as_bytes());
        }
        let Some((byte, after)) = rest.split_first() else {
            break;
        };
        let mut found = None;
        for (old, new) in by_byte.get(usize::from(*byte)).into_iter().flatten() {
            world.charge(old.len().min(rest.len()) / READ)?;
            world.charge(1)?;
            if let Some(after) = rest.strip_prefix(*old) {
                found = Some((*new, after));
                break;
            }
        }
        match found {
            Some((new, after)) => {
                world.charge(new.len())?;
                replaced.extend_from_slice(new.as_bytes());
                rest = after;
            }
            None => {
                replaced.push(*byte);
                rest = after;
            }
        }
    }
    Ok(value::string(&String::from_utf8_lossy(&replaced)))
}
