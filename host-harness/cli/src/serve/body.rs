//! Bodies on their way through: nobody reads them here.

use super::vm::Exchange;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::sync::mpsc::Receiver;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What comes out of the filter of a client's body.
pub type Pumped = Receiver<Result<Frame<Bytes>, BoxError>>;

/// The filter refused the rest of a body, or its client left.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the request's body was cut off")
    }
}

impl std::error::Error for Cut {}

/// The client's body as the filter lets it go.
pub struct Released {
    pub pieces: Pumped,
    /// As its headers say; none where they do not.
    pub length: Option<u64>,
}

impl Body for Released {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.pieces.poll_recv(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The client's body. The filter is not shown trailers here, so none goes on: it would have taken
/// forged identities out of them.
pub struct WithoutTrailers(pub Incoming);

impl Body for WithoutTrailers {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match ready!(Pin::new(&mut self.0).poll_frame(context)) {
            Some(Ok(frame)) if frame.is_trailers() => Poll::Ready(None),
            other => Poll::Ready(other),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// The upstream's body; the filter's stream is over when it is.
pub struct Streamed {
    body: Incoming,
    _exchange: Exchange,
}

impl Streamed {
    pub fn new(body: Incoming, exchange: Exchange) -> Streamed {
        Streamed {
            body,
            _exchange: exchange,
        }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
