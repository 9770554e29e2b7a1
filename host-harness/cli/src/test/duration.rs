//! Durations as Go writes them, and so as `opa test` prints them: `1.234567ms`, `1m0.5s`.

use std::time::Duration;

pub fn show(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanoseconds, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanoseconds, 6)),
        _ => {
            let seconds = duration.as_secs();
            let rest = nanoseconds % 60_000_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            match (hours, minutes) {
                (0, 0) => format!("{}s", decimal(rest, 9)),
                (0, _) => format!("{minutes}m{}s", decimal(rest, 9)),
                _ => format!("{hours}h{minutes}m{}s", decimal(rest, 9)),
            }
        }
    }
}

/// A number of `10^-places`, without zeros at its end.
fn decimal(number: u128, places: u32) -> String {
    let unit = 10_u128.pow(places);
    let width = usize::try_from(places).unwrap_or_default();
    let fraction = format!("{:0width$}", number % unit);
    match fraction.trim_end_matches('0') {
        "" => format!("{}", number / unit),
        fraction => format!("{}.{fraction}", number / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_does() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (253, "253ns"),
            (217_958, "217.958µs"),
            (1_417, "1.417µs"),
            (1_500_000, "1.5ms"),
            (2_000_000_000, "2s"),
            (61_500_000_000, "1m1.5s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(show(Duration::from_nanos(nanoseconds)), text);
        }
    }
}
