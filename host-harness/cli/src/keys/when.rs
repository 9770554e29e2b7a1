//! Times as a user says them and as a record has them: RFC 3339 in UTC, whole seconds.

use crate::moment;
use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A time, or a length of time from now on.
#[derive(Clone, Copy, Debug)]
pub enum When {
    In(Duration),
    At(SystemTime),
}

/// When something ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Never,
    When(When),
}

/// Now, in whole seconds.
pub fn now() -> SystemTime {
    after(UNIX_EPOCH, Duration::from_secs(moment::now().as_secs()))
}

/// At most the last time that the gate takes.
pub fn after(time: SystemTime, duration: Duration) -> SystemTime {
    let last = last();
    time.checked_add(duration)
        .map_or(last, |time| time.min(last))
}

/// As far as 64 bits of nanoseconds go, in whole seconds: 2554-07-21T23:34:33Z.
fn last() -> SystemTime {
    let since = Duration::from_secs(18_446_744_073);
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

pub fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 7d")
}

pub fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

impl When {
    pub fn time(self, now: SystemTime) -> SystemTime {
        match self {
            When::In(duration) => after(now, duration),
            When::At(time) => time,
        }
    }
}

impl End {
    pub fn time(self, now: SystemTime) -> Option<SystemTime> {
        match self {
            End::Never => None,
            End::When(when) => Some(when.time(now)),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<When, Self::Err> {
        if let Ok(duration) = duration(text) {
            return Ok(When::In(duration));
        }
        let time = humantime::parse_rfc3339(text).ok();
        time.filter(|time| *time > UNIX_EPOCH && *time <= last())
            .map(When::At)
            .ok_or("expected a duration such as 90d, or a time such as 2027-02-01T00:00:00Z")
    }
}

impl FromStr for End {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<End, Self::Err> {
        match text {
            "never" => Ok(End::Never),
            text => text.parse().map(End::When),
        }
    }
}
