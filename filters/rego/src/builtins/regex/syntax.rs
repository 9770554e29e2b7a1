//! RE2's syntax as Go reads it, into what the compiler takes. The crate's own syntax is wider, and
//! where it is, one pattern would mean two things.

use regex_syntax::hir::{Capture, Dot, Hir, Look, Repetition};

use super::{
    super::{
        call::{Failure, World},
        pattern::{COMPILE, MAX_DEPTH, MAX_PATTERN},
    },
    class,
};

pub(super) struct Pattern {
    pub hir: Hir,
    /// By group, the whole match first.
    pub names: Vec<Option<Box<str>>>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub fold: bool,
    lines: bool,
    dot_all: bool,
    lazy: bool,
}

/// A part of a concatenation.
struct Item {
    hir: Hir,
    depth: usize,
    /// How often its innermost part repeats at most.
    repeats: u32,
}

/// A group that is open, or the whole pattern.
#[derive(Default)]
struct Group {
    /// The flags to go on with after it.
    flags: Flags,
    capture: Option<u32>,
    alternatives: Vec<Item>,
    items: Vec<Item>,
}

/// The most repetitions, nested ones multiplied.
const MAX_REPEAT: u32 = 1000;

/// # Errors
/// Where Go takes it for no pattern, with its words; where it is larger than a pattern may be.
pub(super) fn parse(pattern: &str, world: &World<'_>) -> Result<Pattern, Failure> {
    if pattern.len() > MAX_PATTERN {
        return Err(Failure::Unsupported("a regular expression this long"));
    }
    world.charge(pattern.len().saturating_mul(COMPILE))?;
    Parser {
        whole: pattern,
        flags: Flags::default(),
        group: Group::default(),
        outer: Vec::new(),
        names: vec![None],
        world,
    }
    .parse()
}

/// Go's words for what is wrong, and with what.
pub(super) fn invalid(what: &str, expression: &str) -> Failure {
    Failure::error(format!("error parsing regexp: {what}: `{expression}`"))
}

/// What was read between two positions of one text, both given by what follows them.
pub(super) fn between<'p>(before: &'p str, after: &str) -> &'p str {
    before
        .get(..before.len().saturating_sub(after.len()))
        .unwrap_or_default()
}

/// The first character and what follows it.
pub(super) fn next(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    chars.next().map(|first| (first, chars.as_str()))
}

struct Parser<'p, 'w> {
    whole: &'p str,
    flags: Flags,
    group: Group,
    outer: Vec<Group>,
    names: Vec<Option<Box<str>>>,
    world: &'w World<'w>,
}

