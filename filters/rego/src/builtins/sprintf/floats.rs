//! A float's digits, as Go's `strconv` writes them.

use super::verbs::Flags;
use crate::builtins::call::Failure;

/// No float has more digits than this, on either side of its point; after them there are zeros.
const EXACT: usize = 1100;
/// Of the decimals that Go writes unless told.
const PRECISION: usize = 6;

/// With a minus where it is negative; none where the verb is not for floats.
pub(super) fn text(float: f64, verb: char, flags: &Flags) -> Result<Option<String>, Failure> {
    let precision = flags.precision;
    let text = match verb {
        'v' => general(float, precision, 'e'),
        'g' => general(float, precision, 'e'),
        'G' => general(float, precision, 'E'),
        'e' | 'E' => scientific(float, precision.unwrap_or(PRECISION), verb),
        'f' | 'F' => fixed(float, precision.unwrap_or(PRECISION)),
        'b' | 'x' | 'X' => return Err(Failure::Unsupported("a float's binary digits")),
        _ => return Ok(None),
    };
    Ok(Some(match flags.sharp {
        true => sharp(&text, matches!(verb, 'v' | 'g' | 'G'), precision),
        false => text,
    }))
}

fn fixed(float: f64, precision: usize) -> String {
    let exact = precision.min(EXACT);
    let zeros = "0".repeat(precision.saturating_sub(exact));
    format!("{float:.exact$}{zeros}")
}

fn scientific(float: f64, precision: usize, letter: char) -> String {
    let exact = precision.min(EXACT);
    let text = format!("{float:.exact$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = "0".repeat(precision.saturating_sub(exact));
    format!("{mantissa}{zeros}{}", exponent_text(exponent, letter))
}

/// Always signed, and of two digits at least.
fn exponent_text(exponent: &str, letter: char) -> String {
    match exponent.strip_prefix('-') {
        Some(digits) => format!("{letter}-{digits:0>2}"),
        None => format!("{letter}+{exponent:0>2}"),
    }
}

/// Whichever is shorter; without zeros at the end.
pub(in crate::builtins) fn general(float: f64, precision: Option<usize>, letter: char) -> String {
    let text = match precision {
        None => format!("{float:e}"),
        Some(precision) => {
            let decimals = precision.max(1).saturating_sub(1).min(EXACT);
            format!("{float:.decimals$e}")
        }
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return format!("{sign}0");
    }
    let power: i64 = exponent.parse().unwrap_or_default();
    // Of as many digits as there are before the point.
    let point = power.saturating_add(1);
    let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let limit = match precision {
        None => 6,
        Some(precision) => {
            let precision = i64::try_from(precision.max(1)).unwrap_or(i64::MAX);
            match precision > count && count >= point {
                true => count,
                false => precision,
            }
        }
    };
    if power < -4 || power >= limit {
        let (first, decimals) = digits.split_at_checked(1).unwrap_or((digits, ""));
        let dot = if decimals.is_empty() { "" } else { "." };
        return format!(
            "{sign}{first}{dot}{decimals}{}",
            exponent_text(exponent, letter)
        );
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    match usize::try_from(point) {
        Ok(point) if point > 0 => match digits.split_at_checked(point) {
            Some((integer, "")) => format!("{sign}{integer}"),
            Some((integer, decimals)) => format!("{sign}{integer}.{decimals}"),
            None => {
                let missing = i64::try_from(point)
                    .unwrap_or_default()
                    .saturating_sub(count);
                format!("{sign}{digits}{}", zeros(missing))
            }
        },
        _ => format!("{sign}0.{}{digits}", zeros(point.saturating_neg())),
    }
}

/// With a point in any case, and, where the format is the shorter one, with the zeros.
fn sharp(text: &str, is_general: bool, precision: Option<usize>) -> String {
    let (number, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        None => (text, ""),
    };
    let mut number = number.to_owned();
    let mut missing = match is_general {
        true => precision.unwrap_or(PRECISION),
        false => 0,
    };
    let digits = number
        .chars()
        .filter(char::is_ascii_digit)
        .skip_while(|digit| *digit == '0')
        .count();
    missing = missing.saturating_sub(digits);
    if !number.contains('.') {
        if matches!(number.as_str(), "0" | "-0") {
            missing = missing.saturating_sub(1);
        }
        number.push('.');
    }
    number.push_str(&"0".repeat(missing));
    number + exponent
}
