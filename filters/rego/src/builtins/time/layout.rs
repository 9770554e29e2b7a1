//! Go's layouts: how the moment 2006-01-02 15:04:05 -0700 would be written.

use super::{civil::Civil, zone::Local};

/// What an element of a layout stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongYear,
    /// Of two digits.
    Year,
    LongMonth,
    Month,
    MonthNumber(Pad),
    LongWeekday,
    Weekday,
    Day(Pad),
    DayOfYear(Pad),
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    /// Of an hour of twelve; whether in capitals.
    Half(bool),
    ZoneName,
    Offset(Offset),
    Fraction(Fraction),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pad {
    None,
    Zero,
    Space,
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// UTC is `Z`.
    pub z: bool,
    pub colons: bool,
    pub minutes: bool,
    pub seconds: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    pub separator: u8,
    pub digits: usize,
    /// Without the zeros at its end.
    pub trimmed: bool,
}

/// A layout up to its first element, and from there.
pub(super) struct Piece<'a> {
    pub before: &'a [u8],
    pub element: Option<Element>,
    pub text: &'a [u8],
    pub after: &'a [u8],
}

pub(super) fn next(layout: &[u8]) -> Piece<'_> {
    let mut rest = layout;
    let mut position = 0_usize;
    while let Some((_, behind)) = rest.split_first() {
        if let Some((element, skipped, length)) = element(rest) {
            let (before, from) = halves(layout, position.saturating_add(skipped));
            let (text, after) = halves(from, length);
            return Piece {
                before,
                element: Some(element),
                text,
                after,
            };
        }
        rest = behind;
        position = position.saturating_add(1);
    }
    Piece {
        before: layout,
        element: None,
        text: &[],
        after: &[],
    }
}

pub(super) fn halves(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

/// In the order in which they are tried.
const OFFSETS: &[(&[u8], bool, bool, bool)] = &[
    (b"070000", false, true, true),
    (b"07:00:00", true, true, true),
    (b"0700", false, true, false),
    (b"07:00", true, true, false),
    (b"07", false, false, false),
];

/// The element that a text begins with, how much of the text stands before it, and its length.
fn element(text: &[u8]) -> Option<(Element, usize, usize)> {
    let found = |element, length| Some((element, 0, length));
    let is_word = |after: &[u8]| !after.first().is_some_and(u8::is_ascii_lowercase);
    match text {
        [b'J', b'a', b'n', b'u', b'a', b'r', b'y', ..] => found(Element::LongMonth, 7),
        [b'J', b'a', b'n', after @ ..] if is_word(after) => found(Element::Month, 3),
        [b'M', b'o', b'n', b'd', b'a', b'y', ..] => found(Element::LongWeekday, 6),
        [b'M', b'o', b'n', after @ ..] if is_word(after) => found(Element::Weekday, 3),
        [b'M', b'S', b'T', ..] => found(Element::ZoneName, 3),
        [b'0', b'1', ..] => found(Element::MonthNumber(Pad::Zero), 2),
        [b'0', b'2', ..] => found(Element::Day(Pad::Zero), 2),
        [b'0', b'3', ..] => found(Element::Hour12(Pad::Zero), 2),
        [b'0', b'4', ..] => found(Element::Minute(Pad::Zero), 2),
        [b'0', b'5', ..] => found(Element::Second(Pad::Zero), 2),
        [b'0', b'6', ..] => found(Element::Year, 2),
        [b'0', b'0', b'2', ..] => found(Element::DayOfYear(Pad::Zero), 3),
        [b'1', b'5', ..] => found(Element::Hour, 2),
        [b'1', ..] => found(Element::MonthNumber(Pad::None), 1),
        [b'2', b'0', b'0', b'6', ..] => found(Element::LongYear, 4),
        [b'2', ..] => found(Element::Day(Pad::None), 1),
        // An underscore, and a year.
        [b'_', b'2', b'0', b'0', b'6', ..] => Some((Element::LongYear, 1, 4)),
        [b'_', b'2', ..] => found(Element::Day(Pad::Space), 2),
        [b'_', b'_', b'2', ..] => found(Element::DayOfYear(Pad::Space), 3),
        [b'3', ..] => found(Element::Hour12(Pad::None), 1),
        [b'4', ..] => found(Element::Minute(Pad::None), 1),
        [b'5', ..] => found(Element::Second(Pad::None), 1),
        [b'P', b'M', ..] => found(Element::Half(true), 2),
        [b'p', b'm', ..] => found(Element::Half(false), 2),
        [first @ (b'-' | b'Z'), after @ ..] => {
            let (text, colons, minutes, seconds) = OFFSETS
                .iter()
                .find(|(offset, ..)| after.starts_with(offset))?;
            let offset = Offset {
                z: *first == b'Z',
                colons: *colons,
                minutes: *minutes,
                seconds: *seconds,
            };
            found(Element::Offset(offset), text.len().saturating_add(1))
        }
        [separator @ (b'.' | b','), after @ ..] => {
            let digit = after.first().filter(|byte| matches!(byte, b'0' | b'9'))?;
            let digits = after.iter().take_while(|byte| *byte == digit).count();
            if after.get(digits).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let fraction = Fraction {
                separator: *separator,
                // Go keeps twelve bits of the count.
                digits: digits & 0xfff,
                trimmed: *digit == b'9',
            };
            found(Element::Fraction(fraction), digits.saturating_add(1))
        }
        _ => None,
    }
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(super) fn weekday(civil: &Civil) -> &'static str {
    WEEKDAYS.get(civil.weekday()).copied().unwrap_or_default()
}

fn month(civil: &Civil) -> &'static str {
    usize::try_from(civil.date.month)
        .ok()
        .and_then(|month| MONTHS.get(month.checked_sub(1)?))
        .copied()
        .unwrap_or_default()
}

