//! Strings, as Go counts, folds and replaces them.

use super::{
    call::{Failure, Outcome, Own, World, own},
    integers, operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("concat", 2, concat),
    own("format_int", 2, format_int),
    own("indexof", 2, indexof),
    own("indexof_n", 2, indexof_n),
    own("lower", 1, lower),
    own("split", 2, split),
    own("strings.any_prefix_match", 2, any_prefix_match),
    own("strings.any_suffix_match", 2, any_suffix_match),
    own("strings.count", 2, count),
    own("substring", 3, substring),
    own("trim", 2, trim),
    own("trim_left", 2, trim_left),
    own("trim_right", 2, trim_right),
    own("upper", 1, upper),
];

/// To search costs this much less than to write.
pub(super) const READ: usize = 16;

fn concat(arguments: &[Value], world: &World<'_>) -> Outcome {
    let separator = operand::string(arguments, 0)?;
    let collection = operand::any(arguments, 1)?;
    let members = operand::members(arguments, 1)?;
    world.charge_members(members.len())?;
    let mut texts = Vec::with_capacity(members.len());
    for member in members {
        let text = operand::string_member(1, collection, member)?;
        world.charge(text.len().saturating_add(separator.len()))?;
        texts.push(text);
    }
    Ok(Some(Value::from(texts.join(separator))))
}

fn format_int(arguments: &[Value], world: &World<'_>) -> Outcome {
    let number = operand::any(arguments, 0)?;
    if !matches!(number, Value::Number(_)) {
        return Err(operand::mismatch(0, "number", number));
    }
    let base = operand::any(arguments, 1)?;
    if !matches!(base, Value::Number(_)) {
        return Err(operand::mismatch(1, "number", base));
    }
    let base = match operand::integer(arguments, 1) {
        Ok(base @ (2 | 8 | 10 | 16)) if !integers::is_float(operand::any(arguments, 1)?) => base,
        _ => return Err(Failure::error("operand 2 must be one of {2, 8, 10, 16}")),
    };
    world.charge(integers::cost(number))?;
    let integer = integers::truncated(number).ok_or(Failure::Exceeded)?;
    let digits = integer.to_str_radix(u32::try_from(base).unwrap_or(10));
    world.charge(digits.len())?;
    Ok(Some(Value::from(digits)))
}

/// The text and what is sought in it, which must not be empty.
fn search(arguments: &[Value]) -> Result<(&str, &str), Failure> {
    let (text, sought) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    match sought.is_empty() {
        true => Err(Failure::error("empty search character")),
        false => Ok((text, sought)),
    }
}

fn indexof(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, sought) = search(arguments)?;
    world.charge(text.len() / READ)?;
    let before = text.split_once(sought).map(|(before, _)| before);
    Ok(Some(match before {
        Some(before) => Value::from(before.chars().count()),
        None => Value::from(-1_i64),
    }))
}

fn indexof_n(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, sought) = search(arguments)?;
    world.charge(text.len() / READ)?;
    let (mut found, mut rest, mut index) = (Vec::new(), text, 0_usize);
    // What is found may overlap: the search goes on one character further.
    while let Some((before, _)) = rest.split_once(sought) {
        world.charge_members(1)?;
        world.charge(before.len().saturating_add(sought.len()) / READ)?;
        index = index.saturating_add(before.chars().count());
        found.push(Value::from(index));
        let mut characters = rest.get(before.len()..).unwrap_or_default().chars();
        characters.next();
        rest = characters.as_str();
        index = index.saturating_add(1);
    }
    Ok(Some(Value::from(found)))
}

fn count(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, sought) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    world.charge(text.len() / READ)?;
    let count = match sought.is_empty() {
        true => text.chars().count().saturating_add(1),
        false => text.matches(&**sought).count(),
    };
    Ok(Some(Value::from(count)))
}

fn split(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, separator) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    world.charge(text.len())?;
    let mut parts = Vec::new();
    let mut add = |part: &str| {
        // With what a string takes beside its text.
        world.charge_members(2)?;
        parts.push(value::string(part));
        Ok::<(), Failure>(())
    };
    match separator.is_empty() {
        true => {
            for character in text.chars() {
                add(character.encode_utf8(&mut [0; 4]))?;
            }
        }
        false => {
            for part in text.split(&**separator) {
                add(part)?;
            }
        }
    }
    Ok(Some(Value::from(parts)))
}

