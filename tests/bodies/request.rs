//! A request with a body of some shape, whatever the protocol, and what comes back.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_crypto::sha256;

/// How a body is sent. Where it matters, each protocol has its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length,
    /// In chunks, or in HTTP/2 without a length.
    Chunked,
    /// The same, and trailers after it.
    Trailers,
    /// The same, slowly in many pieces.
    Drip,
    /// With a length, slowly in many pieces.
    DripSized,
    Expect,
    /// HTTP/2: empty DATA frames between the others and at the end.
    EmptyFrames,
    /// Half of what its length says; then the client goes away.
    EndsEarly,
    /// Half of it, without a length.
    EndsEarlyUnsized,
    /// A length that is one byte short.
    TooShort,
    /// A length of one byte more than comes; over HTTP/1.1 the client then goes away.
    TooLong,
    /// The same over HTTP/2, where a body has an end of its own.
    EndsShort,
    /// Not a body: a WebSocket.
    WebSocket,
    /// The same, with a length.
    WebSocketSized,
    /// Not a body: CONNECT.
    Tunnel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Well,
    WithTrailers,
    Early,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    Right,
    /// Of a body that differs in its last byte.
    Wrong,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub framing: Framing,
    pub digest: Digest,
    pub body: Vec<u8>,
    /// Whether the policy is to look for what stands in it.
    pub is_parsed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With the gate's reason, if the gate was asked.
    Status(u16, Option<String>),
    /// The connection or the stream ended without one.
    Ended,
    /// None came.
    None,
}

impl Framing {
    pub fn is_slow(self) -> bool {
        matches!(self, Framing::Drip | Framing::DripSized)
    }

    pub fn is_odd(self) -> bool {
        self.ends() == Ends::Early || matches!(self, Framing::TooShort | Framing::EndsShort)
    }

    pub fn ends(self) -> Ends {
        match self {
            Framing::Trailers => Ends::WithTrailers,
            Framing::EndsEarly | Framing::EndsEarlyUnsized | Framing::TooLong => Ends::Early,
            _ => Ends::Well,
        }
    }
}

impl Request {
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let digest = match self.digest {
            Digest::None => None,
            Digest::Right => Some(sha256(&self.body)),
            Digest::Wrong => {
                let mut other = self.body.clone();
                match other.last_mut() {
                    Some(last) => *last ^= 1,
                    None => other.push(0),
                }
                Some(sha256(&other))
            }
        };
        if let Some(digest) = digest {
            let value = format!("sha-256=:{}:", BASE64_STANDARD.encode(digest));
            headers.push(("content-digest", value));
        }
        if self.is_parsed {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("x-parsed", "yes".to_owned()));
        }
        if self.framing == Framing::Expect {
            headers.push(("expect", "100-continue".to_owned()));
        }
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        headers.into_iter().map(owned).collect()
    }

    /// What the request asks for; a tunnel for an authority.
    pub fn target(&self) -> String {
        match self.framing {
            Framing::Tunnel => "gate.test:443".to_owned(),
            _ => self.path.clone(),
        }
    }

    pub fn is_tunnel(&self) -> bool {
        self.is_websocket() || self.framing == Framing::Tunnel
    }

    pub fn is_websocket(&self) -> bool {
        matches!(self.framing, Framing::WebSocket | Framing::WebSocketSized)
    }

    /// What makes it a tunnel over HTTP/1.1 (RFC 6455 section 4.1).
    pub fn upgrade(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        if self.is_websocket() {
            lines.extend([("connection", "upgrade"), ("upgrade", "websocket")]);
            lines.push(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="));
            lines.push(("sec-websocket-version", "13"));
        }
        if self.framing == Framing::WebSocketSized {
            lines.push(("content-length", "3"));
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        lines.into_iter().map(owned).collect()
    }

    pub fn tells_length(&self) -> bool {
        matches!(
            self.framing,
            Framing::Length
                | Framing::DripSized
                | Framing::Expect
                | Framing::EmptyFrames
                | Framing::EndsEarly
                | Framing::TooShort
                | Framing::TooLong
                | Framing::EndsShort
        )
    }

    /// What `content-length` says.
    pub fn told_length(&self) -> usize {
        match self.framing {
            Framing::TooShort => self.body.len().saturating_sub(1),
            Framing::TooLong | Framing::EndsShort => self.body.len() + 1,
            _ => self.body.len(),
        }
    }

    /// What is sent one after the other.
    pub fn pieces(&self) -> Vec<&[u8]> {
        let sent = match self.framing {
            Framing::EndsEarly | Framing::EndsEarlyUnsized => &self.body[..self.body.len() / 2],
            _ => &self.body,
        };
        let pieces = match self.framing.is_slow() {
            true => 8,
            false => 2,
        };
        sent.chunks(sent.len().div_ceil(pieces).max(1)).collect()
    }
}
