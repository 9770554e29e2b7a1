//! `semver.*`, as OPA reads versions: wider than SemVer, for it takes a leading `v` and leading
//! zeros.

use std::cmp::Ordering;

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Own] = &[
    own("semver.compare", 2, compare),
    own("semver.is_valid", 1, is_valid),
];

fn compare(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (left, right) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    world.charge(left.len().saturating_add(right.len()))?;
    let invalid = |position: usize, text: &str| {
        Failure::error(format!(
            "operand {position}: string {text} is not a valid SemVer"
        ))
    };
    let left = Version::parse(left).ok_or_else(|| invalid(1, left))?;
    let right = Version::parse(right).ok_or_else(|| invalid(2, right))?;
    Ok(Some(Value::from(match left.order(&right) {
        Ordering::Less => -1_i64,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })))
}

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    let valid = match operand::any(arguments, 0)? {
        Value::String(text) => {
            world.charge(text.len())?;
            Version::parse(text).is_some()
        }
        _ => false,
    };
    Ok(Some(Value::Bool(valid)))
}

struct Version<'a> {
    numbers: [i64; 3],
    /// Empty without one.
    pre_release: &'a str,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Version<'a>> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, metadata) = text.split_once('+').unwrap_or((text, ""));
        let (text, pre_release) = text.split_once('-').unwrap_or((text, ""));
        if !is_identifiers(metadata) || !is_identifiers(pre_release) {
            return None;
        }
        let mut parts = text.split('.').map(|part| part.parse::<i64>().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Version {
            numbers,
            pre_release,
        })
    }

    fn order(&self, other: &Version<'_>) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (self.pre_release, other.pre_release) {
                ("", "") => Ordering::Equal,
                ("", _) => Ordering::Greater,
                (_, "") => Ordering::Less,
                (left, right) => pre_release(left, right),
            })
    }
}

/// By its parts; of two that agree as far as they go, the longer is the greater.
fn pre_release(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => part(left, right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Numbers by value and before words, words by their bytes.
fn part(left: &str, right: &str) -> Ordering {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number(left), is_number(right)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.cmp(right),
        (true, true) => {
            // Past 64 bits, OPA's are the largest integer.
            let value = |part: &str| part.parse::<i64>().unwrap_or(i64::MAX);
            value(left).cmp(&value(right))
        }
    }
}

/// None, or some with points between: letters, digits and hyphens.
fn is_identifiers(text: &str) -> bool {
    text.is_empty()
        || text.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}
