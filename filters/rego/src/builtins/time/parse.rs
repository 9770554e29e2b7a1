//! Times as a layout of Go's writes them, read as Go reads them.

use super::{
    civil::{self, Civil, Date},
    layout::{self, Element, Fraction, Offset, Pad, halves},
};

/// Seconds since 1970 and nanoseconds.
///
/// # Errors
/// Go's words for what does not fit.
pub(super) fn parse(layout: &str, text: &str) -> Result<(i64, i64), String> {
    let wrong = |element: &[u8], rest: &[u8]| {
        format!(
            "parsing time {text:?} as {layout:?}: cannot parse {:?} as {:?}",
            String::from_utf8_lossy(rest),
            String::from_utf8_lossy(element)
        )
    };
    let mut fields = Fields::default();
    let (mut layout_left, mut left) = (layout.as_bytes(), text.as_bytes());
    loop {
        let piece = layout::next(layout_left);
        let rest = skip(left, piece.before).map_err(|rest| wrong(piece.before, rest))?;
        let Some(element) = piece.element else {
            if rest.is_empty() {
                break;
            }
            let rest = String::from_utf8_lossy(rest);
            return Err(format!("parsing time {text:?}: extra text: {rest:?}"));
        };
        layout_left = piece.after;
        left = match fields.element(element, rest, layout_left) {
            Ok(rest) => rest,
            Err(Wrong::Value) => return Err(wrong(piece.text, rest)),
            Err(Wrong::Range(what)) => {
                return Err(format!("parsing time {text:?}: {what} out of range"));
            }
        };
    }
    fields
        .second()
        .map(|second| (second, fields.nanosecond))
        .map_err(|what| format!("parsing time {text:?}: {what}"))
}

