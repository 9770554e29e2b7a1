//! `time.*`, of the request's clock, as OPA 1.14 answers with Go's package `time`.

mod civil;
mod duration;
mod layout;
mod parse;
mod zone;

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};
use civil::{Civil, Date};
use zone::Zone;

pub(super) const FUNCTIONS: &[Own] = &[
    own("time.add_date", 4, add_date),
    own("time.clock", 1, clock),
    own("time.date", 1, date),
    own("time.diff", 2, diff),
    own("time.format", 1, format),
    own("time.now_ns", 0, now_ns),
    own("time.parse_duration_ns", 1, parse_duration_ns),
    own("time.parse_ns", 2, parse_ns),
    own("time.parse_rfc3339_ns", 1, parse_rfc3339_ns),
    own("time.weekday", 1, weekday),
];

const NANOS: i64 = 1_000_000_000;
const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// The layouts that OPA knows by the names of Go's constants.
const LAYOUTS: &[(&str, &str)] = &[
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", RFC3339),
    ("RFC3339Nano", RFC3339_NANO),
];

fn now_ns(_: &[Value], world: &World<'_>) -> Outcome {
    Ok(Some(Value::from(world.moment.now_ns)))
}

fn parse_ns(arguments: &[Value], world: &World<'_>) -> Outcome {
    let layout = operand::string(arguments, 0)?;
    let text = operand::string(arguments, 1)?;
    parsed(named(layout), text, world)
}

fn parse_rfc3339_ns(arguments: &[Value], world: &World<'_>) -> Outcome {
    parsed(RFC3339, operand::string(arguments, 0)?, world)
}

fn parsed(layout: &str, text: &str, world: &World<'_>) -> Outcome {
    world.charge(layout.len().saturating_add(text.len()).saturating_mul(4))?;
    let (second, nanosecond) = parse::parse(layout, text).map_err(Failure::error)?;
    nanoseconds(second, nanosecond)
}

/// Whether a text is a time as a layout of Go's writes it.
pub(super) fn is_time(layout: &str, text: &str) -> bool {
    parse::parse(layout, text).is_ok()
}

fn parse_duration_ns(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len().saturating_mul(2))?;
    let duration = duration::parse(text).map_err(Failure::error)?;
    Ok(Some(Value::from(duration)))
}

fn format(arguments: &[Value], world: &World<'_>) -> Outcome {
    let moment = moment(arguments, 0, world)?;
    let layout = match moment.layout {
        None | Some("") => RFC3339_NANO,
        Some(layout) => named(layout),
    };
    // `1` may become `12`, and `MST` the longest abbreviation of a zone.
    world.charge(layout.len().saturating_mul(4))?;
    let (civil, local) = moment.civil();
    let text = layout::format(layout, &civil, moment.nanosecond(), &local);
    Ok(Some(value::string(&text)))
}

fn date(arguments: &[Value], world: &World<'_>) -> Outcome {
    let Date { year, month, day } = moment(arguments, 0, world)?.civil().0.date;
    Ok(Some(numbers([year, month, day])))
}

fn clock(arguments: &[Value], world: &World<'_>) -> Outcome {
    let civil = moment(arguments, 0, world)?.civil().0;
    Ok(Some(numbers([civil.hour, civil.minute, civil.second])))
}

fn weekday(arguments: &[Value], world: &World<'_>) -> Outcome {
    let civil = moment(arguments, 0, world)?.civil().0;
    Ok(Some(value::string(layout::weekday(&civil))))
}

/// The same time of day on another date. A month's days past its last are the next month's; a time
/// that clocks skip or show twice is read as Go reads it.
fn add_date(arguments: &[Value], world: &World<'_>) -> Outcome {
    let moment = moment(arguments, 0, world)?;
    let years = operand::integer(arguments, 1)?;
    let months = operand::integer(arguments, 2)?;
    let days = operand::integer(arguments, 3)?;
    let civil = moment.civil().0;
    let date = civil.date;
    let second = Date {
        year: date.year.saturating_add(years),
        month: date.month.saturating_add(months),
        day: date.day.saturating_add(days),
    }
    .days()
    .and_then(|days| Civil { days, ..civil }.second())
    .filter(|second| {
        i64::MAX.checked_div(NANOS).is_some_and(|last| {
            // A day more: what a zone may make of it.
            second.unsigned_abs()
                <= last
                    .unsigned_abs()
                    .saturating_add(2 * civil::DAY.unsigned_abs())
        })
    })
    .ok_or_else(outside)?;
    nanoseconds(moment.zone.utc(second), moment.nanosecond())
}

