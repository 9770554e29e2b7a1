//! `json.match_schema` and `json.verify_schema`: JSON Schema of the drafts 4, 6 and 7 as OPA checks
//! it (its `internal/gojsonschema`), with its words. A keyword of a later draft says nothing, as
//! there.
//!
//! The kept crates were measured: `boon` adds 1.4 MB to the module and `jsonschema` 2.6 MB, neither
//! can be made to pay for its work from an evaluation's budget, and neither has OPA's words.

mod compile;
mod formats;
mod numbers;
mod report;
mod validate;

use std::borrow::Cow;

use self::{compile::Schema, report::Report};
use super::{
    call::{Failure, Outcome, Own, World, own},
    json, operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("json.match_schema", 2, match_schema),
    own("json.verify_schema", 1, verify_schema),
];

/// How deep a schema may nest, a document, and a schema's references through a document. Past any
/// document that is read here.
const MAX_DEPTH: usize = 256;

fn verify_schema(arguments: &[Value], world: &World<'_>) -> Outcome {
    let checked = load(operand::any(arguments, 0)?, world)
        .and_then(|schema| Schema::compile(&schema, world).map(|_| ()));
    let answer = match checked {
        Ok(()) => [Value::Bool(true), Value::Null],
        Err(Failure::Error(why)) => {
            let why = value::string(&format!("jsonschema: {why}"));
            [Value::Bool(false), why]
        }
        Err(other) => return Err(other),
    };
    Ok(Some(value::array(answer)))
}

fn match_schema(arguments: &[Value], world: &World<'_>) -> Outcome {
    let document = load(operand::any(arguments, 0)?, world)?;
    let schema = load(operand::any(arguments, 1)?, world)?;
    let schema = Schema::compile(&schema, world)?;
    let mut report = Report::new(world);
    validate::document(&schema, &document, &mut report)?;
    let is_valid = Value::Bool(report.is_valid());
    Ok(Some(value::array([is_valid, report.into_value()])))
}

/// A document that is given as such, or as its JSON text.
fn load<'a>(argument: &'a Value, world: &World<'_>) -> Result<Cow<'a, Value>, Failure> {
    match argument {
        Value::String(text) => match json::parse(text, world) {
            Ok(document) => Ok(Cow::Owned(document)),
            Err(Failure::Error(_)) => Err(Failure::error("invalid JSON string")),
            Err(other) => Err(other),
        },
        Value::Object(_) | Value::Array(_) => {
            if is_json(argument, MAX_DEPTH, world)? {
                return Ok(Cow::Borrowed(argument));
            }
            // Paid for as what is written and read again.
            let text = json::to_text(argument, None, world)?;
            json::parse(&text, world).map(Cow::Owned)
        }
        _ => Err(Failure::error("wrong type, expected string or object")),
    }
}

/// Whether a value is JSON as it stands: no sets, and no keys but strings.
fn is_json(value: &Value, left: usize, world: &World<'_>) -> Result<bool, Failure> {
    world.charge_members(1)?;
    let left = left.checked_sub(1).ok_or(Failure::Exceeded)?;
    match value {
        Value::Array(items) => {
            for item in items.iter() {
                if !is_json(item, left, world)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Value::Object(entries) => {
            for (key, member) in entries.iter() {
                if !matches!(key, Value::String(_)) || !is_json(member, left, world)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Value::Set(_) | Value::Undefined => Ok(false),
        _ => Ok(true),
    }
}
