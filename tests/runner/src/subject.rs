//! What every subject is given and what it must answer, whether it is a function call or a proxy.

use crate::{
    certificates::Facts,
    error::Error,
    prepare::Prepared,
    scenario::{Events, Fetches},
};
use portcullis_host::Headers;
use rustls::ClientConfig;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// One way to run the gate.
pub trait Subject {
    /// Runs every scenario; the answers are in the same order. An error ends the whole run.
    fn run(&mut self, scenarios: &[&Prepared<'_>]) -> Result<Vec<Ran>, Error>;
}

/// What one subject made of one scenario.
pub enum Ran {
    /// The configuration was refused; the message says why.
    Refused(String),
    /// Left out, and why.
    NotRun(String),
    /// An answer to each case, in order, or why there is none.
    Cases(Vec<Result<Observation, String>>),
}

/// A request as the client puts it on the wire.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    pub path: String,
    /// `Host` first.
    pub lines: Vec<(String, Vec<u8>)>,
    /// What a filter is shown beside what Envoy makes of the lines.
    pub shown: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub framing: Framing,
    /// The route and virtual host that Envoy will have chosen.
    pub route: String,
    pub virtual_host: String,
    /// What the route's metadata says under `portcullis`.
    pub route_metadata: Vec<(String, String)>,
    /// Of an mTLS listener.
    pub tls: Option<Tls>,
}

/// How a body is sent.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    /// In chunks, not with a length.
    pub chunked: bool,
    /// Sizes of what is sent one after the other; the rest comes last.
    pub pieces: Vec<usize>,
    /// Before each of them.
    pub pause: Duration,
    /// After chunks.
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// The client's side of TLS. Clones share their sessions.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    /// What Envoy tells of the certificate, where one is shown.
    pub(crate) certificate: Option<Facts>,
    /// Whether the session must be an earlier one, resumed.
    pub(crate) resumed: bool,
}

impl Tls {
    pub(crate) fn new(config: ClientConfig, certificate: Option<Facts>) -> Tls {
        Tls {
            config: Arc::new(config),
            certificate,
            resumed: false,
        }
    }
}

/// What was seen of one request from outside.
#[derive(Clone, Debug)]
pub struct Observation {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// The decision as it stands in the filter state; absent where no decision was recorded.
    pub record: Option<Value>,
    /// Envoy's `%RESPONSE_CODE_DETAILS%`.
    pub details: Option<String>,
    pub upstream: Option<Received>,
    /// What the scenario's servers were asked so far, where the case expects something of it.
    pub fetches: Fetches,
    /// The events of decisions that they took since the case before, where it expects something of them.
    pub events: Events,
}

/// What the upstream got.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Exchange {
    /// A request without a body.
    pub fn bare(method: &str, path: &str, host: &str) -> Exchange {
        Exchange {
            method: method.into(),
            path: path.into(),
            lines: vec![("host".to_owned(), host.into())],
            shown: Vec::new(),
            body: Vec::new(),
            framing: Framing::default(),
            route: String::new(),
            virtual_host: String::new(),
            route_metadata: Vec::new(),
            tls: None,
        }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// What Envoy tells of the certificate that the client shows.
    pub(crate) fn certificate(&self) -> Option<&Facts> {
        self.tls.as_ref()?.certificate.as_ref()
    }

    /// The request's bytes over HTTP/1.1.
    pub fn to_wire(&self) -> Vec<u8> {
        self.writes().concat()
    }

    /// The same, as it is written one after the other.
    pub(crate) fn writes(&self) -> Vec<Vec<u8>> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        put_lines(&mut head, &self.lines);
        let mut writes = vec![head];
        for piece in self.pieces() {
            let mut bytes = piece.to_vec();
            if self.framing.chunked && !piece.is_empty() {
                bytes.splice(..0, format!("{:x}\r\n", piece.len()).into_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            writes.push(bytes);
        }
        if self.framing.chunked {
            let mut last = b"0\r\n".to_vec();
            put_lines(&mut last, &self.framing.trailers);
            writes.push(last);
        }
        if self.framing.pieces.is_empty() {
            return vec![writes.concat()];
        }
        writes
    }

    /// The body as it is sent.
    pub(crate) fn pieces(&self) -> Vec<&[u8]> {
        let mut rest = &*self.body;
        let mut pieces = Vec::new();
        for size in &self.framing.pieces {
            let (piece, after) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
            pieces.push(piece);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(rest);
        }
        pieces
    }

    /// It says so itself that no body follows.
    pub(crate) fn ends_at_its_headers(&self) -> bool {
        let length = |(name, value): &(String, Vec<u8>)| name == "content-length" && value != b"0";
        !self.framing.chunked && self.body.is_empty() && !self.lines.iter().any(length)
    }

    /// What a filter sees of it.
    pub fn filter_headers(&self) -> Result<Headers, String> {
        let (authority, path) = self.target();
        let mut pseudo = vec![
            (":method", &*self.method),
            (":path", path),
            (":scheme", self.scheme()),
        ];
        pseudo.extend(authority.map(|authority| (":authority", authority)));
        let lines = self.lines.iter().map(|(name, value)| (name, value));
        let mut headers = Headers::from_wire(&pseudo, lines).map_err(|error| error.to_string())?;
        for (name, value) in &self.shown {
            headers.add(name, value);
        }
        Ok(headers)
    }

    /// A target in absolute form names the host, whatever `Host` says (RFC 9112 section 3.2.2).
    fn target(&self) -> (Option<&str>, &str) {
        let Some(rest) = self.path.strip_prefix("http://") else {
            return (None, &self.path);
        };
        match rest
            .find(['/', '?'])
            .and_then(|at| rest.split_at_checked(at))
        {
            Some((authority, path)) => (Some(authority), path),
            None => (Some(rest), "/"),
        }
    }
}

/// Header or trailer lines and the empty one after them.
fn put_lines(bytes: &mut Vec<u8>, lines: &[(String, Vec<u8>)]) {
    for (name, value) in lines {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
}

impl Received {
    /// From the headers a filter left behind.
    pub fn from_filter(mut headers: Headers, body: &[u8]) -> Received {
        let mut take = |name: &str| {
            let value = headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value).into_owned());
            headers.remove(name);
            value.unwrap_or_default()
        };
        let (method, path, host) = (take(":method"), take(":path"), take(":authority"));
        headers.remove(":scheme");
        let mut sent = Headers::new();
        sent.add("host", host.as_bytes());
        for (name, value) in headers.iter() {
            sent.add(name, value);
        }
        Received {
            method,
            path,
            headers: sent,
            body: body.to_vec(),
        }
    }
}

/// What the upstream answers, everywhere the same.
pub const UPSTREAM_BODY: &str = "from the upstream";
pub const UPSTREAM_HEADERS: &[(&str, &str)] =
    &[("content-type", "text/plain"), ("x-upstream", "yes")];

/// The upstream's answer as a filter sees it.
pub fn upstream_response() -> Headers {
    let mut headers = Headers::new();
    headers.add(":status", b"200");
    for (name, value) in UPSTREAM_HEADERS {
        headers.add(name, value.as_bytes());
    }
    headers.add("content-length", UPSTREAM_BODY.len().to_string().as_bytes());
    headers
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
