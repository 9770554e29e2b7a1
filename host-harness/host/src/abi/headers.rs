//! Header and trailer maps.

use crate::abi::{Status, pairs};
use crate::headers::Headers;
use crate::host::Host;
use crate::memory::{Answer, Guest};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Map {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
    /// Of gRPC calls, which are not built: as Envoy has them while none is answered.
    GrpcCall,
    HttpCallHeaders,
    HttpCallTrailers,
}

impl Map {
    fn from_abi(map: u32) -> Result<Self, Status> {
        Ok(match map {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            4..=5 => Self::GrpcCall,
            6 => Self::HttpCallHeaders,
            7 => Self::HttpCallTrailers,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// A map that cannot be read now is an empty list, and Ok: Envoy does not tell.
pub(super) fn get_pairs(guest: &mut Guest<'_>, map: u32, pairs_at: u32, size_at: u32) -> Answer {
    let map = Map::from_abi(map)?;
    let bytes = readable(guest.host(), map).map_or_else(Vec::new, |headers| {
        let pairs: Vec<_> = headers.iter().collect();
        pairs::encode(pairs.iter().map(|(name, value)| (name.as_bytes(), *value)))
    });
    guest.give(&bytes, pairs_at, size_at)
}

/// What does not decode is an empty list, which wipes the map: Envoy does not tell either.
pub(super) fn set_pairs(guest: &mut Guest<'_>, map: u32, list: u32, size: u32) -> Answer {
    let map = Map::from_abi(map)?;
    let bytes = guest.bytes(list, size)?;
    let host = guest.host();
    let headers = writable(host, map)?;
    *headers = Headers::new();
    for (name, value) in pairs::decode(&bytes) {
        write(host, map, name, value, Headers::add)?;
    }
    Ok(())
}

/// Envoy answers from the writable map, so also in the log phase not at all.
pub(super) fn get_size(guest: &mut Guest<'_>, map: u32, size_at: u32) -> Answer {
    let map = Map::from_abi(map)?;
    let size = writable(guest.host(), map)?.byte_size();
    Ok(guest.write_u32(size_at, u32::try_from(size).unwrap_or(u32::MAX))?)
}

/// The first value only: a check that reads it alone can be fooled by a second one.
pub(super) fn get_value(
    guest: &mut Guest<'_>,
    map: u32,
    name: u32,
    name_size: u32,
    value_at: u32,
    size_at: u32,
) -> Answer {
    let map = Map::from_abi(map)?;
    let name = guest.text(name, name_size)?;
    let host = guest.host();
    let logging = host.stream().is_some_and(|stream| stream.logging);
    let value = match readable(host, map) {
        Some(headers) => headers.get(&name).ok_or(Status::NotFound)?.to_vec(),
        None if logging => return Err(Status::NotFound.into()),
        None => return Err(Status::BadArgument.into()),
    };
    guest.give(&value, value_at, size_at)
}

pub(super) fn add_value(
    guest: &mut Guest<'_>,
    map: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let map = Map::from_abi(map)?;
    let name = guest.bytes(name, name_size)?;
    let value = guest.bytes(value, value_size)?;
    Ok(write(guest.host(), map, &name, &value, Headers::add)?)
}

pub(super) fn replace_value(
    guest: &mut Guest<'_>,
    map: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let map = Map::from_abi(map)?;
    let name = guest.bytes(name, name_size)?;
    let value = guest.bytes(value, value_size)?;
    Ok(write(guest.host(), map, &name, &value, Headers::set)?)
}

pub(super) fn remove_value(guest: &mut Guest<'_>, map: u32, name: u32, name_size: u32) -> Answer {
    let map = Map::from_abi(map)?;
    let name = guest.text(name, name_size)?;
    writable(guest.host(), map)?.remove(&name);
    Ok(())
}

/// Envoy's `getConstMap`. The answer of an HTTP call is there only while its callback runs.
fn readable(host: &mut Host, map: Map) -> Option<&Headers> {
    match map {
        Map::HttpCallHeaders => return Some(&host.root()?.response.as_ref()?.headers),
        Map::HttpCallTrailers => return host.root()?.response.as_ref()?.trailers.as_ref(),
        _ => {}
    }
    let stream = host.stream()?;
    let logging = stream.logging;
    match map {
        Map::RequestHeaders => {
            (logging || stream.request.headers_readable).then_some(&stream.request.headers)
        }
        Map::RequestTrailers if logging => None,
        Map::RequestTrailers => trailers(&stream.request),
        Map::ResponseHeaders => {
            (logging || stream.response.headers_readable).then_some(&stream.response.headers)
        }
        Map::ResponseTrailers if logging => stream.response.trailers.as_ref(),
        Map::ResponseTrailers => trailers(&stream.response),
        Map::GrpcCall | Map::HttpCallHeaders | Map::HttpCallTrailers => None,
    }
}

fn trailers(half: &crate::stream::Half) -> Option<&Headers> {
    half.trailers.as_ref().filter(|_| half.trailers_readable)
}

/// Envoy's `getMap`: asking for trailers in the last body callback adds them.
fn writable(host: &mut Host, map: Map) -> Result<&mut Headers, Status> {
    let stream = host.stream_or(Status::BadArgument)?;
    let half = match map {
        Map::RequestHeaders | Map::RequestTrailers => &mut stream.request,
        Map::ResponseHeaders | Map::ResponseTrailers => &mut stream.response,
        Map::GrpcCall | Map::HttpCallHeaders | Map::HttpCallTrailers => {
            return Err(Status::BadArgument);
        }
    };
    if matches!(map, Map::RequestHeaders | Map::ResponseHeaders) {
        return half
            .headers_readable
            .then_some(&mut half.headers)
            .ok_or(Status::BadArgument);
    }
    if half.trailers.is_none() && half.body_readable && half.end_of_stream {
        half.trailers = Some(Headers::new());
        half.trailers_readable = true;
    }
    half.trailers
        .as_mut()
        .filter(|_| half.trailers_readable)
        .ok_or(Status::BadArgument)
}

/// Envoy takes any name and value; what would break the message on the wire is recorded as a breach.
fn write(
    host: &mut Host,
    map: Map,
    name: &[u8],
    value: &[u8],
    change: fn(&mut Headers, &str, &[u8]),
) -> Result<(), Status> {
    let name = String::from_utf8_lossy(name);
    change(writable(host, map)?, &name, value);
    if let Err(breach) = Headers::check(&name, value)
        && let Some(stream) = host.stream()
    {
        stream.actions.breach(breach);
    }
    Ok(())
}
