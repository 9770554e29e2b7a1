//! `units.*`: exact, as OPA's are.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use super::{
    call::{Failure, Outcome, Own, World, own},
    integers, operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("units.parse", 1, parse),
    own("units.parse_bytes", 1, parse_bytes),
];

/// Beyond any 64-bit float, either way; OPA goes to a million.
const MAX_EXPONENT: i64 = 400;
const MAX_EXPONENT_DIGITS: usize = 6;
const MAX_DIGITS: usize = 1024;
/// Of a float as OPA counts bytes with.
const SIGNIFICANT: u64 = 64;
/// `0.001` as the float that OPA multiplies with: this over 2^60.
const MILLI: (u64, u32) = (1_152_921_504_606_847, 60);
/// Digits after the point, where there are any.
const DECIMALS: u32 = 10;

fn parse(arguments: &[Value], world: &World<'_>) -> Outcome {
    let amount = Amount::read("units.parse", "", operand::string(arguments, 0)?, world)?;
    // `m` and `M` differ; what follows the first letter may be either.
    let mut letters = amount.unit.chars();
    let unit: String = letters
        .next()
        .into_iter()
        .chain(letters.flat_map(char::to_lowercase))
        .collect();
    let (factor, halvings) = match unit.as_str() {
        "m" => MILLI,
        "M" => (1_000_000, 0),
        "k" | "K" | "g" | "G" | "t" | "T" | "p" | "P" | "e" | "E" | "" | "ki" | "Ki" | "mi"
        | "Mi" | "gi" | "Gi" | "ti" | "Ti" | "pi" | "Pi" | "ei" | "Ei" => {
            (multiplier(&unit.to_lowercase()).unwrap_or(1), 0)
        }
        _ => return Err(amount.error(&format!("unit {unit} not recognized"))),
    };
    let fraction = amount.fraction()?.times(factor, halvings);
    world.charge(fraction.cost())?;
    if let Some(integer) = fraction.integer() {
        return integers::value(integer).map(Some);
    }
    let text = fraction.text();
    value::number_from_text(&text)
        .map(Some)
        .map_err(|_| Failure::Exceeded)
}

fn parse_bytes(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len())?;
    let text = text.to_lowercase();
    let amount = Amount::read("units.parse_bytes", "byte ", &text, world)?;
    let unit = match amount.unit.as_str() {
        "b" => None,
        unit => multiplier(unit.strip_suffix('b').unwrap_or(unit)),
    };
    let unit =
        unit.ok_or_else(|| amount.error(&format!("byte unit {} not recognized", amount.unit)))?;
    let fraction = amount.fraction()?;
    world.charge(fraction.cost())?;
    let bytes = fraction.rounded().times(unit, 0).rounded();
    integers::value(bytes.truncated()).map(Some)
}

fn multiplier(unit: &str) -> Option<u64> {
    Some(match unit {
        "" => 1,
        "k" => 1000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "p" => 1_000_000_000_000_000,
        "e" => 1_000_000_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        "pi" => 1 << 50,
        "ei" => 1 << 60,
        _ => return None,
    })
}

/// A text, split.
struct Amount {
    function: &'static str,
    /// What its messages say of an amount.
    kind: &'static str,
    number: String,
    unit: String,
}

impl Amount {
    fn read(
        function: &'static str,
        kind: &'static str,
        text: &str,
        world: &World<'_>,
    ) -> Result<Amount, Failure> {
        world.charge(text.len().saturating_mul(2))?;
        let text = text.replace('"', "");
        let mut amount = Amount {
            function,
            kind,
            number: String::new(),
            unit: String::new(),
        };
        if text.contains(' ') {
            return Err(amount.error("spaces not allowed in resource strings"));
        }
        let end = amount.end_of_number(&text)?;
        let (number, unit) = text.split_at_checked(end).unwrap_or((&text, ""));
        amount.number = number.to_owned();
        amount.unit = unit.to_owned();
        match amount.number.is_empty() {
            true => Err(amount.error(&format!("no {kind}amount provided"))),
            false => Ok(amount),
        }
    }

    /// Where the unit begins. An `e` is one, unless an exponent follows.
    fn end_of_number(&self, text: &str) -> Result<usize, Failure> {
        let mut rest = text.char_indices().peekable();
        while let Some((at, character)) = rest.next() {
            match character {
                '0'..='9' | '.' | '+' | '-' => {}
                'e' | 'E' => {
                    match rest.peek() {
                        Some((_, '+' | '-')) => drop(rest.next()),
                        Some((_, '0'..='9')) => {}
                        _ => return Ok(at),
                    }
                    let digits = rest
                        .clone()
                        .take_while(|(_, digit)| digit.is_ascii_digit())
                        .take(MAX_EXPONENT_DIGITS.saturating_add(1));
                    if digits.count() > MAX_EXPONENT_DIGITS {
                        return Err(self.error("exponent too large"));
                    }
                }
                _ => return Ok(at),
            }
        }
        Ok(text.len())
    }

