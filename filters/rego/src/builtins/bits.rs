//! `bits.*`: exact, on integers of any size.

use num_bigint::{BigInt, Sign};

use super::{
    call::{Failure, Outcome, Own, World, own},
    integers,
};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Own] = &[
    own("bits.and", 2, and),
    own("bits.lsh", 2, lsh),
    own("bits.negate", 1, negate),
    own("bits.or", 2, or),
    own("bits.rsh", 2, rsh),
    own("bits.xor", 2, xor),
];

fn and(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (left, right) = pair(arguments, world)?;
    integers::value(left & right).map(Some)
}

fn or(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (left, right) = pair(arguments, world)?;
    integers::value(left | right).map(Some)
}

fn xor(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (left, right) = pair(arguments, world)?;
    integers::value(left ^ right).map(Some)
}

fn negate(arguments: &[Value], world: &World<'_>) -> Outcome {
    integers::value(!integers::operand(arguments, 0, world)?).map(Some)
}

fn lsh(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (integer, shift) = pair(arguments, world)?;
    let shift = unsigned(&shift)?;
    if integer.sign() == Sign::NoSign {
        return integers::value(integer).map(Some);
    }
    match shift {
        Some(shift) if integer.bits().saturating_add(shift) <= integers::MAX_BITS => {
            integers::value(integer << shift).map(Some)
        }
        _ => Err(Failure::Exceeded),
    }
}

fn rsh(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (integer, shift) = pair(arguments, world)?;
    // All bits but the sign are gone past the last one.
    let shift = unsigned(&shift)?.unwrap_or(u64::MAX).min(integer.bits());
    integers::value(integer >> shift).map(Some)
}

fn pair(arguments: &[Value], world: &World<'_>) -> Result<(BigInt, BigInt), Failure> {
    Ok((
        integers::operand(arguments, 0, world)?,
        integers::operand(arguments, 1, world)?,
    ))
}

/// A shift; none is one past any integer's length.
fn unsigned(shift: &BigInt) -> Result<Option<u64>, Failure> {
    match shift.sign() {
        Sign::Minus => Err(Failure::error(
            "operand 2 must be an unsigned integer number but got a negative integer",
        )),
        _ => Ok(u64::try_from(shift).ok()),
    }
}
