//! Durations as Go writes them: `1h15m30.5s`.

/// Nanoseconds.
const UNITS: &[(&[u8], u64)] = &[
    (b"ns", 1),
    (b"us", 1_000),
    // The micro sign, and the letter mu.
    ("\u{b5}s".as_bytes(), 1_000),
    ("\u{3bc}s".as_bytes(), 1_000),
    (b"ms", 1_000_000),
    (b"s", 1_000_000_000),
    (b"m", 60_000_000_000),
    (b"h", 3_600_000_000_000),
];

/// One more than fits: the least duration has no positive counterpart.
const MAX: u64 = 1 << 63;

/// # Errors
/// Go's words for what is wrong.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (is_negative, mut rest) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = split(rest, u8::is_ascii_digit);
        let value = integer(whole).ok_or_else(invalid)?;
        let (fraction, after) = match after {
            [b'.', after @ ..] => split(after, u8::is_ascii_digit),
            _ => (&[][..], after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let (unit, after) = split(after, |byte| *byte != b'.' && !byte.is_ascii_digit());
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let Some((_, nanoseconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let unit = String::from_utf8_lossy(unit);
            return Err(format!("time: unknown unit {unit:?} in duration {text:?}"));
        };
        total = value
            .checked_mul(*nanoseconds)
            .and_then(|value| value.checked_add(part(fraction, *nanoseconds)))
            .filter(|value| *value <= MAX)
            .and_then(|value| total.checked_add(value))
            .filter(|total| *total <= MAX)
            .ok_or_else(invalid)?;
        rest = after;
    }
    let total = i128::from(total);
    let total = if is_negative {
        total.checked_neg()
    } else {
        Some(total)
    };
    total
        .and_then(|total| i64::try_from(total).ok())
        .ok_or_else(invalid)
}

fn split(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let length = bytes.iter().take_while(|byte| belongs(byte)).count();
    bytes.split_at_checked(length).unwrap_or((bytes, &[]))
}

fn integer(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0_u64, |number, digit| {
            number
                .checked_mul(10)?
                .checked_add(u64::from(digit.wrapping_sub(b'0')))
        })
        .filter(|number| *number <= MAX)
}

/// A fraction of a unit, as exact as a float is. Digits past what a number holds are left out.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "rounds as Go rounds; the fraction is below 1"
)]
fn part(digits: &[u8], unit: u64) -> u64 {
    let (mut number, mut scale) = (0_u64, 1_f64);
    for count in 1..=digits.len() {
        match digits.get(..count).and_then(integer) {
            Some(next) => {
                number = next;
                scale *= 10.0;
            }
            None => break,
        }
    }
    (number as f64 * (unit as f64 / scale)) as u64
}
