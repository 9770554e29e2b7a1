//! `time.*`, of the request's clock.

use super::call::{Outcome, Own, World, own};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Own] = &[own("time.now_ns", 0, now_ns)];

fn now_ns(_: &[Value], world: &World<'_>) -> Outcome {
    Ok(Some(Value::from(world.moment.now_ns)))
}
