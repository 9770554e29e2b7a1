//! `proxy_http_call`: the call is recorded, and made by whoever drives the VM.

use std::time::Duration;

use crate::abi::{Status, pairs};
use crate::calls::{CallToken, HttpCall};
use crate::headers::Headers;
use crate::memory::{Answer, Guest};
use crate::vm::PluginId;

/// Envoy's `Context::httpCall`, on the root context of whichever context calls.
#[expect(
    clippy::too_many_arguments,
    reason = "the ABI's own parameter list, one name each"
)]
pub(super) fn http_call(
    guest: &mut Guest<'_>,
    upstream: u32,
    upstream_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout: u32,
    token_at: u32,
) -> Answer {
    let cluster = guest.text(upstream, upstream_size)?;
    let body = guest.bytes(body, body_size)?;
    let headers = guest.bytes(headers, headers_size)?;
    let trailers = guest.bytes(trailers, trailers_size)?;
    // Where the call is refused the token is 0.
    guest.write_u32(token_at, 0)?;
    // Envoy takes it as a signed number.
    if i32::try_from(timeout).is_err() || !guest.host().clusters.contains(&cluster) {
        return Err(Status::BadArgument.into());
    }
    let mut headers = sendable(&headers)?;
    if [":path", ":method", ":authority"]
        .iter()
        .any(|name| headers.get(name).is_none())
    {
        return Err(Status::BadArgument.into());
    }
    if !body.is_empty() {
        headers.set("content-length", body.len().to_string().as_bytes());
    }
    let trailers = sendable(&trailers)?;
    let host = guest.host();
    let plugin = host.root_id().ok_or(Status::BadArgument)?;
    let token = host.next_call();
    host.pending.insert(token, plugin);
    host.calls.push(HttpCall {
        token: CallToken(token),
        plugin: PluginId(plugin),
        cluster,
        headers,
        body,
        trailers,
        timeout: (timeout != 0).then(|| Duration::from_millis(u64::from(timeout))),
    });
    Ok(guest.write_u32(token_at, token)?)
}

/// Envoy sends any name and value; here those that would break the message on the wire are refused.
fn sendable(list: &[u8]) -> Result<Headers, Status> {
    let mut headers = Headers::new();
    for (name, value) in pairs::decode(list) {
        let name = String::from_utf8_lossy(name);
        Headers::check(&name, value).map_err(|_| Status::BadArgument)?;
        // Envoy's map of request headers has them as one.
        let name = match name.eq_ignore_ascii_case("host") {
            true => ":authority",
            false => &name,
        };
        headers.add(name, value);
    }
    Ok(headers)
}
