//! go-yaml's order of keys: `a2` before `a10`, and what is no letter before letters.

use std::cmp::Ordering;

use crate::{
    builtins::call::{Failure, World},
    value::Value,
};

type Entry<'a> = (String, &'a Value);

/// By merging: the order is not total where digits overflow, and the standard library's sort may
/// panic at that.
pub(super) fn sorted<'a>(
    entries: Vec<Entry<'a>>,
    world: &World<'_>,
) -> Result<Vec<Entry<'a>>, Failure> {
    let mut runs: Vec<Vec<Entry<'a>>> = entries.into_iter().map(|entry| vec![entry]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(first) = pairs.next() {
            merged.push(match pairs.next() {
                Some(second) => merge(first, second, world)?,
                None => first,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

fn merge<'a>(
    first: Vec<Entry<'a>>,
    second: Vec<Entry<'a>>,
    world: &World<'_>,
) -> Result<Vec<Entry<'a>>, Failure> {
    let mut merged = Vec::with_capacity(first.len().saturating_add(second.len()));
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    while let (Some(one), Some(other)) = (first.peek(), second.peek()) {
        world.charge(one.0.len().min(other.0.len()).saturating_add(1))?;
        match compare(&one.0, &other.0) {
            Ordering::Greater => merged.extend(second.next()),
            _ => merged.extend(first.next()),
        }
    }
    merged.extend(first);
    merged.extend(second);
    Ok(merged)
}

fn compare(one: &str, other: &str) -> Ordering {
    let mut same = String::new();
    let (mut left, mut right) = (one.chars(), other.chars());
    loop {
        let (left_rest, right_rest) = (left.as_str(), right.as_str());
        let (a, b) = match (left.next(), right.next()) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        };
        if a == b {
            same.push(a);
            continue;
        }
        match (a.is_alphabetic(), b.is_alphabetic()) {
            (true, true) => return a.cmp(&b),
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => {}
        }
        // A zero counts after other digits.
        let is_inside = (a == '0' || b == '0')
            && same
                .chars()
                .rev()
                .take_while(char::is_ascii_digit)
                .any(|digit| digit != '0');
        let start = u64::from(is_inside);
        let (left_digits, right_digits) = (digits(left_rest, start), digits(right_rest, start));
        return left_digits.cmp(&right_digits).then(a.cmp(&b));
    }
}

/// The number that a text begins with, and how many digits it has.
fn digits(text: &str, start: u64) -> (u64, usize) {
    text.chars()
        .map_while(|character| character.to_digit(10))
        .fold((start, 0), |(number, count), digit| {
            let number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            (number, count.saturating_add(1))
        })
}
