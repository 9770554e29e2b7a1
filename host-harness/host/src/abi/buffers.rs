//! Bodies and configurations.

use crate::abi::Status;
use crate::host::Host;
use crate::memory::{Answer, Guest};

const HTTP_REQUEST_BODY: u32 = 0;
const HTTP_RESPONSE_BODY: u32 = 1;
const HTTP_CALL_RESPONSE_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
const CALL_DATA: u32 = 8;

pub(super) fn get_bytes(
    guest: &mut Guest<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    bytes_at: u32,
    size_at: u32,
) -> Answer {
    let bytes = readable(guest.host(), buffer)?;
    let start = (start as usize).min(bytes.len());
    let end = start.saturating_add(length as usize).min(bytes.len());
    let bytes = bytes.get(start..end).unwrap_or_default().to_vec();
    // Envoy leaves the result pointers alone where there is nothing to read.
    if bytes.is_empty() {
        return Ok(());
    }
    guest.give(&bytes, bytes_at, size_at)
}

pub(super) fn get_status(
    guest: &mut Guest<'_>,
    buffer: u32,
    length_at: u32,
    flags_at: u32,
) -> Answer {
    let length = readable(guest.host(), buffer)?.len();
    guest.write_u32(length_at, u32::try_from(length).unwrap_or(u32::MAX))?;
    Ok(guest.write_u32(flags_at, 0)?)
}

/// Envoy's `Buffer::copyFrom`: at the start it replaces `length` bytes, past the end it appends, between it refuses.
pub(super) fn set_bytes(
    guest: &mut Guest<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    bytes: u32,
    size: u32,
) -> Answer {
    readable(guest.host(), buffer)?;
    let bytes = guest.bytes(bytes, size)?;
    let body = writable(guest.host(), buffer)?;
    match start as usize {
        0 => {
            let drained = (length as usize).min(body.len());
            body.splice(..drained, bytes);
        }
        start if start >= body.len() => body.extend_from_slice(&bytes),
        _ => return Err(Status::BadArgument.into()),
    }
    Ok(())
}

/// A body outside of its phase is an empty buffer; a buffer that this context cannot have is `NotFound`.
fn readable(host: &mut Host, buffer: u32) -> Result<&[u8], Status> {
    match buffer {
        HTTP_REQUEST_BODY | HTTP_RESPONSE_BODY => {
            Ok(writable(host, buffer).map_or(&[], |body| body.as_slice()))
        }
        VM_CONFIGURATION => Ok(&host.vm_configuration),
        PLUGIN_CONFIGURATION => host
            .readable_configuration
            .as_deref()
            .ok_or(Status::NotFound),
        // Only while the callback of the call runs.
        HTTP_CALL_RESPONSE_BODY => {
            let response = host.root().and_then(|root| root.response.as_ref());
            let response = response.ok_or(Status::NotFound)?;
            Ok(&response.body)
        }
        // Network streams and gRPC have no data here.
        2..=5 => Err(Status::NotFound),
        CALL_DATA => Ok(&[]),
        _ => Err(Status::BadArgument),
    }
}

fn writable(host: &mut Host, buffer: u32) -> Result<&mut Vec<u8>, Status> {
    let stream = host.stream_or(Status::BadArgument)?;
    let half = match buffer {
        HTTP_REQUEST_BODY => &mut stream.request,
        HTTP_RESPONSE_BODY => &mut stream.response,
        _ => return Err(Status::BadArgument),
    };
    half.body_readable
        .then_some(&mut half.body)
        .ok_or(Status::BadArgument)
}
