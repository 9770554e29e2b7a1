//! `glob.*`: the globs of OPA, which are gobwas/glob's.

use regex_syntax::hir::{
    Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition,
};

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
    pattern::{COMPILE, Kind, MAX_DEPTH, MAX_PATTERN, Matcher, cached},
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("glob.match", 3, glob_match),
    own("glob.quote_meta", 1, quote_meta),
];

fn glob_match(arguments: &[Value], world: &World<'_>) -> Outcome {
    let pattern = operand::string(arguments, 0)?;
    let (mut few, mut many) = ([char::default(); FEW], Vec::new());
    let delimiters = delimiters(operand::any(arguments, 1)?, &mut few, &mut many)?;
    let text = operand::string(arguments, 2)?;
    let matcher = cached(Kind::Glob, pattern, delimiters, || {
        let hir = parse(pattern, delimiters, world)?;
        Matcher::build(&hir, Vec::new(), |bytes| world.charge(bytes))
    })?;
    Ok(Some(Value::Bool(matcher.is_match(text, world)?)))
}

fn quote_meta(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len().saturating_mul(2))?;
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if r"*?\[]{}".contains(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    Ok(Some(value::string(&quoted)))
}

/// As many delimiters as take no memory.
const FEW: usize = 8;
/// As many as there may be.
const MANY: usize = 256;

/// Null is none, and none is a dot.
fn delimiters<'b>(
    value: &Value,
    few: &'b mut [char; FEW],
    many: &'b mut Vec<char>,
) -> Result<&'b [char], Failure> {
    let items = match value {
        Value::Null => return Ok(&[]),
        Value::Array(items) => items.as_slice(),
        other => return Err(operand::mismatch(1, "one of {array, null}", other)),
    };
    if items.is_empty() {
        return Ok(&['.']);
    }
    if items.len() > MANY {
        return Err(Failure::Unsupported("a glob of this many delimiters"));
    }
    if items.len() > FEW {
        many.resize(items.len(), char::default());
    }
    let places = if many.is_empty() {
        few
    } else {
        many.as_mut_slice()
    };
    for (item, place) in items.iter().zip(&mut *places) {
        *place = delimiter(item)?;
    }
    Ok(places.get(..items.len()).unwrap_or_default())
}

fn delimiter(item: &Value) -> Result<char, Failure> {
    let wrong = |wanted| {
        Failure::error(format!(
            "operand 2 must be array of {wanted} but got array containing {}",
            operand::type_name(item)
        ))
    };
    let Value::String(text) = item else {
        return Err(wrong("strings"));
    };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(delimiter), None) => Ok(delimiter),
        _ => Err(wrong("runes")),
    }
}

/// An alternative list that is open, or the whole glob.
#[derive(Default)]
struct Group {
    alternatives: Vec<Hir>,
    items: Vec<Hir>,
}

/// The glob's language is read exactly; what gobwas/glob matches besides, where its shortcut lets a
/// prefix and a suffix overlap (`a**a` on `a`), is not.
fn parse(pattern: &str, delimiters: &[char], world: &World<'_>) -> Result<Hir, Failure> {
    if pattern.len() > MAX_PATTERN {
        return Err(Failure::Unsupported("a glob this long"));
    }
    world.charge(pattern.len().saturating_mul(COMPILE))?;
    let mut reader = Reader { rest: pattern };
    let mut group = Group::default();
    let mut outer: Vec<Group> = Vec::new();
    while let Some(character) = reader.peek()? {
        let start = reader.rest;
        reader.skip();
        match character {
            '{' => {
                if outer.len() >= MAX_DEPTH {
                    return Err(Failure::Unsupported("a glob nested this deep"));
                }
                outer.push(std::mem::take(&mut group));
            }
            ',' if !outer.is_empty() => group.end_alternative(),
            '}' if !outer.is_empty() => close(&mut group, &mut outer),
            '[' => group.items.push(reader.range()?),
            '?' => group.items.push(one(delimiters)),
            '*' => {
                let item = if reader.rest.starts_with('*') {
                    reader.skip();
                    bytes(&[])
                } else {
                    many(delimiters)
                };
                group.items.push(item);
            }
            _ => {
                reader.rest = start;
                let end = if outer.is_empty() { "?*[{" } else { "?*[{}," };
                let text = reader.text(end)?;
                group.items.push(Hir::literal(text.into_bytes()));
            }
        }
    }
    // gobwas/glob takes what is left open for closed.
    while !outer.is_empty() {
        close(&mut group, &mut outer);
    }
    let body = Hir::concat(group.items);
    Ok(Hir::concat(vec![
        Hir::look(Look::Start),
        body,
        Hir::look(Look::End),
    ]))
}

