//! The command's clock and names: the engine has neither.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As options have it.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 1h or 90d")
}

/// Since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub fn unique_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
