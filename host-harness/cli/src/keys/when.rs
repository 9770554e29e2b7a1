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

/// `time` itself where there is no such time.
pub fn after(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_add(duration).unwrap_or(time)
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

/// Ten thousand years on there is no way to write a time.
const LONGEST: Duration = Duration::from_secs(1_000 * 365 * 24 * 3_600);

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<When, Self::Err> {
        let duration = humantime::parse_duration(text).ok();
        if let Some(duration) = duration.filter(|it| *it <= LONGEST) {
            return Ok(When::In(duration));
        }
        let time = humantime::parse_rfc3339(text).ok();
        time.filter(|time| *time > UNIX_EPOCH)
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
