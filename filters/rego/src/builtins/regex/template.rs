//! The two templates: of `regex.template_match`, whose braces hold patterns, and of `regex.replace`,
//! whose dollars name groups.

use std::sync::Arc;

use super::{
    super::{
        call::{Failure, Outcome, World},
        operand,
        pattern::{Kind, Matcher, Search, cached},
    },
    push,
    syntax::{self, next},
};
use crate::value::Value;

pub(super) fn template_match(arguments: &[Value], world: &World<'_>) -> Outcome {
    let template = operand::string(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    let open = delimiter(operand::string(arguments, 2)?, "start")?;
    let close = delimiter(operand::string(arguments, 3)?, "end")?;
    let matcher = cached(Kind::Template, template, &[open, close], || {
        let pattern = expanded(template, open, close, world)?;
        let pattern = syntax::parse(&pattern, world)?;
        Matcher::build(&pattern.hir, pattern.names, |bytes| world.charge(bytes))
    })?;
    Ok(Some(Value::Bool(matcher.is_match(text, world)?)))
}

fn delimiter(text: &Arc<str>, which: &str) -> Result<char, Failure> {
    match next(text) {
        Some((delimiter, "")) if delimiter.is_ascii() => Ok(delimiter),
        _ => Err(Failure::error(format!(
            "{which} delimiter has to be exactly one character long but is {} long",
            text.len()
        ))),
    }
}

/// The template's pattern: what stands in delimiters is one, and must be one by itself.
fn expanded(template: &str, open: char, close: char, world: &World<'_>) -> Result<String, Failure> {
    let unbalanced = || Failure::error(format!("unbalanced braces in {template:?}"));
    world.charge(template.len())?;
    let mut pattern = String::from("^");
    let mut inner = String::new();
    let mut depth = 0_usize;
    for character in template.chars() {
        // OPA looks for the opening one first, so that two equal ones never close.
        if character == open {
            depth = depth.saturating_add(1);
            if depth == 1 {
                continue;
            }
        } else if character == close {
            depth = depth.checked_sub(1).ok_or_else(unbalanced)?;
            if depth == 0 {
                syntax::parse(&format!("^{inner}$"), world)?;
                pattern.push('(');
                pattern.push_str(&inner);
                pattern.push(')');
                inner.clear();
                continue;
            }
        }
        if depth > 0 {
            inner.push(character);
        } else {
            if r"\.+*?()|[]{}^$".contains(character) {
                pattern.push('\\');
            }
            pattern.push(character);
        }
    }
    if depth > 0 {
        return Err(unbalanced());
    }
    pattern.push('$');
    Ok(pattern)
}

/// What `regex.replace` puts in a match's place.
pub(super) struct Replacement<'t>(Vec<Piece<'t>>);

enum Piece<'t> {
    Text(&'t str),
    Number(usize),
    Name(&'t str),
}

impl<'t> Replacement<'t> {
    /// `$1`, `$name`, `${name}`; two dollars are one, and a dollar that names nothing is itself. A
    /// name is as long as it may be: `$1x` is the group `1x`.
    pub(super) fn parse(template: &'t str) -> Replacement<'t> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('$') {
            pieces.push(Piece::Text(text));
            if let Some(after) = after.strip_prefix('$') {
                pieces.push(Piece::Text("$"));
                rest = after;
            } else if let Some((piece, after)) = reference(after) {
                pieces.push(piece);
                rest = after;
            } else {
                pieces.push(Piece::Text("$"));
                rest = after;
            }
        }
        pieces.push(Piece::Text(rest));
        Replacement(pieces)
    }

    /// How many groups a search has to tell of.
    pub(super) fn groups(&self, names: &[Option<Box<str>>]) -> usize {
        let named = |name: &str| {
            names
                .iter()
                .rposition(|other| other.as_deref() == Some(name))
        };
        let groups = self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Number(index) => Some(*index),
            Piece::Name(name) => named(name),
        });
        let last = groups.max().unwrap_or(0);
        last.saturating_add(1).min(names.len())
    }

    /// For the last match.
    pub(super) fn expand(
        &self,
        search: &Search<'_>,
        result: &mut String,
        world: &World<'_>,
    ) -> Result<(), Failure> {
        for piece in &self.0 {
            world.charge(1)?;
            let text = match piece {
                Piece::Text(text) => Some(*text),
                Piece::Number(index) => search.group_text(*index),
                // Of groups of one name, the first that took part.
                Piece::Name(name) => {
                    let names = search.matcher().names();
                    world.charge(names.len())?;
                    (0..names.len())
                        .filter(|index| {
                            let other = names.get(*index).and_then(Option::as_deref);
                            other == Some(*name)
                        })
                        .find_map(|index| search.group_text(index))
                }
            };
            push(result, text, world)?;
        }
        Ok(())
    }
}

fn reference(text: &str) -> Option<(Piece<'_>, &str)> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let rest = text.trim_start_matches(|letter: char| letter == '_' || letter.is_alphanumeric());
    let name = syntax::between(text, rest);
    if name.is_empty() {
        return None;
    }
    let rest = match braced {
        true => rest.strip_prefix('}')?,
        false => rest,
    };
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let zeros = name.len() > 1 && name.starts_with('0');
    // Beyond nine digits it is no number to Go.
    let piece = match name.parse() {
        Ok(index) if digits && !zeros && name.len() <= 9 => Piece::Number(index),
        _ => Piece::Name(name),
    };
    Some((piece, rest))
}
