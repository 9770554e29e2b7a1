//! What a verb makes of an argument: Go's `fmt`, for the four types that OPA hands to it.

use num_bigint::{BigInt, Sign};

use super::{floats, quoted};
use crate::builtins::call::{Failure, World};

/// An argument as Go has it.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Integer(i64),
    Big(BigInt),
    Float(f64),
    Text(String),
}

impl Argument {
    fn type_name(&self) -> &'static str {
        match self {
            Argument::Integer(_) => "int",
            Argument::Big(_) => "*big.Int",
            Argument::Float(_) => "float64",
            Argument::Text(_) => "string",
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

impl Flags {
    /// One more, and what stands after it.
    pub fn read<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let mut characters = text.chars();
        match characters.next()? {
            '-' => self.minus = true,
            '+' => self.plus = true,
            '#' => self.sharp = true,
            ' ' => self.space = true,
            '0' => self.zero = true,
            _ => return None,
        }
        Some(characters.as_str())
    }

    /// Zeros stand only to the left.
    fn pads_with_zeros(&self) -> bool {
        self.zero && !self.minus
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }
}

pub(super) struct Printer<'a> {
    pub text: String,
    world: &'a World<'a>,
}

impl<'a> Printer<'a> {
    pub fn new(world: &'a World<'a>) -> Printer<'a> {
        Printer {
            text: String::new(),
            world,
        }
    }

    pub fn push(&mut self, text: &str) -> Result<(), Failure> {
        self.world.charge(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub fn argument(
        &mut self,
        argument: &Argument,
        verb: char,
        mut flags: Flags,
    ) -> Result<(), Failure> {
        // What may come of it, paid before it is there.
        let width = flags.width.unwrap_or(0);
        self.world
            .charge(width.saturating_add(flags.precision.unwrap_or(0)))?;
        if verb == 'T' {
            return self.string(argument.type_name(), flags);
        }
        let go_syntax = verb == 'v' && flags.sharp;
        if verb == 'v' && !matches!(argument, Argument::Big(_)) {
            flags.sharp = false;
            flags.plus = false;
        }
        match argument {
            Argument::Integer(integer) => self.integer(*integer, verb, flags),
            Argument::Big(integer) => self.big(integer, verb, flags),
            Argument::Float(float) => match floats::text(*float, verb, &flags)? {
                Some(text) => self.float(&text, flags),
                None => self.wrong(argument, verb, flags),
            },
            Argument::Text(text) => match verb {
                'v' if go_syntax => self.quoted(text, flags),
                'v' | 's' => self.string(text, flags),
                'q' => self.quoted(text, flags),
                'x' | 'X' => self.bytes(text, verb == 'X', flags),
                _ => self.wrong(argument, verb, flags),
            },
        }
    }

    /// A verb that is not for its argument.
    fn wrong(&mut self, argument: &Argument, verb: char, flags: Flags) -> Result<(), Failure> {
        self.push(&format!("%!{verb}("))?;
        self.typed(argument, flags)?;
        self.push(")")
    }

    pub fn typed(&mut self, argument: &Argument, flags: Flags) -> Result<(), Failure> {
        self.push(argument.type_name())?;
        self.push("=")?;
        // With the same flags, but for those that mean something else to `%v`.
        match argument {
            Argument::Integer(integer) => self.integer(*integer, 'v', flags),
            Argument::Big(integer) => self.big(integer, 'v', flags),
            Argument::Float(float) => match floats::text(*float, 'v', &flags)? {
                Some(text) => self.float(&text, flags),
                None => Ok(()),
            },
            Argument::Text(text) => self.string(text, flags),
        }
    }

    fn integer(&mut self, integer: i64, verb: char, flags: Flags) -> Result<(), Failure> {
        let base = match verb {
            'v' | 'd' => 10,
            'b' => 2,
            'o' | 'O' => 8,
            'x' | 'X' => 16,
            'c' | 'q' | 'U' => return self.character(integer, verb, flags),
            _ => return self.wrong(&Argument::Integer(integer), verb, flags),
        };
        if flags.precision == Some(0) && integer == 0 {
            // Not even a zero, and the place is left blank.
            return self.pad(
                "",
                Flags {
                    zero: false,
                    ..flags
                },
            );
        }
        let negative = integer < 0;
        let mut digits = BigInt::from(integer.unsigned_abs()).to_str_radix(base);
        if verb == 'X' {
            digits.make_ascii_uppercase();
        }
        let sign = flags.sign(negative);
        let least = match (flags.precision, flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.pads_with_zeros() => width.saturating_sub(sign.len()),
            _ => 0,
        };
        let mut number = "0".repeat(least.saturating_sub(digits.len()));
        number.push_str(&digits);
        let prefix = match verb {
            'O' => "0o",
            'b' if flags.sharp => "0b",
            'o' if flags.sharp && !number.starts_with('0') => "0",
            'x' if flags.sharp => "0x",
            'X' if flags.sharp => "0X",
            _ => "",
        };
        let number = format!("{sign}{prefix}{number}");
        self.pad(
            &number,
            Flags {
                zero: false,
                ..flags
            },
        )
    }

    /// `big.Int` formats itself, and a bit differently.
    fn big(&mut self, integer: &BigInt, verb: char, flags: Flags) -> Result<(), Failure> {
        let base = match verb {
            'b' => 2,
            'o' | 'O' => 8,
            'd' | 's' | 'v' => 10,
            'x' | 'X' => 16,
            'p' => return Err(Failure::Unsupported("an address, by `%p`,")),
            _ => return self.push(&format!("%!{verb}(big.Int={integer})")),
        };
        let magnitude = integer.magnitude();
        let bits = usize::try_from(magnitude.bits()).unwrap_or(usize::MAX);
        self.world.charge(bits)?;
        let mut digits = magnitude.to_str_radix(base);
        if verb == 'X' {
            digits.make_ascii_uppercase();
        }
        let sign = flags.sign(integer.sign() == Sign::Minus);
        let prefix = match verb {
            'O' => "0o",
            'b' if flags.sharp => "0b",
            'o' if flags.sharp => "0",
            'x' if flags.sharp => "0x",
            'X' if flags.sharp => "0X",
            _ => "",
        };
        let mut zeros = flags.precision.unwrap_or(0).saturating_sub(digits.len());
        let length = [sign.len(), prefix.len(), zeros, digits.len()]
            .into_iter()
            .fold(0_usize, usize::saturating_add);
        if flags.pads_with_zeros() && flags.precision.is_none() {
            zeros = flags.width.unwrap_or(0).saturating_sub(length);
        }
        let zeros = "0".repeat(zeros);
        let number = format!("{sign}{prefix}{zeros}{digits}");
        self.pad(
            &number,
            Flags {
                zero: false,
                ..flags
            },
        )
    }

    fn character(&mut self, integer: i64, verb: char, flags: Flags) -> Result<(), Failure> {
        let character = u32::try_from(integer)
            .ok()
            .and_then(char::from_u32)
            .unwrap_or(char::REPLACEMENT_CHARACTER);
        let text = match verb {
            'c' => character.to_string(),
            'q' => self.quoted_character(character, flags.plus)?,
            _ => {
                let digits = flags.precision.unwrap_or(0).max(4);
                let code = format!("{integer:X}");
                let zeros = "0".repeat(digits.saturating_sub(code.len()));
                let is_scalar = u32::try_from(integer).ok().and_then(char::from_u32);
                let shown = match is_scalar {
                    Some(scalar) if flags.sharp && self.is_printable(scalar)? => {
                        format!(" '{scalar}'")
                    }
                    _ => String::new(),
                };
                let text = format!("U+{zeros}{code}{shown}");
                return self.pad(
                    &text,
                    Flags {
                        zero: false,
                        ..flags
                    },
                );
            }
        };
        self.pad(&text, flags)
    }

    fn quoted_character(&self, character: char, ascii: bool) -> Result<String, Failure> {
        Ok(match character {
            '\'' => r"'\''".to_owned(),
            '"' => "'\"'".to_owned(),
            _ => {
                let quoted = self.quote(&character.to_string(), ascii)?;
                let inner = quoted
                    .strip_prefix('"')
                    .and_then(|quoted| quoted.strip_suffix('"'));
                format!("'{}'", inner.unwrap_or_default())
            }
        })
    }

    fn is_printable(&self, character: char) -> Result<bool, Failure> {
        let quoted = self.quote(&character.to_string(), false)?;
        Ok(matches!(character, '"' | '\\') || quoted.contains(character))
    }

    fn string(&mut self, text: &str, flags: Flags) -> Result<(), Failure> {
        let cut = cut(text, flags.precision);
        self.pad(cut, flags)
    }

    fn quoted(&mut self, text: &str, flags: Flags) -> Result<(), Failure> {
        let cut = cut(text, flags.precision);
        let text = match flags.sharp && can_backquote(cut) {
            true => format!("`{cut}`"),
            false => self.quote(cut, flags.plus)?,
        };
        self.pad(&text, flags)
    }

    fn quote(&self, text: &str, ascii: bool) -> Result<String, Failure> {
        let quoted = quoted(text, self.world)?;
        if !ascii || quoted.is_ascii() {
            return Ok(quoted);
        }
        self.world.charge(quoted.len().saturating_mul(4))?;
        let escaped = quoted.chars().map(|character| match u32::from(character) {
            0..=0x7f => character.to_string(),
            code @ 0x80..=0xffff => format!("\\u{code:04x}"),
            code => format!("\\U{code:08x}"),
        });
        Ok(escaped.collect())
    }

    /// A string's bytes in hexadecimal.
    fn bytes(&mut self, text: &str, upper: bool, flags: Flags) -> Result<(), Failure> {
        let length = text.len().min(flags.precision.unwrap_or(usize::MAX));
        self.world.charge(length.saturating_mul(5))?;
        let mut hex = String::new();
        for (index, byte) in text.bytes().take(length).enumerate() {
            if flags.space && index > 0 {
                hex.push(' ');
            }
            if flags.sharp && (flags.space || index == 0) {
                hex.push_str(if upper { "0X" } else { "0x" });
            }
            hex.push_str(&match upper {
                true => format!("{byte:02X}"),
                false => format!("{byte:02x}"),
            });
        }
        self.pad(&hex, flags)
    }

    /// A float's text, without a plus.
    fn float(&mut self, text: &str, flags: Flags) -> Result<(), Failure> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let sign = flags.sign(text.len() > unsigned.len());
        let length = unsigned.len().saturating_add(sign.len());
        match flags.width {
            Some(width) if flags.pads_with_zeros() && !sign.is_empty() => {
                let zeros = "0".repeat(width.saturating_sub(length));
                self.push(&format!("{sign}{zeros}{unsigned}"))
            }
            _ => self.pad(&format!("{sign}{unsigned}"), flags),
        }
    }

    /// To the width, counted in characters.
    fn pad(&mut self, text: &str, flags: Flags) -> Result<(), Failure> {
        let missing = flags
            .width
            .unwrap_or(0)
            .saturating_sub(text.chars().count());
        let padding = match flags.pads_with_zeros() {
            true => "0".repeat(missing),
            false => " ".repeat(missing),
        };
        match flags.minus {
            true => self.push(&format!("{text}{padding}")),
            false => self.push(&format!("{padding}{text}")),
        }
    }
}

/// As many characters as the precision lets through.
fn cut(text: &str, precision: Option<usize>) -> &str {
    precision
        .and_then(|precision| text.char_indices().nth(precision))
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

/// Whether Go could write it between backquotes, on one line.
fn can_backquote(text: &str) -> bool {
    !text.chars().any(|character| {
        (character < ' ' && character != '\t') || matches!(character, '`' | '\u{7f}' | '\u{feff}')
    })
}