/// Years, months, days, hours, minutes and seconds from the earlier to the later.
fn diff(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut first = moment(arguments, 0, world)?;
    let mut second = moment(arguments, 1, world)?;
    if first.nanoseconds > second.nanoseconds {
        std::mem::swap(&mut first.nanoseconds, &mut second.nanoseconds);
    }
    second.zone = first.zone.clone();
    let (from, to) = (first.civil().0, second.civil().0);
    let mut parts = [
        to.date.year.saturating_sub(from.date.year),
        to.date.month.saturating_sub(from.date.month),
        to.date.day.saturating_sub(from.date.day),
        to.hour.saturating_sub(from.hour),
        to.minute.saturating_sub(from.minute),
        to.second.saturating_sub(from.second),
    ];
    let mut borrow = 0;
    let lengths = [
        0,
        12,
        civil::days_in_month(from.date.year, from.date.month),
        24,
        60,
        60,
    ];
    for (part, length) in parts.iter_mut().zip(lengths).rev() {
        *part = part.saturating_sub(borrow);
        borrow = i64::from(*part < 0 && length > 0);
        if borrow > 0 {
            *part = part.saturating_add(length);
        }
    }
    Ok(Some(numbers(parts)))
}

/// What OPA takes for a time: nanoseconds, or an array of nanoseconds, a zone and a layout.
struct Moment<'a> {
    nanoseconds: i64,
    zone: Zone,
    layout: Option<&'a str>,
}

impl Moment<'_> {
    fn second(&self) -> i64 {
        self.nanoseconds.div_euclid(NANOS)
    }

    fn nanosecond(&self) -> i64 {
        self.nanoseconds.rem_euclid(NANOS)
    }

    fn civil(&self) -> (Civil, zone::Local) {
        let local = self.zone.local(self.second());
        let second = self.second().saturating_add(local.offset);
        (Civil::of(second), local)
    }
}

fn moment<'a>(
    arguments: &'a [Value],
    position: usize,
    world: &World<'_>,
) -> Result<Moment<'a>, Failure> {
    const WANTED: &str = "either number (ns) or [number (ns), string (tz)]";
    let argument = operand::any(arguments, position)?;
    // OPA calls every operand the first.
    let (number, rest) = match argument {
        Value::Array(items) => match items.as_slice() {
            [number, rest @ ..] => (number, rest),
            [] => return Err(operand::mismatch(0, WANTED, argument)),
        },
        Value::Number(_) => (argument, &[][..]),
        other => return Err(operand::mismatch(0, WANTED, other)),
    };
    let Value::Number(number) = number else {
        return Err(operand::mismatch(0, "number", number));
    };
    let text = |item: Option<&'a Value>| match item {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_ref())),
        Some(other) => Err(operand::mismatch(0, "string", other)),
    };
    let zone = match text(rest.first())? {
        None => Zone::Utc,
        Some(name) => Zone::named(name, world)?,
    };
    let layout = text(rest.get(1))?;
    let nanoseconds = number
        .as_i64()
        .ok_or_else(|| Failure::error("timestamp too big"))?;
    Ok(Moment {
        nanoseconds,
        zone,
        layout,
    })
}

fn named(layout: &str) -> &str {
    LAYOUTS
        .iter()
        .find(|(name, _)| *name == layout)
        .map_or(layout, |(_, layout)| layout)
}

fn numbers<const N: usize>(numbers: [i64; N]) -> Value {
    value::array(numbers.map(Value::from))
}

fn nanoseconds(second: i64, nanosecond: i64) -> Outcome {
    let nanoseconds = i128::from(second)
        .saturating_mul(i128::from(NANOS))
        .saturating_add(i128::from(nanosecond));
    let nanoseconds = i64::try_from(nanoseconds).map_err(|_| outside())?;
    Ok(Some(Value::from(nanoseconds)))
}

fn outside() -> Failure {
    Failure::error("time outside of valid range")
}
