//! The client: a request of some shape over HTTP/1.1 or HTTP/2, whose answer can be waited for, or which
//! can be reset meanwhile.

use hyper::{
    HeaderMap, Request,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::{http1, http2},
    header::HeaderValue,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{net::TcpStream, task::JoinHandle};

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No body.
    Bare,
    /// A body with its length: `content-length`.
    Sized,
    /// A body without: in chunks over HTTP/1.1.
    Streamed,
    /// The same, without a byte in it.
    Empty,
    /// A body and trailers.
    Trailers,
}

/// A request under way. Dropping it does not end it: [`reset`](Sent::reset) does.
pub struct Sent {
    answer: JoinHandle<hyper::Result<u16>>,
}

impl Sent {
    pub fn is_answered(&self) -> bool {
        self.answer.is_finished()
    }

    pub async fn status(self) -> Result<u16, String> {
        let answer = self.answer.await.map_err(|error| error.to_string())?;
        answer.map_err(|error| error.to_string())
    }

    /// Goes away: over HTTP/1.1 the connection ends, over HTTP/2 the stream is reset.
    pub async fn reset(self) {
        self.answer.abort();
        let _ = self.answer.await;
    }
}

/// Sends the whole request.
pub async fn send(
    to: SocketAddr,
    protocol: Protocol,
    shape: Shape,
    path: &str,
    headers: &[(&str, &str)],
) -> Sent {
    let uri = match protocol {
        Protocol::Http1 => path.to_owned(),
        Protocol::Http2 => format!("http://gate.test{path}"),
    };
    let method = if shape == Shape::Bare { "GET" } else { "POST" };
    let mut request = Request::builder().method(method).uri(uri);
    if protocol == Protocol::Http1 {
        request = request.header("host", "gate.test");
    }
    if shape == Shape::Trailers {
        // RFC 9110 section 6.6.2; hyper sends no others over HTTP/1.1.
        request = request.header("trailer", TRAILERS.map(|(name, _)| name).join(", "));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Parts::new(shape)).unwrap();
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let status = |response: hyper::Response<Incoming>| response.status().as_u16();
    let answer = match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            tokio::spawn(async move { sender.send_request(request).await.map(status) })
        }
        Protocol::Http2 => {
            let handshake = http2::handshake(TokioExecutor::new(), io);
            let (mut sender, connection) = handshake.await.unwrap();
            tokio::spawn(connection);
            tokio::spawn(async move { sender.send_request(request).await.map(status) })
        }
    };
    Sent { answer }
}

/// More than one frame of HTTP/2, and less than what Envoy holds.
pub fn body() -> Vec<u8> {
    (0..100_000_u32).map(|index| (index % 251) as u8).collect()
}

/// The first is for the upstream; the others are no client's to say.
pub const TRAILERS: [(&str, &str); 4] = [
    ("x-checksum", "abc"),
    ("x-user", "mallory"),
    ("x-internal", "yes"),
    ("authorization", "Bearer x"),
];

struct Parts {
    frames: VecDeque<Frame<Bytes>>,
    length: Option<u64>,
}

impl Parts {
    fn new(shape: Shape) -> Parts {
        let body = body();
        let half = body.len() / 2;
        let data = |bytes: &[u8]| Frame::data(Bytes::copy_from_slice(bytes));
        let halves = [data(&body[..half]), data(&body[half..])];
        let trailers = || {
            let pairs = TRAILERS
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            Frame::trailers(HeaderMap::from_iter(pairs))
        };
        let (frames, length) = match shape {
            Shape::Bare => (VecDeque::new(), Some(0)),
            Shape::Sized => (VecDeque::from(halves), Some(body.len() as u64)),
            Shape::Streamed => (VecDeque::from(halves), None),
            Shape::Empty => (VecDeque::new(), None),
            Shape::Trailers => (halves.into_iter().chain([trailers()]).collect(), None),
        };
        Parts { frames, length }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().frames.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
