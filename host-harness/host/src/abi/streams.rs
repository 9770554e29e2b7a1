//! Local replies, and stream control. All of it is recorded and carried out when the callback returns.

use crate::abi::{Status, pairs};
use crate::error::Breach;
use crate::headers::Headers;
use crate::local_reply::LocalReply;
use crate::memory::{Answer, Guest};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const DOWNSTREAM: u32 = 2;
const UPSTREAM: u32 = 3;

/// The largest status that gRPC knows, `Unauthenticated`; the SDKs pass -1 for none.
const MAX_GRPC_STATUS: u32 = 16;

#[expect(
    clippy::too_many_arguments,
    reason = "the ABI's own parameter list, one name each"
)]
pub(super) fn send_local_response(
    guest: &mut Guest<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: u32,
) -> Answer {
    let details = guest.text(details, details_size)?;
    let body = guest.bytes(body, body_size)?;
    let list = guest.bytes(headers, headers_size)?;
    let mut headers = Headers::new();
    let mut breach = None;
    for (name, value) in pairs::decode(&list) {
        let name = String::from_utf8_lossy(name);
        breach = breach.or(Headers::check(&name, value).err());
        headers.add(&name, value);
    }
    // From a root context there is no stream to answer, and Envoy says Ok.
    let Some(stream) = guest.host().stream() else {
        return Ok(());
    };
    if stream.actions.reply.is_some() || stream.replied {
        stream.actions.breach(Breach::SecondLocalReply);
        return Ok(());
    }
    if !(200..=599).contains(&status) {
        stream.actions.breach(Breach::LocalReplyStatus(status));
    }
    if let Some(breach) = breach {
        stream.actions.breach(breach);
    }
    stream.actions.reply = Some(LocalReply {
        status,
        details: details.replace(char::is_whitespace, "_"),
        headers,
        body,
        grpc_status: (grpc_status <= MAX_GRPC_STATUS).then_some(grpc_status),
    });
    Ok(())
}

/// `Context::continueStream`, which makes the request's maps and body unreadable whichever side continues.
pub(super) fn continue_stream(guest: &mut Guest<'_>, kind: u32) -> Answer {
    let host = guest.host();
    match kind {
        REQUEST | RESPONSE => {}
        DOWNSTREAM => return Ok(()),
        UPSTREAM => return Err(Status::Unimplemented.into()),
        _ => return Err(Status::BadArgument.into()),
    }
    if let Some(stream) = host.stream() {
        if kind == REQUEST {
            stream.actions.continue_request = true;
        } else {
            stream.actions.continue_response = true;
        }
        stream.request.headers_readable = false;
        stream.request.body_readable = false;
        stream.request.trailers_readable = false;
    }
    Ok(())
}

pub(super) fn close_stream(guest: &mut Guest<'_>, kind: u32) -> Answer {
    match kind {
        REQUEST | RESPONSE => {
            if let Some(stream) = guest.host().stream() {
                stream.actions.close = true;
            }
            Ok(())
        }
        DOWNSTREAM | UPSTREAM => Ok(()),
        _ => Err(Status::BadArgument.into()),
    }
}
