//! Moments as text (RFC 3339), and as nanoseconds since the Unix epoch.

use std::time::{Duration, UNIX_EPOCH};

/// `None` also of what is before the epoch, or does not fit.
pub fn parse(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// With no more of a fraction than there is.
pub fn shown(at: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_nanos(at))
        .map(|at| humantime::format_rfc3339(at).to_string())
        .unwrap_or_default()
}
