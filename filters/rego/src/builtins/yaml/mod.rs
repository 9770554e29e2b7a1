//! `yaml.*`, as OPA has it of sigs.k8s.io/yaml: YAML 1.1 as far as it can be said in JSON.

mod float;
mod read;
mod scalar;
mod sort;
mod style;
mod write;

use super::{
    call::{Failure, Outcome, Own, World, own},
    json, operand,
};
use crate::value::{self, Value};

pub(crate) use read::read;

/// Which words a plain scalar may be that are no text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// `yes`, `off` and `n` too, as YAML 1.1 has it. A key that repeats replaces what it said.
    YesNo,
    /// As YAML 1.2 has it. No key may repeat.
    TrueFalse,
}

pub(super) const FUNCTIONS: &[Own] = &[
    own("yaml.is_valid", 1, is_valid),
    own("yaml.marshal", 1, marshal),
    own("yaml.unmarshal", 1, unmarshal),
];

fn marshal(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = write::write(operand::any(arguments, 0)?, world)?;
    Ok(Some(value::string(&text)))
}

/// A key as JSON has it: a text.
fn key_text(key: &Value, world: &World<'_>) -> Result<String, Failure> {
    match key {
        Value::String(text) => {
            world.charge(text.len())?;
            Ok(text.to_string())
        }
        other => json::to_text(other, None, world),
    }
}

fn unmarshal(arguments: &[Value], world: &World<'_>) -> Outcome {
    read(operand::string(arguments, 0)?, Words::YesNo, world).map(Some)
}

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    let Ok(text) = operand::string(arguments, 0) else {
        return Ok(Some(Value::Bool(false)));
    };
    match read(text, Words::YesNo, world) {
        Ok(_) => Ok(Some(Value::Bool(true))),
        Err(Failure::Error(_)) => Ok(Some(Value::Bool(false))),
        Err(other) => Err(other),
    }
}
