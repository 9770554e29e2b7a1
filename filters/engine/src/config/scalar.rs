//! Values with a form of their own: what serde's own types would take too kindly, or refuse without
//! saying what is right.

use crate::sample::Share;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use std::time::Duration;

/// A section that stands there is meant: `jwt:` with nothing under it is an error, not an absence.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A length of time, such as `90s`, `5m` or `1h 30m`.
#[derive(Clone, Copy)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "a duration such as `60s` or `5m`", |text| {
            humantime::parse_duration(text).ok().map(Span)
        })
    }
}

/// A point in time, in nanoseconds since the Unix epoch; written as RFC 3339 in UTC.
#[derive(Clone, Copy)]
pub struct Instant(pub u64);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(
            deserializer,
            "a time such as `2027-02-01T00:00:00Z`",
            instant,
        )
    }
}

fn instant(text: &str) -> Option<Instant> {
    crate::instant::parse(text).map(Instant)
}

/// Whether something is revoked, or from when on: `true` is from the beginning of time.
#[derive(Clone, Copy, Default)]
pub struct Revoked(pub Option<Instant>);

impl<'de> Deserialize<'de> for Revoked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(
            deserializer,
            "`true`, or a time such as `2027-02-01T00:00:00Z`",
            |text| match text {
                "true" => Some(Revoked(Some(Instant(0)))),
                "false" => Some(Revoked(None)),
                text => instant(text).map(|from| Revoked(Some(from))),
            },
        )
    }
}

/// A number of bytes, such as `64KiB` or `65536`.
#[derive(Clone, Copy, PartialEq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "a size such as `64KiB`", |text| {
            let size: bytesize::ByteSize = text.parse().ok()?;
            Some(Size(size.as_u64()))
        })
    }
}

/// Reads text of a form of its own; a bare number, which YAML does not quote, is text too.
fn parse<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    takes: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let found = match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        other => other.to_string(),
    };
    read(&found).ok_or_else(|| de::Error::custom(format_args!("found `{found}`; takes {takes}")))
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Value::deserialize(deserializer)?;
        let share = found.as_f64().and_then(Share::new);
        share.ok_or_else(|| {
            let found = match found {
                Value::Number(number) => number.to_string(),
                _ => "no number".to_owned(),
            };
            de::Error::custom(format_args!(
                "found {found}; takes a number from 0, none, to 1, all requests"
            ))
        })
    }
}

#[derive(Clone, Copy)]
pub enum RegoVersion {
    V0,
    V1,
}

impl<'de> Deserialize<'de> for RegoVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Ok(RegoVersion::V0),
            1 => Ok(RegoVersion::V1),
            other => Err(de::Error::custom(format_args!(
                "found {other}; takes 0 or 1"
            ))),
        }
    }
}