fn substring(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    let (offset, length) = (
        operand::integer(arguments, 1)?,
        operand::integer(arguments, 2)?,
    );
    let offset = usize::try_from(offset).map_err(|_| Failure::error("negative offset"))?;
    // A negative length is all that is left.
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    world.charge(text.len())?;
    let part: String = text.chars().skip(offset).take(length).collect();
    Ok(Some(Value::from(part)))
}

fn any_prefix_match(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (texts, prefixes) = (texts(arguments, 0, world)?, texts(arguments, 1, world)?);
    let texts = texts.into_iter().map(str::to_owned).collect();
    any_match(texts, prefixes.into_iter().map(str::to_owned), world)
}

fn any_suffix_match(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (texts, suffixes) = (texts(arguments, 0, world)?, texts(arguments, 1, world)?);
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    let texts = texts.into_iter().map(reversed).collect();
    any_match(texts, suffixes.into_iter().map(reversed), world)
}

/// Among texts in order, those with a prefix stand where the prefix would.
fn any_match(
    mut texts: Vec<String>,
    prefixes: impl Iterator<Item = String>,
    world: &World<'_>,
) -> Outcome {
    texts.sort_unstable();
    for prefix in prefixes {
        world.charge(prefix.len())?;
        let at = texts.partition_point(|text| *text < prefix);
        if texts.get(at).is_some_and(|text| text.starts_with(&prefix)) {
            return Ok(Some(Value::Bool(true)));
        }
    }
    Ok(Some(Value::Bool(false)))
}

/// A string, or the strings of an array or of a set.
fn texts<'a>(
    arguments: &'a [Value],
    position: usize,
    world: &World<'_>,
) -> Result<Vec<&'a str>, Failure> {
    let collection = operand::any(arguments, position)?;
    if let Value::String(text) = collection {
        world.charge(text.len())?;
        return Ok(vec![text]);
    }
    let members = operand::members(arguments, position)
        .map_err(|_| operand::mismatch(position, "one of {string, set, array}", collection))?;
    members
        .into_iter()
        .map(|member| {
            let text = operand::string_member(position, collection, member)?;
            world.charge_members(1)?;
            world.charge(text.len())?;
            Ok(text)
        })
        .collect()
}

fn trim(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, cutset) = cutset(arguments, world)?;
    Ok(Some(value::string(text.trim_matches(|c| cutset.has(c)))))
}

fn trim_left(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, cutset) = cutset(arguments, world)?;
    Ok(Some(value::string(
        text.trim_start_matches(|c| cutset.has(c)),
    )))
}

fn trim_right(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (text, cutset) = cutset(arguments, world)?;
    Ok(Some(value::string(
        text.trim_end_matches(|c| cutset.has(c)),
    )))
}

/// What is to be cut off, in order: to look one up takes fewer steps than there are.
struct Cutset(Vec<char>);

impl Cutset {
    fn has(&self, character: char) -> bool {
        self.0.binary_search(&character).is_ok()
    }
}

fn cutset<'a>(arguments: &'a [Value], world: &World<'_>) -> Result<(&'a str, Cutset), Failure> {
    let (text, set) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    world.charge(text.len().saturating_add(set.len()))?;
    let mut characters: Vec<char> = set.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    Ok((text, Cutset(characters)))
}

fn lower(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len().saturating_mul(2))?;
    let lower = text.chars().map(|character| match character {
        // In full it would be two.
        '\u{130}' => 'i',
        _ => single(character, character.to_lowercase()),
    });
    Ok(Some(Value::from(lower.collect::<String>())))
}

fn upper(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len().saturating_mul(2))?;
    let upper = text.chars().map(|character| match character {
        // The Greek ones with a small iota beneath become those with an iota beside.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            offset(character, 8)
        }
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => offset(character, 9),
        _ => single(character, character.to_uppercase()),
    });
    Ok(Some(Value::from(upper.collect::<String>())))
}

/// Go folds one character to one: `ß` has no upper case.
fn single(character: char, mut folded: impl Iterator<Item = char>) -> char {
    match (folded.next(), folded.next()) {
        (Some(folded), None) => folded,
        _ => character,
    }
}

fn offset(character: char, by: u32) -> char {
    char::from_u32(u32::from(character).saturating_add(by)).unwrap_or(character)
}
