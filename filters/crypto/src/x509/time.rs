//! Times of certificates (RFC 5280 section 4.1.2.5): in UTC, to the second.

use crate::der::{self, Element};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Time {
    pub(super) fn read(element: Element<'_>) -> Option<Time> {
        let text = str::from_utf8(element.value).ok()?.strip_suffix('Z')?;
        let (year, rest) = match element.tag {
            der::UTC_TIME => {
                let (year, rest) = digits(text, 2)?;
                // Two digits of 1950 to 2049.
                let century = if year < 50 { 2000 } else { 1900 };
                (year.checked_add(century)?, rest)
            }
            der::GENERALIZED_TIME => digits(text, 4)?,
            _ => return None,
        };
        let (month, rest) = digits(rest, 2)?;
        let (day, rest) = digits(rest, 2)?;
        let (hour, rest) = digits(rest, 2)?;
        let (minute, rest) = digits(rest, 2)?;
        let (second, rest) = digits(rest, 2)?;
        let time = Time {
            year,
            month,
            day,
            hour,
            minute,
            second,
        };
        (rest.is_empty() && time.exists()).then_some(time)
    }

    fn exists(&self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        };
        (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second < 60
    }

    /// Seconds since the Unix epoch.
    pub fn unix(&self) -> i64 {
        // Days in years of 365.2425 of them that begin in March: civil time in whole numbers.
        let (year, month) = match self.month {
            1 | 2 => (
                i64::from(self.year).saturating_sub(1),
                self.month.saturating_add(9),
            ),
            _ => (i64::from(self.year), self.month.saturating_sub(3)),
        };
        let months = i64::from(month).saturating_mul(153).saturating_add(2) / 5;
        let leaps = year
            .div_euclid(4)
            .saturating_sub(year.div_euclid(100))
            .saturating_add(year.div_euclid(400));
        let days = year
            .saturating_mul(365)
            .saturating_add(leaps)
            .saturating_add(months)
            .saturating_add(i64::from(self.day))
            .saturating_sub(719_469);
        let clock = i64::from(self.hour)
            .saturating_mul(3600)
            .saturating_add(i64::from(self.minute).saturating_mul(60))
            .saturating_add(i64::from(self.second));
        days.saturating_mul(86_400).saturating_add(clock)
    }

    /// RFC 3339.
    pub fn to_text(&self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then_some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_seconds() {
        for (text, seconds) in [
            ("19700101000000Z", 0),
            ("20000229235959Z", 951_868_799),
            ("20240301000000Z", 1_709_251_200),
            ("19500101000000Z", -631_152_000),
            ("99991231235959Z", 253_402_300_799),
        ] {
            let element = Element {
                tag: der::GENERALIZED_TIME,
                whole: &[],
                value: text.as_bytes(),
            };
            assert_eq!(Time::read(element).unwrap().unix(), seconds, "{text}");
        }
    }
}
