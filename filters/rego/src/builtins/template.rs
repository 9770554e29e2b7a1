//! A template string's parts joined: see `template` for where they come from.

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand, sprintf,
};
use crate::value::{self, Value};

pub(crate) const TEMPLATE: &str = "__portcullis_template";

pub(super) const FUNCTIONS: &[Own] = &[own(TEMPLATE, 1, join)];

fn join(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut text = String::new();
    for part in operand::array(arguments, 0)?.iter() {
        let value = match part {
            // An expression and its values.
            Value::Set(values) if values.len() > 1 => {
                return Err(Failure::error("a template expression has several values"));
            }
            Value::Set(values) => values.first(),
            literal => Some(literal),
        };
        match value {
            None => text.push_str("<undefined>"),
            Some(Value::String(part)) => {
                world.charge(part.len())?;
                text.push_str(part);
            }
            Some(value) => sprintf::show(&mut text, value, world)?,
        }
    }
    Ok(Some(value::string(&text)))
}