impl<'p> Parser<'p, '_> {
    fn parse(mut self) -> Result<Pattern, Failure> {
        let mut rest = self.whole;
        // What an operator of repetition was read from, if the last thing was one.
        let mut repeated = None;
        while let Some((first, after)) = next(rest) {
            let before = rest;
            let mut repeats = None;
            rest = match first {
                '(' => match after.strip_prefix('?') {
                    Some(inside) => self.perl_group(before, inside)?,
                    None => {
                        self.open_capture(None)?;
                        after
                    }
                },
                '|' => {
                    self.end_alternative();
                    after
                }
                ')' => {
                    self.close()?;
                    after
                }
                '^' => {
                    self.look(if self.flags.lines {
                        Look::StartLF
                    } else {
                        Look::Start
                    });
                    after
                }
                '$' => {
                    self.look(if self.flags.lines {
                        Look::EndLF
                    } else {
                        Look::End
                    });
                    after
                }
                '.' => {
                    self.push(Hir::dot(if self.flags.dot_all {
                        Dot::AnyChar
                    } else {
                        Dot::AnyCharExceptLF
                    }));
                    after
                }
                '[' => {
                    let (set, after) = class::bracketed(before, self.flags, self.world)?;
                    self.push(class::to_hir(set));
                    after
                }
                '*' | '+' | '?' => {
                    repeats = Some(before);
                    let (least, most) = match first {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(least, most, before, after, repeated)?
                }
                '{' => match counted(after) {
                    None => {
                        self.literal('{')?;
                        after
                    }
                    Some((bounds, after)) => {
                        repeats = Some(before);
                        let size = || invalid("invalid repeat count", between(before, after));
                        let (least, most) = bounds.ok_or_else(size)?;
                        let ordered = most.is_none_or(|most| least <= most);
                        if !ordered || least.max(most.unwrap_or(0)) > MAX_REPEAT {
                            return Err(size());
                        }
                        self.repeat(least, most, before, after, repeated)?
                    }
                },
                '\\' => self.escape(before)?,
                literal => {
                    self.literal(literal)?;
                    after
                }
            };
            repeated = repeats;
        }
        if !self.outer.is_empty() {
            return Err(invalid("missing closing )", self.whole));
        }
        self.end_alternative();
        Ok(Pattern {
            hir: alternation(self.group.alternatives).hir,
            names: self.names,
        })
    }

    fn push(&mut self, hir: Hir) {
        self.group.items.push(Item {
            hir,
            depth: 1,
            repeats: 1,
        });
    }

    fn look(&mut self, look: Look) {
        self.push(Hir::look(look));
    }

    fn literal(&mut self, literal: char) -> Result<(), Failure> {
        let hir = class::literal(literal, self.flags, self.world)?;
        self.push(hir);
        Ok(())
    }

    /// The last item is what repeats, whatever stands between.
    fn repeat(
        &mut self,
        least: u32,
        most: Option<u32>,
        before: &str,
        after: &'p str,
        repeated: Option<&str>,
    ) -> Result<&'p str, Failure> {
        let (lazy, after) = match after.strip_prefix('?') {
            Some(after) => (true, after),
            None => (false, after),
        };
        if let Some(repeated) = repeated {
            let operators = between(repeated, after);
            return Err(invalid("invalid nested repetition operator", operators));
        }
        let Some(item) = self.group.items.pop() else {
            let operator = between(before, after);
            return Err(invalid("missing argument to repetition operator", operator));
        };
        let times = most.unwrap_or(least).max(1);
        let repeats = match most {
            Some(0) => 1,
            _ => item.repeats.saturating_mul(times),
        };
        if times > 1 && repeats > MAX_REPEAT {
            return Err(invalid("invalid repeat count", between(before, after)));
        }
        let depth = deeper(item.depth)?;
        let hir = Hir::repetition(Repetition {
            min: least,
            max: most,
            greedy: lazy == self.flags.lazy,
            sub: Box::new(item.hir),
        });
        self.group.items.push(Item {
            hir,
            depth,
            repeats,
        });
        Ok(after)
    }

    fn end_alternative(&mut self) {
        let items = std::mem::take(&mut self.group.items);
        let depth = items.iter().map(|item| item.depth).max().unwrap_or(0);
        let repeats = items.iter().map(|item| item.repeats).max().unwrap_or(1);
        let hir = Hir::concat(items.into_iter().map(|item| item.hir).collect());
        self.group.alternatives.push(Item {
            hir,
            depth: depth.saturating_add(1),
            repeats,
        });
    }

    fn open(&mut self, capture: Option<u32>) -> Result<(), Failure> {
        if self.outer.len() >= MAX_DEPTH {
            return Err(too_deep());
        }
        let group = Group {
            flags: self.flags,
            capture,
            ..Group::default()
        };
        self.outer.push(std::mem::replace(&mut self.group, group));
        Ok(())
    }

    fn open_capture(&mut self, name: Option<&str>) -> Result<(), Failure> {
        let index = u32::try_from(self.names.len()).map_err(|_| too_deep())?;
        self.names.push(name.map(Box::from));
        self.open(Some(index))
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.end_alternative();
        let Some(outer) = self.outer.pop() else {
            return Err(invalid("unexpected )", self.whole));
        };
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.flags;
        let mut item = alternation(group.alternatives);
        item.depth = deeper(item.depth)?;
        if let Some(index) = group.capture {
            // Names are kept apart: Go lets two groups have one.
            item.hir = Hir::capture(Capture {
                index,
                name: None,
                sub: Box::new(item.hir),
            });
        }
        self.group.items.push(item);
        Ok(())
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` and `(?flags:`; `inside` follows the question mark.
    fn perl_group(&mut self, before: &'p str, inside: &'p str) -> Result<&'p str, Failure> {
        let named = inside
            .strip_prefix("P<")
            .filter(|rest| !rest.is_empty())
            .or_else(|| inside.strip_prefix('<'));
        if let Some(named) = named {
            let Some((name, rest)) = named.split_once('>') else {
                return Err(invalid("invalid named capture", before));
            };
            let word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
            if name.is_empty() || !name.bytes().all(word) {
                return Err(invalid("invalid named capture", between(before, rest)));
            }
            self.open_capture(Some(name))?;
            return Ok(rest);
        }
        let mut flags = self.flags;
        let (mut on, mut any) = (true, false);
        let mut rest = inside;
        while let Some((flag, after)) = next(rest) {
            rest = after;
            any = match flag {
                'i' => {
                    flags.fold = on;
                    true
                }
                'm' => {
                    flags.lines = on;
                    true
                }
                's' => {
                    flags.dot_all = on;
                    true
                }
                'U' => {
                    flags.lazy = on;
                    true
                }
                '-' if on => {
                    on = false;
                    false
                }
                ':' if on || any => {
                    self.open(None)?;
                    self.flags = flags;
                    return Ok(rest);
                }
                ')' if on || any => {
                    self.flags = flags;
                    return Ok(rest);
                }
                _ => break,
            };
        }
        Err(invalid(
            "invalid or unsupported Perl syntax",
            between(before, rest),
        ))
    }

    fn escape(&mut self, before: &'p str) -> Result<&'p str, Failure> {
        let after = before.strip_prefix('\\').unwrap_or_default();
        let (look, rest) = match next(after) {
            Some(('A', rest)) => (Look::Start, rest),
            Some(('z', rest)) => (Look::End, rest),
            Some(('b', rest)) => (Look::WordAscii, rest),
            Some(('B', rest)) => (Look::WordAsciiNegate, rest),
            Some(('Q', rest)) => {
                let (literals, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
                for literal in literals.chars() {
                    self.literal(literal)?;
                }
                return Ok(rest);
            }
            _ => {
                if let Some((set, rest)) = class::escaped(before, self.flags, self.world)? {
                    self.push(class::to_hir(set));
                    return Ok(rest);
                }
                let (code, rest) = class::character_escape(before)?;
                match char::from_u32(code) {
                    Some(literal) => self.literal(literal)?,
                    // Half of a pair of UTF-16, which no text holds.
                    None => self.push(Hir::fail()),
                }
                return Ok(rest);
            }
        };
        self.look(look);
        Ok(rest)
    }
}

fn alternation(alternatives: Vec<Item>) -> Item {
    let of = |measure: fn(&Item) -> usize| alternatives.iter().map(measure).max();
    let depth = of(|item| item.depth).unwrap_or(0);
    let repeats = alternatives.iter().map(|item| item.repeats).max();
    Item {
        depth: depth.saturating_add(1),
        repeats: repeats.unwrap_or(1),
        hir: Hir::alternation(alternatives.into_iter().map(|item| item.hir).collect()),
    }
}

fn deeper(depth: usize) -> Result<usize, Failure> {
    if depth >= MAX_DEPTH {
        return Err(too_deep());
    }
    Ok(depth.saturating_add(1))
}

fn too_deep() -> Failure {
    Failure::Unsupported("a regular expression nested this deep")
}

/// The least and the most of `{2}`, `{2,}` and `{2,3}` without the brace before; no bounds where a
/// number is beyond all bounds. None where it is no repetition, and the brace a literal.
type Bounds = (u32, Option<u32>);
fn counted(text: &str) -> Option<(Option<Bounds>, &str)> {
    let (least, rest) = number(text)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((least.map(|least| (least, Some(least))), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((least.map(|least| (least, None)), rest));
    }
    let (most, rest) = number(rest)?;
    let rest = rest.strip_prefix('}')?;
    let bounds = least.zip(most).map(|(least, most)| (least, Some(most)));
    Some((bounds, rest))
}

/// Digits without a zero before them, and their number if it is one to repeat with.
fn number(text: &str) -> Option<(Option<u32>, &str)> {
    let rest = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let digits = between(text, rest);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().ok(), rest))
}
