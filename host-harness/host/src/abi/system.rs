//! Time, ticks, contexts and shutdown.

use std::time::Duration;

use crate::abi::Status;
use crate::clock::nanoseconds;
use crate::host::Done;
use crate::memory::{Answer, Guest};

pub(super) fn get_current_time(guest: &mut Guest<'_>, time_at: u32) -> Answer {
    let now = nanoseconds(guest.host().clock.now());
    Ok(guest.write_u64(time_at, now)?)
}

pub(super) fn set_tick_period(guest: &mut Guest<'_>, period: u32) -> Answer {
    if let Some(root) = guest.host().root() {
        root.tick = (period != 0).then(|| Duration::from_millis(u64::from(period)));
    }
    Ok(())
}

pub(super) fn set_effective_context(guest: &mut Guest<'_>, context: u32) -> Answer {
    let host = guest.host();
    if !host.is_context(context) {
        return Err(Status::BadArgument.into());
    }
    host.effective = context;
    host.crossed = true;
    Ok(())
}

/// The status of the last call that failed; 0 before any. The message is there only while its callback runs.
pub(super) fn get_status(
    guest: &mut Guest<'_>,
    code_at: u32,
    message_at: u32,
    size_at: u32,
) -> Answer {
    let (code, message) = guest.host().root().map_or((0, ""), |root| root.status);
    guest.write_u32(code_at, code)?;
    guest.give(message.as_bytes(), message_at, size_at)
}

/// `WasmBase::done`.
pub(super) fn done(guest: &mut Guest<'_>) -> Answer {
    match guest.host().root() {
        Some(root) if root.done == Done::Pending => {
            root.done = Done::Finished;
            Ok(())
        }
        _ => Err(Status::NotFound.into()),
    }
}
