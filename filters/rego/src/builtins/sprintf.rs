//! `sprintf`: Go's format, with the errors that Go writes into the text.

mod floats;
mod verbs;

pub(super) use floats::general;

use super::{
    call::{Failure, Outcome, Own, World, own},
    integers, operand, theirs,
};
use crate::value::{self, Value};
use verbs::{Argument, Flags, Printer};

pub(super) const FUNCTIONS: &[Own] = &[own("sprintf", 2, sprintf)];

/// A width or precision beyond this is none to Go.
const MAX_WIDTH: usize = 1_000_000;

fn sprintf(arguments: &[Value], world: &World<'_>) -> Outcome {
    let format = operand::string(arguments, 0)?;
    let values = operand::array(arguments, 1)?;
    world.charge(format.len())?;
    world.charge_members(values.len())?;
    let mut formatter = Formatter {
        arguments: values
            .iter()
            .map(|value| argument(value, world))
            .collect::<Result<_, _>>()?,
        next: 0,
        reordered: false,
        printer: Printer::new(world),
    };
    let mut rest = &**format;
    while let Some((literal, verb)) = rest.split_once('%') {
        formatter.printer.push(literal)?;
        rest = formatter.verb(verb)?;
    }
    formatter.printer.push(rest)?;
    formatter.extra()?;
    Ok(Some(Value::from(formatter.printer.text)))
}

/// What OPA hands to Go: numbers and strings as they are, anything else by its text.
fn argument(value: &Value, world: &World<'_>) -> Result<Argument, Failure> {
    Ok(match value {
        Value::String(text) => {
            world.charge(text.len())?;
            Argument::Text(text.to_string())
        }
        Value::Number(number) => match (integers::is_float(value), number.as_i64()) {
            (true, _) => Argument::Float(number.as_f64().unwrap_or_default()),
            (false, Some(integer)) => Argument::Integer(integer),
            (false, None) => {
                world.charge(integers::cost(value))?;
                let integer = integers::of(value).ok_or(Failure::Exceeded)?;
                match exponential(&integer.to_string()) {
                    Some(text) => Argument::Text(text),
                    None => Argument::Big(integer),
                }
            }
        },
        other => {
            let mut text = String::new();
            show(&mut text, other, world)?;
            Argument::Text(text)
        }
    })
}

/// A number past any float with all those zeros was written with an exponent, `2e308`; regorus
/// expands it, and OPA keeps it as it is written.
fn exponential(digits: &str) -> Option<String> {
    const FLOAT_DIGITS: usize = 308;
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let significant = unsigned.trim_end_matches('0');
    let (first, decimals) = significant.split_at_checked(1)?;
    (unsigned.len() > FLOAT_DIGITS && significant.len() < unsigned.len() / 2).then(|| {
        let sign = if digits.starts_with('-') { "-" } else { "" };
        let point = if decimals.is_empty() { "" } else { "." };
        let exponent = unsigned.len().saturating_sub(1);
        format!("{sign}{first}{point}{decimals}e{exponent}")
    })
}

/// As deep as a document goes, and some that a policy makes of it.
const MAX_DEPTH: usize = 256;

/// A value as Rego writes it, which `%v` does too.
pub(super) fn show(text: &mut String, value: &Value, world: &World<'_>) -> Result<(), Failure> {
    write(text, value, world, MAX_DEPTH)
}

fn write(text: &mut String, value: &Value, world: &World<'_>, depth: usize) -> Result<(), Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::Exceeded)?;
    let list = |text: &mut String, items: &mut dyn Iterator<Item = &Value>| {
        for (index, item) in items.enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            write(text, item, world, depth)?;
        }
        Ok::<(), Failure>(())
    };
    world.charge(4)?;
    match value {
        Value::String(string) => text.push_str(&quoted(string, world)?),
        Value::Array(items) => {
            text.push('[');
            list(text, &mut items.iter())?;
            text.push(']');
        }
        Value::Set(items) if items.is_empty() => text.push_str("set()"),
        Value::Set(items) => {
            text.push('{');
            list(text, &mut items.iter_sorted())?;
            text.push('}');
        }
        Value::Object(entries) => {
            text.push('{');
            for (index, (key, value)) in entries.iter_sorted().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write(text, key, world, depth)?;
                text.push_str(": ");
                write(text, value, world, depth)?;
            }
            text.push('}');
        }
        number_or_constant => {
            world.charge(integers::cost(number_or_constant))?;
            text.push_str(&value::to_json(number_or_constant).to_string());
        }
    }
    Ok(())
}

/// A string as Go quotes it. What is plainly printable needs no table.
fn quoted(text: &str, world: &World<'_>) -> Result<String, Failure> {
    world.charge(text.len())?;
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        return Ok(format!("\"{text}\""));
    }
    // regorus has Go's table of what is printable.
    let arguments = [value::string("%q"), value::array([value::string(text)])];
    match theirs::call("sprintf", &arguments, world)? {
        Some(Value::String(quoted)) => Ok(quoted.to_string()),
        _ => Err(Failure::Unsupported("to quote")),
    }
}