impl Group {
    fn end_alternative(&mut self) {
        let items = std::mem::take(&mut self.items);
        self.alternatives.push(Hir::concat(items));
    }
}

fn close(group: &mut Group, outer: &mut Vec<Group>) {
    group.end_alternative();
    let closed = std::mem::replace(group, outer.pop().unwrap_or_default());
    group.items.push(Hir::alternation(closed.alternatives));
}

/// Any number of characters that are no delimiters.
fn many(delimiters: &[char]) -> Hir {
    let ascii: Option<Vec<u8>> = delimiters
        .iter()
        .map(|delimiter| u8::try_from(*delimiter).ok().filter(u8::is_ascii))
        .collect();
    match ascii {
        Some(excluded) => bytes(&excluded),
        None => star(one(delimiters)),
    }
}

/// The same by bytes, which needs far fewer states: what stands on either side begins and ends with
/// a character, so that no character is taken apart.
fn bytes(excluded: &[u8]) -> Hir {
    if excluded.is_empty() {
        return star(Hir::dot(Dot::AnyByte));
    }
    let ranges = excluded
        .iter()
        .map(|byte| ClassBytesRange::new(*byte, *byte));
    let mut class = ClassBytes::new(ranges);
    class.negate();
    star(Hir::class(Class::Bytes(class)))
}

fn star(sub: Hir) -> Hir {
    Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: Box::new(sub),
    })
}

/// One character that is no delimiter.
fn one(delimiters: &[char]) -> Hir {
    characters(delimiters.iter().map(|one| (*one, *one)), true)
}

fn characters(ranges: impl Iterator<Item = (char, char)>, negated: bool) -> Hir {
    let ranges = ranges.map(|(low, high)| ClassUnicodeRange::new(low, high));
    let mut class = ClassUnicode::new(ranges);
    if negated {
        class.negate();
    }
    Hir::class(Class::Unicode(class))
}

/// Reads as gobwas/glob does, to whom NUL is an end: of the glob where an item would begin, of a
/// text and nothing more inside of one.
struct Reader<'p> {
    rest: &'p str,
}

impl Reader<'_> {
    /// The next character, and none at an end.
    fn peek(&self) -> Result<Option<char>, Failure> {
        match self.rest.chars().next() {
            Some(char::REPLACEMENT_CHARACTER) => Err(Failure::error("could not read rune")),
            Some('\0') | None => Ok(None),
            character => Ok(character),
        }
    }

    fn skip(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    /// Up to one of `end` that no backslash stands before.
    fn text(&mut self, end: &str) -> Result<String, Failure> {
        let mut text = String::new();
        let mut escaped = false;
        loop {
            let Some(character) = self.peek()? else {
                self.skip();
                return Ok(text);
            };
            if !escaped && end.contains(character) {
                return Ok(text);
            }
            self.skip();
            if !escaped && character == '\\' {
                escaped = true;
                continue;
            }
            escaped = false;
            text.push(character);
        }
    }

    /// `[abc]`, `[a-c]` and `[!a-c]`, after the bracket.
    fn range(&mut self) -> Result<Hir, Failure> {
        let negated = self.peek()? == Some('!');
        if negated {
            self.skip();
        }
        let start = self.rest;
        let first = self.read()?;
        let mut after = self.rest.chars();
        if after.next() == Some('-') {
            self.rest = after.as_str();
            let last = self.read()?;
            if self.read()? != ']' {
                return Err(Failure::error("expected close range character"));
            }
            if last < first {
                return Err(Failure::error(format!(
                    "hi character '{last}' should be greater than lo '{first}'"
                )));
            }
            return Ok(characters(std::iter::once((first, last)), negated));
        }
        self.rest = start;
        let list = self.text("]")?;
        if self.read()? != ']' {
            return Err(Failure::error("expected close range character"));
        }
        if list.is_empty() {
            return Err(Failure::error("could not parse range"));
        }
        Ok(characters(list.chars().map(|one| (one, one)), negated))
    }

    fn read(&mut self) -> Result<char, Failure> {
        let character = self.peek()?;
        self.skip();
        character.ok_or_else(|| Failure::error("unexpected end of input"))
    }
}
