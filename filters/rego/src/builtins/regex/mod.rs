//! `regex.*`: RE2's syntax and Go's matches.

mod class;
mod globs;
mod syntax;
mod template;

use std::{rc::Rc, sync::Arc};

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
    pattern::{Kind, Matcher, Search, cached},
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("re_match", 2, is_match),
    own(
        "regex.find_all_string_submatch_n",
        3,
        find_all_string_submatch_n,
    ),
    own("regex.find_n", 3, find_n),
    own("regex.globs_match", 2, globs::globs_match),
    own("regex.is_valid", 1, is_valid),
    own("regex.match", 2, is_match),
    own("regex.replace", 3, replace),
    own("regex.split", 2, split),
    own("regex.template_match", 4, template::template_match),
];

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    let Ok(pattern) = operand::string(arguments, 0) else {
        return Ok(Some(Value::Bool(false)));
    };
    match syntax::parse(pattern, world) {
        Ok(_) => Ok(Some(Value::Bool(true))),
        Err(Failure::Error(_)) => Ok(Some(Value::Bool(false))),
        Err(other) => Err(other),
    }
}

/// # Errors
/// Where a text is no pattern, and as [`compiled`].
pub(super) fn check(pattern: &str, world: &World<'_>) -> Result<(), Failure> {
    syntax::parse(pattern, world).map(|_| ())
}

fn is_match(arguments: &[Value], world: &World<'_>) -> Outcome {
    let pattern = operand::string(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    let found = compiled(pattern, world)?.is_match(text, world)?;
    Ok(Some(Value::Bool(found)))
}

fn find_n(arguments: &[Value], world: &World<'_>) -> Outcome {
    let pattern = operand::string(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    let most = operand::integer(arguments, 2)?;
    let matcher = compiled(pattern, world)?;
    let mut found = Vec::new();
    each_match(
        &mut Search::new(&matcher, text, 1, world),
        most,
        |search, _| {
            found.push(group(search, 0, world)?);
            Ok(())
        },
    )?;
    Ok(Some(Value::from(found)))
}

fn find_all_string_submatch_n(arguments: &[Value], world: &World<'_>) -> Outcome {
    let pattern = operand::string(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    let most = operand::integer(arguments, 2)?;
    let matcher = compiled(pattern, world)?;
    let groups = matcher.names().len();
    let mut found = Vec::new();
    each_match(
        &mut Search::new(&matcher, text, groups, world),
        most,
        |search, _| {
            let texts: Result<Vec<Value>, Failure> = (0..groups)
                .map(|index| group(search, index, world))
                .collect();
            found.push(Value::from(texts?));
            world.charge_members(1)
        },
    )?;
    Ok(Some(Value::from(found)))
}

fn split(arguments: &[Value], world: &World<'_>) -> Outcome {
    let pattern = operand::string(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    let matcher = compiled(pattern, world)?;
    if !pattern.is_empty() && text.is_empty() {
        return Ok(Some(value::array([value::string("")])));
    }
    let mut parts = Vec::new();
    // Where the next part begins, and where the last match did.
    let (mut begin, mut end) = (0, 0);
    let mut part = |from: usize, to: usize| {
        let part = text.get(from..to).unwrap_or_default();
        world.charge_members(1)?;
        world.charge(part.len())?;
        parts.push(value::string(part));
        Ok(())
    };
    each_match(
        &mut Search::new(&matcher, text, 1, world),
        -1,
        |_, (from, to)| {
            end = from;
            // An empty match at the very start splits nothing off.
            if to > 0 {
                part(begin, from)?;
            }
            begin = to;
            Ok(())
        },
    )?;
    if end != text.len() {
        part(begin, text.len())?;
    }
    Ok(Some(Value::from(parts)))
}

fn replace(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    let pattern = operand::string(arguments, 1)?;
    let replacement = operand::string(arguments, 2)?;
    let matcher = compiled(pattern, world)?;
    // Each name in it is looked for among the groups'.
    let groups = matcher.names().len();
    world.charge(replacement.len().saturating_mul(groups.saturating_add(16)))?;
    let replacement = template::Replacement::parse(replacement);
    let groups = replacement.groups(matcher.names());
    let mut search = Search::new(&matcher, text, groups, world);
    let mut result = String::new();
    let (mut from, mut copied) = (0, 0);
    while let Some((start, end)) = search.at(from)? {
        push(&mut result, text.get(copied..start), world)?;
        // Not once more for nothing right after a match.
        if end > copied || start == 0 {
            replacement.expand(&search, &mut result, world)?;
        }
        copied = end;
        from = end.max(after_character(text, from));
    }
    if copied == 0 && result.is_empty() {
        return Ok(Some(Value::String(Arc::clone(text))));
    }
    push(&mut result, text.get(copied..), world)?;
    Ok(Some(value::string(&result)))
}

/// The pattern, ready to match.
///
/// # Errors
/// Where it is none; past the budget.
pub(super) fn compiled(pattern: &Arc<str>, world: &World<'_>) -> Result<Rc<Matcher>, Failure> {
    cached(Kind::Regex, pattern, &[], || {
        let pattern = syntax::parse(pattern, world)?;
        Matcher::build(&pattern.hir, pattern.names, |bytes| world.charge(bytes))
    })
}

/// At most so many matches, or all if that is negative. An empty match right after another is none.
fn each_match<'a>(
    search: &mut Search<'a>,
    most: i64,
    mut found: impl FnMut(&Search<'a>, (usize, usize)) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut left = match most {
        most if most < 0 => u64::MAX,
        most => most.unsigned_abs(),
    };
    let (mut from, mut last) = (0, None);
    while left > 0 {
        let Some((start, end)) = search.at(from)? else {
            break;
        };
        let repeated = end == from && last == Some(start);
        from = match end == from {
            true => after_character(search.text(), from),
            false => end,
        };
        last = Some(end);
        if !repeated {
            found(search, (start, end))?;
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}

/// The position after the character that begins at a position; past the end at the end.
fn after_character(text: &str, position: usize) -> usize {
    let character = text.get(position..).and_then(|rest| rest.chars().next());
    position.saturating_add(character.map_or(1, char::len_utf8))
}

/// A group of the last match; empty where it took no part.
fn group(search: &Search<'_>, index: usize, world: &World<'_>) -> Result<Value, Failure> {
    let text = search.group_text(index).unwrap_or_default();
    world.charge_members(1)?;
    world.charge(text.len())?;
    Ok(value::string(text))
}

fn push(result: &mut String, text: Option<&str>, world: &World<'_>) -> Result<(), Failure> {
    let text = text.unwrap_or_default();
    world.charge(text.len())?;
    result.push_str(text);
    Ok(())
}
