//! Sets of characters: `[a-z]`, `\d`, `[[:alpha:]]`, `\pL`, and the characters of escapes.

use regex_syntax::{
    ast::{self, Ast, ClassUnicodeKind, ClassUnicodeOpKind, Position, Span},
    hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, translate::Translator},
};

use super::{
    super::call::{Failure, World},
    syntax::{Flags, between, invalid, next},
};

/// No character at or beyond this one has a case.
const CASELESS: char = '\u{1F000}';
/// About the bytes of work that a Unicode class takes.
const UNICODE: usize = 16 * 1024;

pub(super) fn to_hir(set: ClassUnicode) -> Hir {
    Hir::class(Class::Unicode(set))
}

pub(super) fn literal(literal: char, flags: Flags, world: &World<'_>) -> Result<Hir, Failure> {
    if flags.fold {
        let mut set = ranges(&[(literal, literal)]);
        fold(&mut set, world)?;
        return Ok(to_hir(set));
    }
    let mut bytes = [0; 4];
    let text = literal.encode_utf8(&mut bytes);
    Ok(Hir::literal(text.as_bytes()))
}

/// A set in brackets, and what follows it.
pub(super) fn bracketed<'p>(
    before: &'p str,
    flags: Flags,
    world: &World<'_>,
) -> Result<(ClassUnicode, &'p str), Failure> {
    let inside = before.strip_prefix('[').unwrap_or_default();
    let (negated, mut rest) = match inside.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, inside),
    };
    // The second are of every case already.
    let (mut plain, mut closed) = (ClassUnicode::empty(), ClassUnicode::empty());
    let mut first = true;
    loop {
        match rest.strip_prefix(']') {
            Some(after) if !first => {
                rest = after;
                break;
            }
            _ => first = false,
        }
        if let Some((set, after)) = posix(rest, flags, world)? {
            closed.union(&set);
            rest = after;
            continue;
        }
        if let Some((set, after)) = escaped(rest, flags, world)? {
            closed.union(&set);
            rest = after;
            continue;
        }
        let range = rest;
        let (low, after) = character(rest, before)?;
        let (mut high, mut after) = (low, after);
        if let Some(upper) = after.strip_prefix('-')
            && !upper.is_empty()
            && !upper.starts_with(']')
        {
            (high, after) = character(upper, before)?;
            if high < low {
                let range = between(range, after);
                return Err(invalid("invalid character class range", range));
            }
        }
        rest = after;
        push(&mut plain, low, high);
    }
    if flags.fold {
        fold(&mut plain, world)?;
    }
    plain.union(&closed);
    if negated {
        plain.negate();
    }
    Ok((plain, rest))
}