struct Formatter<'a> {
    arguments: Vec<Argument>,
    next: usize,
    /// Whether an argument was asked for by its number: then none is one too many.
    reordered: bool,
    printer: Printer<'a>,
}

/// How an argument was named: `[2]`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Index {
    /// Not at all.
    None,
    Good,
    Bad,
}

impl Formatter<'_> {
    /// Prints one verb, of what stands after its `%`, and gives what is left.
    fn verb<'t>(&mut self, text: &'t str) -> Result<&'t str, Failure> {
        let mut flags = Flags::default();
        let mut rest = text;
        while let Some(after) = flags.read(rest) {
            rest = after;
        }
        let mut good = true;
        let mut index;
        (index, rest) = self.index(rest, &mut good);
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            match self.star() {
                Some(width) => {
                    flags.width = Some(width.unsigned_abs());
                    flags.minus |= width < 0;
                }
                None => self.printer.push("%!(BADWIDTH)")?,
            }
            index = Index::None;
        } else {
            (flags.width, rest) = number(rest);
            good &= index == Index::None || flags.width.is_none();
        }
        if let Some(after) = rest.strip_prefix('.') {
            good &= index == Index::None;
            (index, rest) = self.index(after, &mut good);
            if let Some(after) = rest.strip_prefix('*') {
                rest = after;
                match self.star() {
                    Some(precision) if precision >= 0 => {
                        flags.precision = Some(precision.unsigned_abs());
                    }
                    _ => self.printer.push("%!(BADPREC)")?,
                }
                index = Index::None;
            } else {
                let precision;
                (precision, rest) = number(rest);
                flags.precision = Some(precision.unwrap_or(0));
            }
        }
        if index == Index::None {
            (_, rest) = self.index(rest, &mut good);
        }
        let mut characters = rest.chars();
        let Some(verb) = characters.next() else {
            self.printer.push("%!(NOVERB)")?;
            return Ok("");
        };
        if verb == '%' {
            self.printer.push("%")?;
        } else if !good {
            self.printer.push(&format!("%!{verb}(BADINDEX)"))?;
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next = self.next.saturating_add(1);
            self.printer.argument(argument, verb, flags)?;
        } else {
            self.printer.push(&format!("%!{verb}(MISSING)"))?;
        }
        Ok(characters.as_str())
    }

    /// `[2]`: the second argument is next.
    fn index<'t>(&mut self, text: &'t str, good: &mut bool) -> (Index, &'t str) {
        let Some(after) = text.strip_prefix('[') else {
            return (Index::None, text);
        };
        self.reordered = true;
        let closed = after.split_once(']').filter(|_| text.len() > 2);
        let Some((index, rest)) = closed else {
            *good = false;
            return (Index::None, after);
        };
        let wanted = match number(index) {
            (Some(index), "") => index.checked_sub(1),
            _ => {
                *good = false;
                return (Index::None, rest);
            }
        };
        match wanted.filter(|wanted| *wanted < self.arguments.len()) {
            Some(wanted) => {
                self.next = wanted;
                (Index::Good, rest)
            }
            None => {
                *good = false;
                (Index::Bad, rest)
            }
        }
    }

    /// A width that is an argument.
    fn star(&mut self) -> Option<isize> {
        let argument = self.arguments.get(self.next)?;
        self.next = self.next.saturating_add(1);
        match argument {
            Argument::Integer(width) => isize::try_from(*width)
                .ok()
                .filter(|width| width.unsigned_abs() <= MAX_WIDTH),
            _ => None,
        }
    }

    /// What no verb asked for.
    fn extra(&mut self) -> Result<(), Failure> {
        let extra = self.arguments.get(self.next..).unwrap_or_default();
        if self.reordered || extra.is_empty() {
            return Ok(());
        }
        self.printer.push("%!(EXTRA ")?;
        for (index, argument) in extra.iter().enumerate() {
            if index > 0 {
                self.printer.push(", ")?;
            }
            self.printer.typed(argument, Flags::default())?;
        }
        self.printer.push(")")
    }
}

/// A width or precision. Too large a one takes all of the text with it, as in Go.
fn number(text: &str) -> (Option<usize>, &str) {
    let rest = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let digits = text.strip_suffix(rest).unwrap_or_default();
    if digits.is_empty() {
        return (None, text);
    }
    let mut number = 0_usize;
    for digit in digits.bytes() {
        if number > MAX_WIDTH {
            return (None, "");
        }
        let digit = usize::from(digit.saturating_sub(b'0'));
        number = number.saturating_mul(10).saturating_add(digit);
    }
    (Some(number), rest)
}