enum Wrong {
    Value,
    /// And of what.
    Range(&'static str),
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    /// Before or after noon.
    is_late: Option<bool>,
    is_utc: bool,
    offset: Option<i64>,
}

impl Fields {
    /// What is left of a text that begins with an element.
    fn element<'a>(
        &mut self,
        element: Element,
        text: &'a [u8],
        layout: &[u8],
    ) -> Result<&'a [u8], Wrong> {
        let ranged = |(number, rest), range: std::ops::RangeInclusive<i64>, what| {
            if range.contains(&number) {
                Ok((number, rest))
            } else {
                Err(Wrong::Range(what))
            }
        };
        let rest;
        match element {
            Element::LongYear => {
                let (digits, after) = text.split_at_checked(4).ok_or(Wrong::Value)?;
                if !digits.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Wrong::Value);
                }
                self.year = signed(digits).ok_or(Wrong::Value)?;
                rest = after;
            }
            Element::Year => {
                let (digits, after) = text.split_at_checked(2).ok_or(Wrong::Value)?;
                let year = signed(digits).ok_or(Wrong::Value)?;
                self.year = year.saturating_add(if year >= 69 { 1900 } else { 2000 });
                rest = after;
            }
            Element::LongMonth | Element::Month => {
                let is_short = element == Element::Month;
                let (index, after) = name(&layout::MONTHS, is_short, text)?;
                self.month = Some(index.saturating_add(1));
                rest = after;
            }
            Element::MonthNumber(pad) => {
                let month;
                (month, rest) = ranged(number(text, pad)?, 1..=12, "month")?;
                self.month = Some(month);
            }
            // Whether it fits the date is not asked.
            Element::LongWeekday | Element::Weekday => {
                let is_short = element == Element::Weekday;
                (_, rest) = name(&layout::WEEKDAYS, is_short, text)?;
            }
            Element::Day(pad) => {
                let day;
                (day, rest) = number(unspaced(text, pad), pad)?;
                self.day = Some(day);
            }
            Element::DayOfYear(pad) => {
                let text = unspaced(unspaced(text, pad), pad);
                let length = digits(text).min(3);
                if length == 0 || (pad == Pad::Zero && length != 3) {
                    return Err(Wrong::Value);
                }
                let digits;
                (digits, rest) = halves(text, length);
                self.day_of_year = signed(digits);
            }
            Element::Hour => {
                (self.hour, rest) = ranged(number(text, Pad::None)?, 0..=23, "hour")?;
            }
            Element::Hour12(pad) => {
                (self.hour, rest) = ranged(number(text, pad)?, 0..=12, "hour")?;
            }
            Element::Minute(pad) => {
                (self.minute, rest) = ranged(number(text, pad)?, 0..=59, "minute")?;
            }
            Element::Second(pad) => {
                let after;
                (self.second, after) = ranged(number(text, pad)?, 0..=59, "second")?;
                // A fraction may follow where the layout has none.
                rest = match layout::next(layout).element {
                    Some(Element::Fraction(_)) => after,
                    _ => self.fraction(after)?,
                };
            }
            Element::Half(capitals) => {
                let (half, after) = text.split_at_checked(2).ok_or(Wrong::Value)?;
                self.is_late = match (capitals, half) {
                    (true, b"PM") | (false, b"pm") => Some(true),
                    (true, b"AM") | (false, b"am") => self.is_late.or(Some(false)),
                    _ => return Err(Wrong::Value),
                };
                rest = after;
            }
            Element::Offset(offset) => rest = self.offset(offset, text)?,
            Element::ZoneName => {
                rest = match text.strip_prefix(b"UTC") {
                    Some(after) => {
                        self.is_utc = true;
                        after
                    }
                    // A name says nothing of its offset; Go takes it for UTC where it is not the
                    // local zone's.
                    None => {
                        let length = zone_name(text).ok_or(Wrong::Value)?;
                        halves(text, length).1
                    }
                };
            }
            Element::Fraction(Fraction { trimmed: true, .. }) => rest = self.fraction(text)?,
            Element::Fraction(fraction) => {
                let length = fraction.digits.saturating_add(1);
                let (digits, after) = text.split_at_checked(length).ok_or(Wrong::Value)?;
                self.nanosecond = nanosecond(digits)?;
                rest = after;
            }
        }
        Ok(rest)
    }

    /// As many digits as there are, or none.
    fn fraction<'a>(&mut self, text: &'a [u8]) -> Result<&'a [u8], Wrong> {
        let [b'.' | b',', after @ ..] = text else {
            return Ok(text);
        };
        if digits(after) == 0 {
            return Ok(text);
        }
        let (fraction, rest) = halves(text, digits(after).saturating_add(1));
        self.nanosecond = nanosecond(fraction)?;
        Ok(rest)
    }

    fn offset<'a>(&mut self, offset: Offset, text: &'a [u8]) -> Result<&'a [u8], Wrong> {
        if let (true, [b'Z', rest @ ..]) = (offset.z, text) {
            self.is_utc = true;
            return Ok(rest);
        }
        let (sign, mut rest) = text.split_first().ok_or(Wrong::Value)?;
        let mut seconds = 0_i64;
        let parts = [
            (true, 3600, 24, "time zone offset hour"),
            (offset.minutes, 60, 60, "time zone offset minute"),
            (offset.seconds, 1, 60, "time zone offset second"),
        ];
        for (index, (is_there, unit, most, what)) in parts.into_iter().enumerate() {
            if !is_there {
                continue;
            }
            if offset.colons && index > 0 {
                rest = rest.strip_prefix(b":").ok_or(Wrong::Value)?;
            }
            let digits;
            (digits, rest) = rest.split_at_checked(2).ok_or(Wrong::Value)?;
            let (part, _) = number(digits, Pad::Zero)?;
            // People do write 24 hours and 60 minutes.
            if part > most {
                return Err(Wrong::Range(what));
            }
            seconds = seconds.saturating_add(part.saturating_mul(unit));
        }
        self.offset = match sign {
            b'+' => Some(seconds),
            b'-' => Some(seconds.saturating_neg()),
            _ => return Err(Wrong::Value),
        };
        Ok(rest)
    }

    /// Since 1970.
    fn second(&self) -> Result<i64, &'static str> {
        let hour = match self.is_late {
            Some(true) if self.hour < 12 => self.hour.saturating_add(12),
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = self.date()?;
        if date.day < 1 || date.day > civil::days_in_month(date.year, date.month) {
            return Err("day out of range");
        }
        let days = date.days().ok_or("year out of range")?;
        let civil = Civil {
            days,
            date,
            hour,
            minute: self.minute,
            second: self.second,
        };
        let second = civil.second().ok_or("year out of range")?;
        // To Go, the offset of -1 second is none.
        let offset = self
            .offset
            .filter(|offset| !self.is_utc && *offset != -1)
            .unwrap_or(0);
        Ok(second.saturating_sub(offset))
    }

    fn date(&self) -> Result<Date, &'static str> {
        let Some(day_of_year) = self.day_of_year else {
            return Ok(Date {
                year: self.year,
                month: self.month.unwrap_or(1),
                day: self.day.unwrap_or(1),
            });
        };
        let first = Date {
            year: self.year,
            month: 1,
            day: day_of_year,
        };
        let length = 365_i64.saturating_add(i64::from(civil::is_leap(self.year)));
        if day_of_year < 1 || day_of_year > length {
            return Err("day-of-year out of range");
        }
        let date = Date::of(first.days().ok_or("year out of range")?);
        if self.month.is_some_and(|month| month != date.month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|day| day != date.day) {
            return Err("day-of-year does not match day");
        }
        Ok(date)
    }
}

