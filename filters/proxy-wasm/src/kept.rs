//! The last good bundle, in the proxy's shared data: a filter that is configured anew, or starts again
//! after a crash, begins with it. Whoever shares the namespace may write there, so it is taken only
//! where a signature is required of it, and verified like any other.

use crate::host;
use portcullis_engine::{Live, words::BUNDLE};
use proxy_wasm::types::LogLevel;
use std::time::Duration;

/// Nothing is decided yet; what is kept is small, and what else the worker does waits as long.
const SLICE: Duration = Duration::from_secs(1);

/// Bytes of its order.
const ORDER: usize = 8;

/// Where this gate's is kept.
fn key(live: &Live) -> Option<String> {
    let place = live.current().bundle_place()?;
    Some(format!("{BUNDLE}/{place}"))
}

/// Begins with what another has left.
pub fn begin(live: &Live) {
    let Some((Some(key), now)) = host::now_ns().map(|now| (key(live), now)) else {
        return;
    };
    let Ok(Some((packed, _))) = host::shared_data(&key) else {
        return;
    };
    let Some((_, packed)) = packed.split_first_chunk::<ORDER>() else {
        return;
    };
    live.begin_with(packed.to_vec(), now);
    let clock = || host::now_ns().unwrap_or(u64::MAX);
    while live.is_working() {
        if let Some(event) = live.work(&clock, SLICE, 0) {
            let message = format!("portcullis: policy.bundle: kept from before: {event}");
            host::log(LogLevel::Info, &message);
        }
        if host::now_ns().is_none() {
            return;
        }
    }
}

/// Leaves a bundle for those who come, behind what it says of its age: a worker that is late puts no
/// older one there.
pub fn keep(live: &Live, packed: &[u8], order: Option<u64>) {
    let Some(key) = key(live) else { return };
    let before = match host::shared_data(&key) {
        Ok(before) => before,
        Err(host::Refused) => return,
    };
    let value = [&order.unwrap_or(0).to_be_bytes(), packed].concat();
    let (own, _) = value.split_at(ORDER.min(value.len()));
    let is_there = |(kept, _): &(Vec<u8>, u32)| {
        let kept_order = kept.get(..ORDER).unwrap_or_default();
        *kept == value || (order.is_some() && kept_order > own)
    };
    if before.as_ref().is_some_and(is_there) {
        return;
    }
    // Where another was quicker, its bundle is as good.
    let _ = host::set_shared_data(&key, &value, before.map(|(_, version)| version));
}
