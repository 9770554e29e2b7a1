//! Data shared by all VMs of a proxy that have the same `vm_id`.

use crate::memory::{Answer, Guest};

pub(super) fn get(
    guest: &mut Guest<'_>,
    key: u32,
    key_size: u32,
    value_at: u32,
    size_at: u32,
    cas_at: u32,
) -> Answer {
    let key = guest.bytes(key, key_size)?;
    let host = guest.host();
    let (value, cas) = host.proxy.get_data(&host.vm_id, &key)?;
    guest.give(&value, value_at, size_at)?;
    Ok(guest.write_u32(cas_at, cas)?)
}

pub(super) fn set(
    guest: &mut Guest<'_>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Answer {
    let key = guest.bytes(key, key_size)?;
    let value = guest.bytes(value, value_size)?;
    let host = guest.host();
    Ok(host.proxy.set_data(&host.vm_id, key, value, cas)?)
}
