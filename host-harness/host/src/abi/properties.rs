//! `proxy_get_property` and `proxy_set_property`.

use crate::abi::{Status, pairs};
use crate::headers::Headers;
use crate::host::Host;
use crate::memory::{Answer, Guest, MAX_TEXT};
use crate::stream::Stream;

pub(super) fn get(
    guest: &mut Guest<'_>,
    path: u32,
    path_size: u32,
    value_at: u32,
    size_at: u32,
) -> Answer {
    let path = guest.bytes(path, path_size)?;
    let value = lookup(guest.host(), &path)?;
    guest.give(&value, value_at, size_at)
}

/// Filter state `wasm.<path>` of the stream; a root context has none.
pub(super) fn set(
    guest: &mut Guest<'_>,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let path = guest.text(path, path_size)?;
    let value = guest.bytes(value, value_size)?;
    if path.len() > MAX_TEXT {
        return Err(Status::BadArgument.into());
    }
    let stream = guest.host().stream_or(Status::NotFound)?;
    stream.filter_state.insert(path, value);
    Ok(())
}

fn lookup(host: &mut Host, path: &[u8]) -> Result<Vec<u8>, Status> {
    if path.is_empty() {
        return Err(Status::SerializationFailure);
    }
    let path = path.strip_suffix(b"\0").unwrap_or(path);
    let segments: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
    match segments.as_slice() {
        [b"plugin_name"] => {
            let root = host.root().ok_or(Status::NotFound)?;
            Ok(root.plugin.name.clone().into_bytes())
        }
        [b"plugin_root_id"] => {
            let root = host.root().ok_or(Status::NotFound)?;
            Ok(root.plugin.root_id.clone().into_bytes())
        }
        [b"plugin_vm_id"] => Ok(host.vm_id.clone().into_bytes()),
        segments => attribute(host.stream_or(Status::NotFound)?, path, segments),
    }
}

/// Envoy answers what it derives from a header map only while that map is readable.
fn attribute(stream: &Stream, path: &[u8], segments: &[&[u8]]) -> Result<Vec<u8>, Status> {
    let request =
        (stream.logging || stream.request.headers_readable).then_some(&stream.request.headers);
    let response =
        (stream.logging || stream.response.headers_readable).then_some(&stream.response.headers);
    match segments {
        [b"request", b"size"] => {
            let declared = request.and_then(|headers| headers.get("content-length"));
            if let Some(size) = declared.and_then(parse_int) {
                return Ok(size.to_le_bytes().to_vec());
            }
        }
        [b"request", b"headers", name @ ..] => return header(request, name),
        [b"response", b"headers", name @ ..] => return header(response, name),
        [b"request", name] => {
            if let Some(derive) = derived(name) {
                return request.and_then(derive).ok_or(Status::NotFound);
            }
        }
        [b"filter_state", name] => {
            let found = std::str::from_utf8(name)
                .ok()
                .and_then(|name| stream.filter_state(name));
            if let Some(value) = found {
                return Ok(value.to_vec());
            }
        }
        [name] => {
            let found = std::str::from_utf8(name)
                .ok()
                .and_then(|name| stream.filter_state.get(name));
            if let Some(value) = found {
                return Ok(value.clone());
            }
        }
        _ => {}
    }
    match stream.properties.get(path) {
        Some(value) => Ok(value.to_vec()),
        // A wrapper whose keys CEL cannot list.
        None if stream.properties.has_below(path) => Err(Status::SerializationFailure),
        None if segments == [b"request".as_slice()] => Err(Status::SerializationFailure),
        None => unset(segments).ok_or(Status::NotFound),
    }
}

/// Attributes that Envoy answers also where there is nothing to tell.
fn unset(segments: &[&[u8]]) -> Option<Vec<u8>> {
    match segments {
        [b"request", b"size"] => Some(0_i64.to_le_bytes().to_vec()),
        [b"connection", b"mtls"] => Some(vec![0]),
        [b"connection", b"requested_server_name"] => Some(Vec::new()),
        _ => None,
    }
}

/// One header's values joined with commas, or all of them as a list of pairs.
fn header(headers: Option<&Headers>, name: &[&[u8]]) -> Result<Vec<u8>, Status> {
    let headers = headers.ok_or(Status::NotFound)?;
    match name {
        [] => {
            let pairs: Vec<_> = headers.iter().collect();
            Ok(pairs::encode(
                pairs.iter().map(|(name, value)| (name.as_bytes(), *value)),
            ))
        }
        [name] => std::str::from_utf8(name)
            .ok()
            .and_then(|name| headers.joined(name))
            .ok_or(Status::NotFound),
        _ => Err(Status::NotFound),
    }
}

type Derive = fn(&Headers) -> Option<Vec<u8>>;

/// `RequestWrapper` of Envoy's CEL attributes.
fn derived(name: &[u8]) -> Option<Derive> {
    Some(match name {
        b"path" => |headers| headers.get(":path").map(<[u8]>::to_vec),
        b"url_path" => |headers| Some(split_path(headers.get(":path")?).0.to_vec()),
        b"query" => |headers| Some(split_path(headers.get(":path")?).1.to_vec()),
        b"host" => |headers| headers.get(":authority").map(<[u8]>::to_vec),
        b"scheme" => |headers| headers.get(":scheme").map(<[u8]>::to_vec),
        b"method" => |headers| headers.get(":method").map(<[u8]>::to_vec),
        b"referer" => |headers| headers.get("referer").map(<[u8]>::to_vec),
        b"useragent" => |headers| headers.get("user-agent").map(<[u8]>::to_vec),
        b"id" => |headers| headers.get("x-request-id").map(<[u8]>::to_vec),
        _ => return None,
    })
}

/// The path before `?`, and what follows up to a `#`.
fn split_path(path: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = path.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let query = parts.next().unwrap_or_default();
    let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
    (path, query)
}

fn parse_int(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
