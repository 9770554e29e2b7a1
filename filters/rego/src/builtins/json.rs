//! `json.*`.

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("json.is_valid", 1, is_valid),
    own("json.unmarshal", 1, unmarshal),
];

fn unmarshal(arguments: &[Value], world: &World<'_>) -> Outcome {
    parse(operand::string(arguments, 0)?, world).map(Some)
}

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    let Ok(text) = operand::string(arguments, 0) else {
        return Ok(Some(Value::Bool(false)));
    };
    match parse(text, world) {
        Ok(_) => Ok(Some(Value::Bool(true))),
        Err(Failure::Error(_)) => Ok(Some(Value::Bool(false))),
        Err(other) => Err(other),
    }
}

/// A document of JSON, bounded in depth and in the digits of its numbers.
pub(super) fn parse(text: &str, world: &World<'_>) -> Result<Value, Failure> {
    world.charge(text.len().saturating_mul(4))?;
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Failure::error(error.to_string()))?;
    value::from_json(&json).map_err(|error| Failure::error(error.to_string()))
}