/// What follows a prefix, in which any number of spaces is as good as another.
fn skip<'a>(mut text: &'a [u8], mut prefix: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    while let [first, rest @ ..] = prefix {
        match (first, text) {
            (b' ', [other, ..]) if *other != b' ' => return Err(text),
            (b' ', _) => {
                prefix = unindented(prefix);
                text = unindented(text);
            }
            (_, [found, after @ ..]) if found == first => {
                prefix = rest;
                text = after;
            }
            _ => return Err(text),
        }
    }
    Ok(text)
}

fn unindented(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

fn unspaced(text: &[u8], pad: Pad) -> &[u8] {
    match text {
        [b' ', rest @ ..] if pad == Pad::Space => rest,
        _ => text,
    }
}

/// One or two digits; two where they are padded with zeros.
fn number(text: &[u8], pad: Pad) -> Result<(i64, &[u8]), Wrong> {
    let length = match digits(text) {
        0 => return Err(Wrong::Value),
        1 if pad == Pad::Zero => return Err(Wrong::Value),
        count => count.min(2),
    };
    let (digits, rest) = halves(text, length);
    Ok((signed(digits).ok_or(Wrong::Value)?, rest))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Digits after a sign or none; no digits are zero, as to Go.
fn signed(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let number = digits.iter().try_fold(0_i64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })?;
    Some(if is_negative {
        number.saturating_neg()
    } else {
        number
    })
}

/// A separator and digits, of which nine count.
fn nanosecond(text: &[u8]) -> Result<i64, Wrong> {
    let [b'.' | b',', digits @ ..] = text else {
        return Err(Wrong::Value);
    };
    let digits = halves(digits, 9.min(digits.len())).0;
    let number = signed(digits).ok_or(Wrong::Value)?;
    if number < 0 {
        return Err(Wrong::Range("fractional second"));
    }
    let missing = 9_usize.saturating_sub(digits.len());
    Ok((0..missing).fold(number, |number, _| number.saturating_mul(10)))
}

/// The position of a name that a text begins with, and the rest.
fn name<'a>(names: &[&str], is_short: bool, text: &'a [u8]) -> Result<(i64, &'a [u8]), Wrong> {
    for (index, name) in (0_i64..).zip(names) {
        let name = if is_short { layout::short(name) } else { name };
        if let Some((start, rest)) = text.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name.as_bytes())
        {
            return Ok((index, rest));
        }
    }
    Err(Wrong::Value)
}

/// The length of what looks like the abbreviation of a zone.
fn zone_name(text: &[u8]) -> Option<usize> {
    match text {
        [] | [_] | [_, _] => None,
        [b'C', b'h', b'S', b'T', ..] | [b'M', b'e', b'S', b'T', ..] => Some(4),
        [b'G', b'M', b'T', rest @ ..] => Some(3_usize.saturating_add(hours(rest).unwrap_or(0))),
        [b'+' | b'-', ..] => hours(text),
        _ => {
            let capitals = text.iter().take_while(|byte| byte.is_ascii_uppercase());
            match capitals.take(6).count() {
                3 => Some(3),
                4 if text.get(3) == Some(&b'T') || text.starts_with(b"WITA") => Some(4),
                5 if text.get(4) == Some(&b'T') => Some(5),
                _ => None,
            }
        }
    }
}

/// The length of a sign and up to 23 hours.
fn hours(text: &[u8]) -> Option<usize> {
    let [b'+' | b'-', rest @ ..] = text else {
        return None;
    };
    let (hours, _) = halves(rest, digits(rest));
    let count = signed(hours).filter(|count| *count <= 23)?;
    (!hours.is_empty() && count >= 0).then(|| hours.len().saturating_add(1))
}
