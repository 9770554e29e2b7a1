//! Dates and times of day without a zone, of the proleptic Gregorian calendar.

/// Seconds.
pub(super) const DAY: i64 = 86_400;

#[derive(Clone, Copy)]
pub(super) struct Date {
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
}

/// A second that a clock and a calendar show.
#[derive(Clone, Copy)]
pub(super) struct Civil {
    /// Since 1970-01-01.
    pub days: i64,
    pub date: Date,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Civil {
    /// Of seconds since 1970.
    pub fn of(second: i64) -> Civil {
        let days = second.div_euclid(DAY);
        let of_day = second.rem_euclid(DAY);
        Civil {
            days,
            date: Date::of(days),
            hour: of_day.div_euclid(3600),
            minute: of_day.div_euclid(60).rem_euclid(60),
            second: of_day.rem_euclid(60),
        }
    }

    /// Seconds since 1970. None where they do not fit.
    pub fn second(&self) -> Option<i64> {
        self.days
            .checked_mul(DAY)?
            .checked_add(self.hour.checked_mul(3600)?)?
            .checked_add(self.minute.checked_mul(60)?)?
            .checked_add(self.second)
    }

    /// From 1.
    pub fn day_of_year(&self) -> i64 {
        let first = Date {
            month: 1,
            day: 1,
            ..self.date
        };
        let first = first.days().unwrap_or_default();
        self.days.saturating_sub(first).saturating_add(1)
    }

    /// From Sunday, which is 0.
    pub fn weekday(&self) -> usize {
        usize::try_from(self.days.saturating_add(4).rem_euclid(7)).unwrap_or_default()
    }
}

/// Days of 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

impl Date {
    /// Years begin with March here, so that a leap day is the last of its year.
    pub fn of(days: i64) -> Date {
        let days = days.saturating_add(EPOCH);
        let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let leaps = of_era
            .div_euclid(1460)
            .saturating_sub(of_era.div_euclid(36_524))
            .saturating_add(of_era.div_euclid(146_096));
        let year = of_era.saturating_sub(leaps).div_euclid(365);
        let of_year = of_era.saturating_sub(before_year(year));
        let from_march = of_year.saturating_mul(5).saturating_add(2).div_euclid(153);
        let day = of_year.saturating_sub(before_month(from_march));
        let is_next = from_march >= 10;
        Date {
            year: era
                .saturating_mul(400)
                .saturating_add(year)
                .saturating_add(i64::from(is_next)),
            month: from_march.saturating_add(if is_next { -9 } else { 3 }),
            day: day.saturating_add(1),
        }
    }

    /// Days since 1970-01-01 of a date whose month and day may lie outside of their year and month.
    /// None where they do not fit.
    pub fn days(&self) -> Option<i64> {
        // March is 0.
        let months = self.month.checked_sub(3)?;
        let year = self.year.checked_add(months.div_euclid(12))?;
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        era.checked_mul(ERA)?
            .checked_add(before_year(of_era))?
            .checked_add(before_month(months.rem_euclid(12)))?
            .checked_sub(EPOCH)?
            .checked_add(self.day.checked_sub(1)?)
    }
}

/// The days of an era before its year, of few.
fn before_year(year: i64) -> i64 {
    year.saturating_mul(365)
        .saturating_add(year.div_euclid(4))
        .saturating_sub(year.div_euclid(100))
}

/// The days of a year that begins with March before its month, of twelve.
fn before_month(month: i64) -> i64 {
    month.saturating_mul(153).saturating_add(2).div_euclid(5)
}

pub(super) fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28_i64.saturating_add(i64::from(is_leap(year))),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
