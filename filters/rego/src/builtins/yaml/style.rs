//! How libyaml writes a text: plain where that is read back as the same text, else in quotes, and
//! lines as a literal block.

use super::{
    Words,
    scalar::{self, Scalar},
};
use crate::builtins::time;

pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// YAML 1.1 has these times.
const TIMES: &[&str] = &[
    "2006-1-2T15:4:5.999999999Z07:00",
    "2006-1-2t15:4:5.999999999Z07:00",
    "2006-1-2 15:4:5.999999999",
    "2006-1-2",
];

pub(super) fn of(text: &str, is_key: bool) -> Style {
    let found = Found::of(text);
    if text.contains('\n') {
        return if found.block_fits && !is_key {
            Style::Literal
        } else {
            Style::Double
        };
    }
    if !is_text(text) {
        return Style::Double;
    }
    if is_key && text.contains(is_break) {
        return Style::Double;
    }
    if found.plain_fits && !(text.is_empty() && is_key) {
        Style::Plain
    } else if found.single_fits {
        Style::Single
    } else {
        Style::Double
    }
}

/// Whether it is read as text where it is plain, by other readers too.
fn is_text(text: &str) -> bool {
    matches!(scalar::resolve(text, Words::YesNo), Scalar::Text)
        && !is_time(text)
        && !is_sexagesimal(text)
}

fn is_time(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits == 4
        && text.get(4..).is_some_and(|rest| rest.starts_with('-'))
        && TIMES.iter().any(|layout| time::is_time(layout, text))
}

/// `190:20:30.15`
fn is_sexagesimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let mut parts = text.split(':');
    let Some(first) = parts.next() else {
        return false;
    };
    let is_first = first.starts_with(|c: char| c.is_ascii_digit()) && is_digits(first);
    let mut rest: Vec<&str> = parts.collect();
    if let Some(last) = rest.pop() {
        let (whole, fraction) = last.split_once('.').unwrap_or((last, ""));
        rest.push(whole);
        let is_sixty = |part: &&str| match part.as_bytes() {
            [ones] => ones.is_ascii_digit(),
            [tens, ones] => matches!(tens, b'0'..=b'5') && ones.is_ascii_digit(),
            _ => false,
        };
        is_first && is_digits(fraction) && rest.iter().all(is_sixty)
    } else {
        false
    }
}

/// What a text allows outside of flow collections.
struct Found {
    plain_fits: bool,
    single_fits: bool,
    block_fits: bool,
}

impl Found {
    fn of(text: &str) -> Found {
        let (mut plain, mut single, mut block) = (true, true, !text.is_empty());
        if text.starts_with("---") || text.starts_with("...") {
            plain = false;
        }
        let edge = |c: char| c == ' ' || is_break(c);
        if text.starts_with(edge) || text.ends_with(edge) {
            plain = false;
        }
        block &= !text.ends_with(' ');
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let is_blank_next = characters.peek().is_none_or(|next| is_blank(*next));
            plain &= match character {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`'
                    if before.is_none() =>
                {
                    false
                }
                '?' | '-' if before.is_none() => !is_blank_next,
                ':' => !is_blank_next,
                '#' => !before.is_some_and(is_blank),
                _ => true,
            };
            if !is_printable(character) {
                (plain, single, block) = (false, false, false);
            }
            if is_break(character) {
                plain = false;
            }
            match before {
                Some(' ') if is_break(character) => (single, block) = (false, false),
                Some(before) if is_break(before) && character == ' ' => single = false,
                _ => {}
            }
            before = Some(character);
        }
        Found {
            plain_fits: plain,
            single_fits: single,
            block_fits: block,
        }
    }
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t') || is_break(character)
}

fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}')
}

/// What may not stand in YAML, and is not escaped in JSON.
pub(super) fn is_refused(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

pub(super) fn escape(character: char) -> Option<String> {
    if is_printable(character) && !is_break(character) && !matches!(character, '"' | '\\') {
        return None;
    }
    let short = match character {
        '\0' => "0",
        '\u{7}' => "a",
        '\u{8}' => "b",
        '\t' => "t",
        '\n' => "n",
        '\u{b}' => "v",
        '\u{c}' => "f",
        '\r' => "r",
        '\u{1b}' => "e",
        '"' => "\"",
        '\\' => "\\",
        '\u{85}' => "N",
        '\u{2028}' => "L",
        '\u{2029}' => "P",
        other => {
            let code = u32::from(other);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(format!("\\{short}"))
}
