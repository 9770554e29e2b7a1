//! `regex.globs_match`: whether some text matches two simple patterns of characters, dots and sets,
//! each of which may repeat.

use super::super::{
    call::{Failure, Outcome, World},
    operand,
    pattern::MAX_PATTERN,
};
use crate::value::Value;

/// What a character of a text may be: ranges, sorted; none for any character.
#[derive(Clone, PartialEq)]
struct Token {
    set: Option<Vec<(char, char)>>,
    /// Written in brackets; OPA takes `[a]` for another token than `a`.
    bracketed: bool,
    repeats: Repeats,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeats {
    Once,
    /// At least once.
    Plus,
    Star,
}

pub(super) fn globs_match(arguments: &[Value], world: &World<'_>) -> Outcome {
    let left = operand::string(arguments, 0)?;
    let right = operand::string(arguments, 1)?;
    for pattern in [left, right] {
        if pattern.len() > MAX_PATTERN {
            return Err(Failure::Unsupported("a glob this long"));
        }
        world.charge(pattern.len().saturating_mul(16))?;
    }
    let (left, right) = (tokens(left)?, tokens(right)?);
    Ok(Some(Value::Bool(meet(&left, &right, world)?)))
}

/// As glob-intersection has it, which OPA uses: not quite all pairs that have a common text, since a
/// star that is skipped together with the token after it is not tried.
fn meet(left: &[Token], right: &[Token], world: &World<'_>) -> Result<bool, Failure> {
    let Some((left, right)) = trim(left, right) else {
        return Ok(false);
    };
    // The largest pair of sets, compared at every pair of positions.
    let width = |tokens: &[Token]| -> usize {
        let of = |token: &Token| token.set.as_ref().map_or(1, Vec::len);
        tokens.iter().map(of).sum::<usize>().saturating_add(1)
    };
    let cells = width(left).saturating_mul(width(right));
    world.charge(cells.saturating_mul(8))?;
    Ok(Table::new(left, right).fill())
}

/// Without what stands once at both beginnings and both ends; nothing where that differs.
fn trim<'t>(mut left: &'t [Token], mut right: &'t [Token]) -> Option<(&'t [Token], &'t [Token])> {
    let once = |a: &Token, b: &Token| a.repeats == Repeats::Once && b.repeats == Repeats::Once;
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right)
        && once(a, b)
    {
        if !overlap(a, b) {
            return None;
        }
        (left, right) = (left_rest, right_rest);
    }
    while let ([left_rest @ .., a], [right_rest @ .., b]) = (left, right)
        && once(a, b)
    {
        if !overlap(a, b) {
            return None;
        }
        (left, right) = (left_rest, right_rest);
    }
    Some((left, right))
}

/// For each pair of positions, whether what follows them meets: worked out from the ends, so that
/// each pair is looked at once.
struct Table<'t> {
    left: &'t [Token],
    right: &'t [Token],
    /// By the position on the right, of the row that is being filled and the one after it on the
    /// left. Where both tokens repeat, it matters which side is looked at first.
    rows: [Vec<Cell>; 2],
}

#[derive(Clone, Copy, Default)]
struct Cell {
    /// Both go on; the left or the right side first.
    left_first: bool,
    right_first: bool,
    /// The left or the right token is a star that takes what the other side has.
    left_star: bool,
    right_star: bool,
}

impl<'t> Table<'t> {
    fn new(left: &'t [Token], right: &'t [Token]) -> Table<'t> {
        let row = vec![Cell::default(); right.len().saturating_add(1)];
        Table {
            left,
            right,
            rows: [row.clone(), row],
        }
    }

    fn fill(mut self) -> bool {
        for i in (0..=self.left.len()).rev() {
            self.rows.swap(0, 1);
            for j in (0..=self.right.len()).rev() {
                let cell = self.cell(i, j);
                if let Some(place) = self.rows[0].get_mut(j) {
                    *place = cell;
                }
            }
        }
        self.at(0, 0).left_first
    }

    /// A cell of this row or the next one.
    fn at(&self, down: usize, j: usize) -> Cell {
        let [row, below] = &self.rows;
        let row = if down == 0 { row } else { below };
        row.get(j).copied().unwrap_or_default()
    }

    fn cell(&self, i: usize, j: usize) -> Cell {
        let (left, right) = (self.left.get(i), self.right.get(j));
        let (Some(a), Some(b)) = (left, right) else {
            let ends = left.is_none() && right.is_none();
            return Cell {
                left_first: ends,
                right_first: ends,
                // A star that is last takes nothing.
                left_star: right.is_none() && self.left.get(i.saturating_add(1)).is_none(),
                right_star: left.is_none() && self.right.get(j.saturating_add(1)).is_none(),
            };
        };
        let same = overlap(a, b);
        let (next_i, next_j) = (i.saturating_add(1), j.saturating_add(1));
        let after_left = self.left.get(next_i).is_some_and(|next| overlap(next, b));
        let after_right = self.right.get(next_j).is_some_and(|next| overlap(a, next));
        let mut cell = Cell {
            left_star: (after_left && self.at(1, j).left_first)
                || (same && self.at(0, next_j).left_star),
            right_star: (after_right && self.at(0, next_j).right_first)
                || (same && self.at(1, j).right_star),
            ..Cell::default()
        };
        let by_left = match a.repeats {
            Repeats::Once => None,
            Repeats::Star => Some(cell.left_star),
            Repeats::Plus => Some(same && self.at(0, next_j).left_star),
        };
        let by_right = match b.repeats {
            Repeats::Once => None,
            Repeats::Star => Some(cell.right_star),
            Repeats::Plus => Some(same && self.at(1, j).right_star),
        };
        let below = self.at(1, next_j);
        cell.left_first = by_left.or(by_right).unwrap_or(same && below.left_first);
        cell.right_first = by_right.or(by_left).unwrap_or(same && below.right_first);
        cell
    }
}

