//! regorus's own builtins, called as ours are: metered, and their errors ours to judge.

use std::sync::LazyLock;

use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};

use super::{
    call::{Failure, Outcome, World, size},
    compare,
};
use crate::value::Value;

/// Those that put members in order, and so compare them.
const ORDERING: &[&str] = &["max", "min", "sort"];

/// What goes in was paid for where it was made; it is read once, though, and what comes out is new.
pub(super) fn call(name: &str, arguments: &[Value], world: &World<'_>) -> Outcome {
    let builtin = BUILTINS
        .get(name)
        .ok_or(Failure::Unsupported("an unknown builtin"))?;
    for argument in arguments {
        if ORDERING.contains(&name) {
            compare::charge_order(argument, world)?;
        }
        world.charge(size(argument) / READ)?;
    }
    let stand_in = STAND_IN
        .as_ref()
        .ok_or(Failure::Unsupported("a builtin without a place"))?;
    let parameters = stand_in
        .parameters
        .get(..arguments.len())
        .unwrap_or_default();
    match (builtin.0)(&stand_in.span, parameters, arguments, true) {
        Ok(value) => {
            world.charge(size(&value))?;
            Ok((value != Value::Undefined).then_some(value))
        }
        Err(error) => Err(Failure::error(error.to_string())),
    }
}

/// To read costs this much less than to write.
const READ: usize = 16;

/// What regorus's builtins want for their messages.
struct StandIn {
    span: Span,
    parameters: Vec<Ref<Expr>>,
}

static STAND_IN: LazyLock<Option<StandIn>> = LazyLock::new(|| {
    let source = Source::from_contents("builtin".to_owned(), "_".to_owned()).ok()?;
    let span = Span {
        source,
        line: 1,
        col: 1,
        start: 0,
        end: 1,
    };
    let parameters = (0..u8::MAX)
        .map(|_| {
            Ref::new(Expr::Null {
                span: span.clone(),
                value: Value::Null,
                eidx: 0,
            })
        })
        .collect();
    Some(StandIn { span, parameters })
});