/// Names are of ASCII.
pub(super) fn short(name: &str) -> &str {
    name.get(..3).unwrap_or(name)
}

pub(super) fn format(layout: &str, civil: &Civil, nanosecond: i64, local: &Local) -> String {
    let mut text: Vec<u8> = Vec::with_capacity(layout.len());
    let mut rest = layout.as_bytes();
    loop {
        let piece = next(rest);
        text.extend_from_slice(piece.before);
        let Some(element) = piece.element else {
            break;
        };
        rest = piece.after;
        text.extend_from_slice(shown(element, civil, nanosecond, local).as_bytes());
    }
    // Every element is of ASCII, so nothing of several bytes was divided.
    String::from_utf8(text).unwrap_or_default()
}

fn shown(element: Element, civil: &Civil, nanosecond: i64, local: &Local) -> String {
    let padded = |number: i64, pad: Pad, width: usize| match pad {
        Pad::None => number.to_string(),
        Pad::Zero => format!("{number:0width$}"),
        Pad::Space => format!("{number:width$}"),
    };
    let twelve = || match civil.hour.rem_euclid(12) {
        0 => 12,
        hour => hour,
    };
    match element {
        Element::LongYear => padded(civil.date.year, Pad::Zero, 4),
        Element::Year => padded(civil.date.year.rem_euclid(100), Pad::Zero, 2),
        Element::LongMonth => month(civil).to_owned(),
        Element::Month => short(month(civil)).to_owned(),
        Element::MonthNumber(pad) => padded(civil.date.month, pad, 2),
        Element::LongWeekday => weekday(civil).to_owned(),
        Element::Weekday => short(weekday(civil)).to_owned(),
        Element::Day(pad) => padded(civil.date.day, pad, 2),
        Element::DayOfYear(pad) => padded(civil.day_of_year(), pad, 3),
        Element::Hour => padded(civil.hour, Pad::Zero, 2),
        Element::Hour12(pad) => padded(twelve(), pad, 2),
        Element::Minute(pad) => padded(civil.minute, pad, 2),
        Element::Second(pad) => padded(civil.second, pad, 2),
        Element::Half(capitals) => match (capitals, civil.hour >= 12) {
            (true, true) => "PM",
            (true, false) => "AM",
            (false, true) => "pm",
            (false, false) => "am",
        }
        .to_owned(),
        Element::ZoneName => local.abbreviation.clone(),
        Element::Offset(offset) => shown_offset(offset, local.offset),
        Element::Fraction(fraction) => shown_fraction(fraction, nanosecond),
    }
}

/// An offset of less than a minute has no sign, as Go has it.
fn shown_offset(offset: Offset, seconds: i64) -> String {
    if offset.z && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds <= -60 { '-' } else { '+' };
    let colon = if offset.colons { ":" } else { "" };
    let minutes = seconds.unsigned_abs().div_euclid(60);
    let mut text = format!("{sign}{:02}", minutes.div_euclid(60));
    if offset.minutes {
        text.push_str(&format!("{colon}{:02}", minutes.rem_euclid(60)));
    }
    if offset.seconds {
        let seconds = seconds.unsigned_abs().rem_euclid(60);
        text.push_str(&format!("{colon}{seconds:02}"));
    }
    text
}

fn shown_fraction(fraction: Fraction, nanosecond: i64) -> String {
    if fraction.trimmed && (fraction.digits == 0 || nanosecond == 0) {
        return String::new();
    }
    let digits = format!("{nanosecond:09}");
    let mut digits = digits.get(..fraction.digits).unwrap_or(&digits);
    if fraction.trimmed {
        digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return String::new();
        }
    }
    format!("{}{digits}", char::from(fraction.separator))
}
