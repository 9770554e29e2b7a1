//! `proxy_log`, `proxy_get_log_level`.

use crate::abi::Status;
use crate::error::LogLevel;
use crate::memory::{Answer, Guest, MAX_TEXT};

pub(super) fn log(guest: &mut Guest<'_>, level: u32, message: u32, size: u32) -> Answer {
    let level = LogLevel::from_abi(level).ok_or(Status::BadArgument)?;
    let mut message = guest.bytes(message, size)?;
    message.truncate(MAX_TEXT);
    guest.host().log(level, &message);
    Ok(())
}

pub(super) fn get_log_level(guest: &mut Guest<'_>, level_at: u32) -> Answer {
    let level = guest.host().log_level as u32;
    Ok(guest.write_u32(level_at, level)?)
}