/// `\d`, `\pL` and their kin; none where it is another escape or no escape.
pub(super) fn escaped<'p>(
    before: &'p str,
    flags: Flags,
    world: &World<'_>,
) -> Result<Option<(ClassUnicode, &'p str)>, Failure> {
    let Some((letter, rest)) = before.strip_prefix('\\').and_then(next) else {
        return Ok(None);
    };
    let set = match letter.to_ascii_lowercase() {
        'd' => ranges(&[('0', '9')]),
        's' => ranges(&[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')]),
        'w' => ranges(WORD),
        'p' => return unicode(before, letter == 'P', rest, flags, world).map(Some),
        _ => return Ok(None),
    };
    let set = group(set, letter.is_ascii_uppercase(), flags, world)?;
    Ok(Some((set, rest)))
}

const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// `[:alpha:]`, inside of brackets.
fn posix<'p>(
    before: &'p str,
    flags: Flags,
    world: &World<'_>,
) -> Result<Option<(ClassUnicode, &'p str)>, Failure> {
    let Some((name, rest)) = before
        .strip_prefix("[:")
        .and_then(|inside| inside.split_once(":]"))
    else {
        return Ok(None);
    };
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let set: &[(char, char)] = match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => WORD,
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => {
            let class = between(before, rest);
            return Err(invalid("invalid character class range", class));
        }
    };
    let set = group(ranges(set), negated, flags, world)?;
    Ok(Some((set, rest)))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`.
fn unicode<'p>(
    before: &'p str,
    negated: bool,
    inside: &'p str,
    flags: Flags,
    world: &World<'_>,
) -> Result<(ClassUnicode, &'p str), Failure> {
    let range = |expression| invalid("invalid character class range", expression);
    let (name, rest) = match inside.strip_prefix('{') {
        Some(inside) => inside.split_once('}').ok_or_else(|| range(before))?,
        None => match next(inside) {
            Some((_, rest)) => (between(inside, rest), rest),
            None => return Err(range(before)),
        },
    };
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (!negated, name),
        None => (negated, name),
    };
    world.charge(UNICODE)?;
    let set = property(name).ok_or_else(|| range(between(before, rest)))?;
    Ok((group(set, negated, flags, world)?, rest))
}

/// A general category or a script, by any spelling of its name. The crate knows more properties,
/// and short names of scripts; Go does not.
fn property(name: &str) -> Option<ClassUnicode> {
    let name: String = name
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let short = name.len() <= 4 && !matches!(&*name, "cham" | "kawi" | "lisu" | "thai" | "toto");
    let short = short && !matches!(&*name, "lao" | "mro" | "nko" | "vai" | "yi");
    match &*name {
        "" => None,
        // The halves of pairs of UTF-16.
        "cs" | "surrogate" => Some(ClassUnicode::empty()),
        _ => table("gc", &name).or_else(|| if short { None } else { table("sc", &name) }),
    }
}

fn table(property: &str, value: &str) -> Option<ClassUnicode> {
    let start = Position::new(0, 1, 1);
    let class = Ast::class_unicode(ast::ClassUnicode {
        span: Span::splat(start),
        negated: false,
        kind: ClassUnicodeKind::NamedValue {
            op: ClassUnicodeOpKind::Equal,
            name: property.to_owned(),
            value: value.to_owned(),
        },
    });
    let hir = Translator::new().translate("", &class).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        _ => None,
    }
}

/// Of every case before it is negated, so that no case of what is excluded comes back.
fn group(
    mut set: ClassUnicode,
    negated: bool,
    flags: Flags,
    world: &World<'_>,
) -> Result<ClassUnicode, Failure> {
    if flags.fold {
        fold(&mut set, world)?;
    }
    if negated {
        set.negate();
    }
    Ok(set)
}

/// Adds the other cases of what has a case. It looks at each character, so that it looks only where
/// there are cases.
fn fold(set: &mut ClassUnicode, world: &World<'_>) -> Result<(), Failure> {
    let mut cased = ranges(&[('\0', CASELESS)]);
    cased.intersect(set);
    let characters: usize = cased.iter().map(ClassUnicodeRange::len).sum();
    world.charge(characters)?;
    cased
        .try_case_fold_simple()
        .map_err(|_| Failure::Unsupported("case folding"))?;
    set.union(&cased);
    Ok(())
}

fn ranges(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(
        ranges
            .iter()
            .map(|&(low, high)| ClassUnicodeRange::new(low, high)),
    )
}

/// Without the halves of pairs of UTF-16, which Go lets a range hold and no text does.
fn push(set: &mut ClassUnicode, low: u32, high: u32) {
    const BELOW: u32 = 0xd7ff;
    const ABOVE: u32 = 0xe000;
    for (low, high) in [(low, high.min(BELOW)), (low.max(ABOVE), high)] {
        if let (true, Some(low), Some(high)) =
            (low <= high, char::from_u32(low), char::from_u32(high))
        {
            set.push(ClassUnicodeRange::new(low, high));
        }
    }
}

/// A character of a set. `whole` begins with the bracket.
fn character<'p>(before: &'p str, whole: &str) -> Result<(u32, &'p str), Failure> {
    match next(before) {
        None => Err(invalid("missing closing ]", whole)),
        Some(('\\', _)) => character_escape(before),
        Some((character, rest)) => Ok((u32::from(character), rest)),
    }
}

/// The code point of an escape.
pub(super) fn character_escape(before: &str) -> Result<(u32, &str), Failure> {
    let after = before.strip_prefix('\\').unwrap_or_default();
    let Some((escaped, mut rest)) = next(after) else {
        return Err(invalid("trailing backslash at end of expression", ""));
    };
    let read = match escaped {
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        'x' => hexadecimal(&mut rest),
        // One digit alone would be a reference back to a group.
        '1'..='7' if !rest.starts_with(|digit| matches!(digit, '0'..='7')) => None,
        '0'..='7' => {
            let mut code = escaped.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let digit = next(rest).and_then(|(digit, after)| Some((digit.to_digit(8)?, after)));
                let Some((digit, after)) = digit else {
                    break;
                };
                code = code.saturating_mul(8).saturating_add(digit);
                rest = after;
            }
            Some(code)
        }
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
        _ => None,
    };
    match read {
        Some(code) => Ok((code, rest)),
        None => Err(invalid("invalid escape sequence", between(before, rest))),
    }
}

/// Two digits, or any number of them in braces.
fn hexadecimal(rest: &mut &str) -> Option<u32> {
    let mut read = || {
        let (character, after) = next(rest)?;
        *rest = after;
        Some(character)
    };
    match read()? {
        '{' => {
            let mut code: Option<u32> = None;
            loop {
                match read()? {
                    '}' => return code,
                    digit => {
                        let digit = digit.to_digit(16)?;
                        let next = code.unwrap_or(0).checked_mul(16)?.checked_add(digit)?;
                        code = Some(next).filter(|code| *code <= u32::from(char::MAX));
                        code?;
                    }
                }
            }
        }
        first => {
            let (first, second) = (first.to_digit(16), read()?.to_digit(16)?);
            first?.checked_mul(16)?.checked_add(second)
        }
    }
}
