//! What an object pattern may match: see `patterns`.

use super::{
    call::{Outcome, Own, World, own},
    operand,
};
use crate::value::Value;

pub(crate) const SHAPED: &str = "__portcullis_shaped";

pub(super) const FUNCTIONS: &[Own] = &[own(SHAPED, 2, shaped)];

/// The value where its objects have as many keys as the pattern's, and is undefined otherwise.
fn shaped(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (value, shape) = (operand::any(arguments, 0)?, operand::any(arguments, 1)?);
    world.charge_members(1)?;
    Ok(fits(value, shape).then(|| value.clone()))
}

/// No deeper than a policy's text nests.
fn fits(value: &Value, shape: &Value) -> bool {
    match (value, shape) {
        (_, Value::Null) => true,
        (Value::Array(items), Value::Array(shapes)) => {
            items.len() == shapes.len()
                && items
                    .iter()
                    .zip(shapes.iter())
                    .all(|(item, shape)| fits(item, shape))
        }
        (Value::Object(entries), Value::Object(shape)) => {
            let count = shape
                .get(&Value::from("n"))
                .and_then(|count| count.as_u64().ok());
            let at = match shape.get(&Value::from("at")) {
                Some(Value::Object(at)) => at,
                _ => return false,
            };
            count == u64::try_from(entries.len()).ok()
                && at
                    .iter()
                    .all(|(key, shape)| entries.get(key).is_some_and(|entry| fits(entry, shape)))
        }
        // The pattern is an object or an array, and the value is none.
        _ => false,
    }
}
