//! A local reply, and what Envoy makes of it on the wire (`Http::Utility::prepareLocalReply`).

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use crate::headers::Headers;

/// What `proxy_send_local_response` asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    pub status: u32,
    /// Envoy's `%RESPONSE_CODE_DETAILS%`; white space became `_`.
    pub details: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// `None` where the guest passed -1 or a number that gRPC does not know.
    pub grpc_status: Option<u32>,
}

/// A response as it goes on the wire; `:status` is among the headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// `Http::Utility::PercentEncoding::encode`: it also escapes `~`, and every byte that is not ASCII.
const GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%').add(b'~');

impl LocalReply {
    /// The response to a request with these headers.
    pub fn into_response(self, request: &Headers) -> Response {
        let head = request.get(":method") == Some(b"HEAD".as_slice());
        let mut headers = Headers::new();
        headers.add(":status", self.status.to_string().as_bytes());
        for (name, value) in self.headers.iter() {
            headers.add(name, value);
        }
        if is_grpc(request) {
            return self.trailers_only(headers, head);
        }
        if self.body.is_empty() {
            headers.remove("content-length");
            headers.remove("content-type");
        } else {
            headers.set("content-length", self.body.len().to_string().as_bytes());
            if headers.get("content-type").is_none() {
                headers.set("content-type", b"text/plain");
            }
        }
        Response {
            headers,
            body: if head { Vec::new() } else { self.body },
        }
    }

    fn trailers_only(self, mut headers: Headers, head: bool) -> Response {
        headers.set(":status", b"200");
        headers.set("content-type", b"application/grpc");
        if headers.get("grpc-status").is_none_or(<[u8]>::is_empty) {
            let status = self
                .grpc_status
                .unwrap_or_else(|| grpc_status_of(self.status));
            headers.set("grpc-status", status.to_string().as_bytes());
        }
        if !self.body.is_empty() && !head {
            let message = percent_encode(&self.body, GRPC_MESSAGE).to_string();
            headers.set("grpc-message", message.as_bytes());
        }
        headers.remove("content-length");
        Response {
            headers,
            body: Vec::new(),
        }
    }
}

impl Response {
    /// The number in `:status`.
    pub fn status(&self) -> Option<u16> {
        let status = self.headers.get(":status")?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }
}

/// `Grpc::Common::isGrpcRequestHeaders`: `application/grpc` or `application/grpc+...`, so not gRPC-Web.
fn is_grpc(request: &Headers) -> bool {
    request.get(":path").is_some()
        && request
            .get("content-type")
            .and_then(|content_type| content_type.strip_prefix(b"application/grpc"))
            .is_some_and(|rest| rest.first().is_none_or(|next| *next == b'+'))
}

/// `Grpc::Utility::httpToGrpcStatus`.
fn grpc_status_of(http: u32) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}
