//! Counters, gauges and histograms. A metric's kind is in the low bits of its id, as in Envoy's `Wasm::kMetricTypeMask`.

use crate::abi::Status;
use crate::memory::{Answer, Failure, Guest, MAX_TEXT};
use crate::proxy::MetricKind;

const KIND_BITS: u32 = 2;
const KIND_MASK: u32 = 0b11;

pub(super) fn define(
    guest: &mut Guest<'_>,
    kind: u32,
    name: u32,
    name_size: u32,
    id_at: u32,
) -> Answer {
    let name = guest.text(name, name_size)?;
    let kind = kind_of(kind).ok_or(Status::BadArgument)?;
    if name.len() > MAX_TEXT {
        return Err(Status::BadArgument.into());
    }
    let host = guest.host();
    let index = u32::try_from(host.metrics.len()).map_err(|_| Status::BadArgument)?;
    let id = index
        .checked_mul(1 << KIND_BITS)
        .map(|id| id | kind as u32)
        .ok_or(Status::BadArgument)?;
    host.proxy.with_metric(&name, kind, |_| ());
    host.metrics.push((name, kind));
    Ok(guest.write_u32(id_at, id)?)
}

/// A counter refuses an offset of zero or less; a histogram cannot be incremented.
pub(super) fn increment(guest: &mut Guest<'_>, id: u32, offset: i64) -> Answer {
    match kind_of(id & KIND_MASK) {
        Some(MetricKind::Counter) => change(guest, id, |value| match u64::try_from(offset) {
            Ok(offset) if offset > 0 => {
                *value = value.wrapping_add(offset);
                Ok(())
            }
            _ => Err(Status::BadArgument.into()),
        }),
        Some(MetricKind::Gauge) => change(guest, id, |value| {
            *value = value.wrapping_add_signed(offset);
            Ok(())
        }),
        _ => Err(Status::BadArgument.into()),
    }
}

/// A counter adds, a gauge is set.
pub(super) fn record(guest: &mut Guest<'_>, id: u32, recorded: u64) -> Answer {
    let kind = kind_of(id & KIND_MASK);
    change(guest, id, |value| {
        *value = match kind {
            Some(MetricKind::Counter) => value.wrapping_add(recorded),
            _ => recorded,
        };
        Ok(())
    })
}

pub(super) fn get(guest: &mut Guest<'_>, id: u32, value_at: u32) -> Answer {
    match kind_of(id & KIND_MASK) {
        Some(MetricKind::Counter | MetricKind::Gauge) => {
            let mut found = 0;
            change(guest, id, |value| {
                found = *value;
                Ok(())
            })?;
            Ok(guest.write_u64(value_at, found)?)
        }
        _ => Err(Status::BadArgument.into()),
    }
}

fn change(
    guest: &mut Guest<'_>,
    id: u32,
    change: impl FnOnce(&mut u64) -> Result<(), Failure>,
) -> Answer {
    let host = guest.host();
    let (name, kind) = usize::try_from(id >> KIND_BITS)
        .ok()
        .and_then(|index| host.metrics.get(index))
        .filter(|(_, kind)| *kind as u32 == id & KIND_MASK)
        .ok_or(Status::NotFound)?;
    host.proxy.with_metric(name, *kind, change)
}

fn kind_of(kind: u32) -> Option<MetricKind> {
    match kind {
        0 => Some(MetricKind::Counter),
        1 => Some(MetricKind::Gauge),
        2 => Some(MetricKind::Histogram),
        _ => None,
    }
}