    /// # Errors
    /// Where the number is none, or past what is kept.
    fn fraction(&self) -> Result<Fraction, Failure> {
        let invalid = || self.error(&format!("could not parse {}amount to a number", self.kind));
        if self.number.len() > MAX_DIGITS {
            return Err(Failure::Exceeded);
        }
        let (mantissa, exponent) = match self.number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i64>().map_err(|_| invalid())?)
            }
            None => (self.number.as_str(), 0),
        };
        let (integer, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let unsigned = integer.strip_prefix(['+', '-']).unwrap_or(integer);
        let digits = format!("{unsigned}{decimals}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let digits: BigInt = digits.parse().map_err(|_| invalid())?;
        let digits = match integer.starts_with('-') {
            true => -digits,
            false => digits,
        };
        let decimals = i64::try_from(decimals.len()).unwrap_or(i64::MAX);
        if digits.sign() == Sign::NoSign {
            return Ok(Fraction::of(digits));
        }
        if exponent.abs() > MAX_EXPONENT {
            return Err(Failure::Exceeded);
        }
        let power = exponent.saturating_sub(decimals);
        let ten = BigInt::from(10_u32).pow(u32::try_from(power.unsigned_abs()).unwrap_or(u32::MAX));
        Ok(match power >= 0 {
            true => Fraction::of(digits * ten),
            false => Fraction {
                numerator: digits,
                denominator: ten,
            },
        })
    }

    fn error(&self, message: &str) -> Failure {
        Failure::error(format!("{}: {message}", self.function))
    }
}

/// Without its last bits, rounded to the nearest, and to the even one of two as near.
fn half_even(integer: &BigInt, dropped: u64) -> BigInt {
    let magnitude = BigInt::from(integer.magnitude().clone());
    let kept = &magnitude >> dropped;
    let rest = &magnitude - (&kept << dropped);
    let half = (BigInt::from(1_u32) << dropped) >> 1_u32;
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Equal => dropped > 0 && kept.bit(0),
        Ordering::Greater => true,
    };
    let kept = kept + u32::from(up);
    match integer.sign() {
        Sign::Minus => -kept,
        _ => kept,
    }
}

struct Fraction {
    numerator: BigInt,
    /// Positive.
    denominator: BigInt,
}

impl Fraction {
    fn of(integer: BigInt) -> Fraction {
        Fraction {
            numerator: integer,
            denominator: BigInt::from(1_u32),
        }
    }

    fn times(self, factor: u64, halvings: u32) -> Fraction {
        Fraction {
            numerator: self.numerator * factor,
            denominator: self.denominator << halvings,
        }
    }

    fn integer(&self) -> Option<BigInt> {
        let rest = &self.numerator % &self.denominator;
        (rest.sign() == Sign::NoSign).then(|| self.truncated())
    }

    fn truncated(&self) -> BigInt {
        &self.numerator / &self.denominator
    }

    /// To the nearest of 64 significant bits, as OPA counts bytes.
    fn rounded(self) -> Fraction {
        let (bits, below) = (self.numerator.bits(), self.denominator.bits());
        // So that the quotient has some bits more than are kept.
        let left = SIGNIFICANT
            .saturating_add(2)
            .saturating_add(below)
            .saturating_sub(bits);
        let right = bits.saturating_sub(SIGNIFICANT.saturating_add(2).saturating_add(below));
        let numerator = self.numerator << left;
        let denominator = self.denominator << right;
        let (quotient, rest) = (&numerator / &denominator, numerator % denominator);
        // One more bit says whether it is exact.
        let inexact = match rest.sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        };
        let quotient: BigInt = quotient * 2_u32 + inexact;
        let left = left.saturating_add(1);
        let dropped = quotient.bits().saturating_sub(SIGNIFICANT);
        let kept = half_even(&quotient, dropped);
        Fraction {
            numerator: kept << dropped.saturating_add(right),
            denominator: BigInt::from(1_u32) << left,
        }
    }

    /// Of so many decimals, rounded half up, away from zero.
    fn text(&self) -> String {
        let one = BigInt::from(10_u32).pow(DECIMALS);
        let magnitude = BigInt::from(self.numerator.magnitude().clone());
        let scaled = (magnitude * &one * 2_u32 + &self.denominator) / (&self.denominator * 2_u32);
        let (integer, decimals) = (&scaled / &one, &scaled % &one);
        let sign = match self.numerator.sign() {
            Sign::Minus => "-",
            _ => "",
        };
        format!(
            "{sign}{integer}.{decimals:0>width$}",
            decimals = decimals.to_string(),
            width = usize::try_from(DECIMALS).unwrap_or_default()
        )
    }

    fn cost(&self) -> usize {
        let bits = self.numerator.bits().max(self.denominator.bits());
        usize::try_from((bits / 64).saturating_mul(bits / 64)).unwrap_or(usize::MAX)
    }
}