/// Whether some character is both. A dot meets even an empty set, as OPA has it.
fn overlap(a: &Token, b: &Token) -> bool {
    let (Some(a), Some(b)) = (&a.set, &b.set) else {
        return true;
    };
    let (mut a, mut b) = (a.as_slice(), b.as_slice());
    while let ([(low_a, high_a), rest_a @ ..], [(low_b, high_b), rest_b @ ..]) = (a, b) {
        if high_a < low_b {
            a = rest_a;
        } else if high_b < low_a {
            b = rest_b;
        } else {
            return true;
        }
    }
    false
}

struct Reader {
    characters: Vec<char>,
    position: usize,
}

/// One of its characters, and whether a backslash stood before it.
type Read = Result<Option<(char, bool)>, Failure>;

fn tokens(pattern: &str) -> Result<Vec<Token>, Failure> {
    let mut reader = Reader {
        characters: pattern.chars().collect(),
        position: 0,
    };
    let mut tokens: Vec<Token> = Vec::new();
    while let Some((character, escaped)) = reader.next()? {
        let bracketed = character == '[' && !escaped;
        let set = match character {
            '.' if !escaped => None,
            '[' if bracketed => Some(reader.set()?),
            ']' if !escaped => return Err(reader.invalid("set-close ']' with no preceding '['")),
            '+' | '*' if !escaped => {
                let what = format!("flag '{character}' must be preceded by a non-flag");
                return Err(reader.invalid(&what));
            }
            other => Some(vec![(other, other)]),
        };
        let repeats = match reader.characters.get(reader.position) {
            Some('+') => Repeats::Plus,
            Some('*') => Repeats::Star,
            Some('\\') if reader.position.saturating_add(1) == reader.characters.len() => {
                return Err(reader.invalid("input ends with a \\ (escape) character"));
            }
            _ => Repeats::Once,
        };
        if repeats != Repeats::Once {
            reader.position = reader.position.saturating_add(1);
        }
        let token = Token {
            set,
            bracketed,
            repeats,
        };
        // Two of the same that repeat are one.
        match tokens.last_mut() {
            Some(last)
                if last.set == token.set
                    && last.bracketed == bracketed
                    && last.repeats != Repeats::Once
                    && repeats != Repeats::Once =>
            {
                if repeats == Repeats::Plus {
                    last.repeats = Repeats::Plus;
                }
            }
            _ => tokens.push(token),
        }
    }
    Ok(tokens)
}

impl Reader {
    fn next(&mut self) -> Read {
        let Some(&character) = self.characters.get(self.position) else {
            return Ok(None);
        };
        if character != '\\' {
            self.position = self.position.saturating_add(1);
            return Ok(Some((character, false)));
        }
        match self.characters.get(self.position.saturating_add(1)) {
            Some(&character) => {
                self.position = self.position.saturating_add(2);
                Ok(Some((character, true)))
            }
            None => Err(self.invalid("input ends with a \\ (escape) character")),
        }
    }

    /// After the opening bracket, up to the closing one.
    fn set(&mut self) -> Result<Vec<(char, char)>, Failure> {
        let mut ranges = Vec::new();
        let mut previous = None;
        while let Some((character, escaped)) = self.next()? {
            match character {
                ']' if !escaped => return Ok(merged(ranges)),
                '-' if !escaped => {
                    let Some(low) = previous.take() else {
                        return Err(self.invalid(
                            "range character '-' must be preceded by a Unicode character",
                        ));
                    };
                    if self.position.saturating_add(1) >= self.characters.len() {
                        return Err(self.invalid(
                            "range character '-' must be followed by a Unicode character",
                        ));
                    }
                    let Some((high, escaped)) = self.next()? else {
                        break;
                    };
                    if !escaped && matches!(high, ']' | '-') {
                        return Err(self.invalid(
                            "range character '-' cannot be followed by a special symbol",
                        ));
                    }
                    if high < low {
                        return Err(self.invalid(&format!(
                            "range is out of order: '{high}' comes before '{low}' in Unicode"
                        )));
                    }
                    ranges.push((low, high));
                }
                other => {
                    ranges.push((other, other));
                    previous = Some(other);
                }
            }
        }
        Err(self.invalid("found [ without matching ]"))
    }

    fn invalid(&self, what: &str) -> Failure {
        let input: String = self.characters.iter().collect();
        Failure::error(format!(
            "input:{input}, pos:{}, {what}: the input provided is invalid",
            self.position
        ))
    }
}

/// Sorted, and one range where two touch, so that equal sets are equal.
fn merged(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let mut merged: Vec<(char, char)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match merged.last_mut() {
            Some((_, last)) if u32::from(low) <= u32::from(*last).saturating_add(1) => {
                *last = (*last).max(high);
            }
            _ => merged.push((low, high)),
        }
    }
    merged
}
