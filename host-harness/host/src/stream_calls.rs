//! A stream's callbacks, in the order Envoy makes them.

use crate::error::VmError;
use crate::headers::Headers;
use crate::stream::{Half, Outcome, State, Stream};
use crate::vm::{StreamId, Vm, size};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

#[derive(Clone, Copy)]
pub(crate) enum Part {
    Headers,
    Body,
    Trailers,
}

impl Vm {
    pub fn request_headers(
        &mut self,
        stream: StreamId,
        headers: Headers,
        end_of_stream: bool,
    ) -> Result<Outcome, VmError> {
        self.alive()?;
        let held = self.stream_mut(stream)?;
        held.original = [":method", ":path", "content-type"]
            .into_iter()
            .filter_map(|name| Some((name, headers.get(name)?)))
            .collect();
        self.headers(stream, Side::Request, headers, end_of_stream)
    }

    pub fn request_body(
        &mut self,
        stream: StreamId,
        chunk: &[u8],
        end_of_stream: bool,
    ) -> Result<Outcome, VmError> {
        self.body(stream, Side::Request, chunk, end_of_stream)
    }

    pub fn request_trailers(
        &mut self,
        stream: StreamId,
        trailers: Headers,
    ) -> Result<Outcome, VmError> {
        self.trailers(stream, Side::Request, trailers)
    }

    /// Headers of the upstream's response. Not for a local reply: its callbacks have run when the outcome is there.
    pub fn response_headers(
        &mut self,
        stream: StreamId,
        headers: Headers,
        end_of_stream: bool,
    ) -> Result<Outcome, VmError> {
        self.headers(stream, Side::Response, headers, end_of_stream)
    }

    pub fn response_body(
        &mut self,
        stream: StreamId,
        chunk: &[u8],
        end_of_stream: bool,
    ) -> Result<Outcome, VmError> {
        self.body(stream, Side::Response, chunk, end_of_stream)
    }

    pub fn response_trailers(
        &mut self,
        stream: StreamId,
        trailers: Headers,
    ) -> Result<Outcome, VmError> {
        self.trailers(stream, Side::Response, trailers)
    }

    /// The bytes of the request's body that the filter let go since the last call.
    pub fn take_request_body(&mut self, stream: StreamId) -> Result<Vec<u8>, VmError> {
        Ok(std::mem::take(
            &mut self.stream_mut(stream)?.request.released,
        ))
    }

    pub fn take_response_body(&mut self, stream: StreamId) -> Result<Vec<u8>, VmError> {
        Ok(std::mem::take(
            &mut self.stream_mut(stream)?.response.released,
        ))
    }

    /// `proxy_on_log`, when the exchange is over: header maps are readable again, and read-only. For a response that
    /// the stream did not see (a 503 of the caller's own) there are no response headers.
    pub fn log(&mut self, stream: StreamId) -> Result<(), VmError> {
        self.stream_mut(stream)?.logging = true;
        let log = self.exports.on_log.clone();
        let result = self.invoke(stream.0, "proxy_on_log", log, stream.0);
        self.stream_mut(stream)?.logging = false;
        result.map(|_| ())
    }

    /// `proxy_on_done` and `proxy_on_delete`. The stream is gone afterwards, also where the VM is dead.
    pub fn close(&mut self, stream: StreamId) -> Result<(), VmError> {
        self.stream_mut(stream)?;
        let done = self.exports.on_done.clone();
        let delete = self.exports.on_delete.clone();
        let result = self
            .invoke(stream.0, "proxy_on_done", done, stream.0)
            .and_then(|_| self.invoke(stream.0, "proxy_on_delete", delete, stream.0));
        self.store.data_mut().streams.remove(&stream.0);
        result.map(|_| ())
    }

    pub(crate) fn headers(
        &mut self,
        stream: StreamId,
        side: Side,
        headers: Headers,
        end_of_stream: bool,
    ) -> Result<Outcome, VmError> {
        self.alive()?;
        if self.stream_mut(stream)?.over {
            return Err(VmError::OutOfOrder {
                found: "headers",
                wanted: "nothing: the stream is over",
            });
        }
        let half = self.half(stream, side)?;
        if half.state != State::Idle {
            return Err(VmError::OutOfOrder {
                found: "headers",
                wanted: "body or trailers",
            });
        }
        let count = size(headers.len());
        half.headers = headers;
        half.headers_readable = true;
        half.end_of_stream = end_of_stream;
        half.state = State::HeadersHeld;
        let answer = match side {
            Side::Request => self.invoke(
                stream.0,
                "proxy_on_request_headers",
                self.exports.on_request_headers.clone(),
                (stream.0, count, u32::from(end_of_stream)),
            ),
            Side::Response => self.invoke(
                stream.0,
                "proxy_on_response_headers",
                self.exports.on_response_headers.clone(),
                (stream.0, count, u32::from(end_of_stream)),
            ),
        }?;
        self.settle(stream, side, Part::Headers, answer)
    }

    pub(crate) fn body(
        &mut self,
        stream: StreamId,
        side: Side,
        chunk: &[u8],
        end_of_stream: bool,
    ) -> Result<Outcome, VmError> {
        self.alive()?;
        let limit = self.buffer_limit;
        let half = self.expect_more(stream, side, "body")?;
        let held = half.body.len().saturating_add(chunk.len());
        if half.state == State::StoppedAll {
            if held > limit {
                return Err(VmError::Backpressure { held, limit });
            }
            half.body.extend_from_slice(chunk);
            half.end_of_stream = end_of_stream;
            half.unseen = true;
            return Ok(Outcome::Pause);
        }
        let overflows = half.state == State::BodyHeld && held > limit;
        half.body.extend_from_slice(chunk);
        half.end_of_stream = end_of_stream;
        if overflows {
            return self.overflow(stream, side);
        }
        self.call_body(stream, side)
    }

    pub(crate) fn call_body(&mut self, stream: StreamId, side: Side) -> Result<Outcome, VmError> {
        let answer = self.ask_body(stream, side)?;
        self.settle(stream, side, Part::Body, answer)
    }

    /// The guest is shown what is held, all of it; what it answers is the caller's to carry out.
    pub(crate) fn ask_body(
        &mut self,
        stream: StreamId,
        side: Side,
    ) -> Result<Option<u32>, VmError> {
        let half = self.half(stream, side)?;
        half.body_readable = true;
        let length = size(half.body.len());
        let last = u32::from(half.end_of_stream && half.trailers.is_none());
        match side {
            Side::Request => self.invoke(
                stream.0,
                "proxy_on_request_body",
                self.exports.on_request_body.clone(),
                (stream.0, length, last),
            ),
            Side::Response => self.invoke(
                stream.0,
                "proxy_on_response_body",
                self.exports.on_response_body.clone(),
                (stream.0, length, last),
            ),
        }
    }

    fn trailers(
        &mut self,
        stream: StreamId,
        side: Side,
        trailers: Headers,
    ) -> Result<Outcome, VmError> {
        self.alive()?;
        let half = self.expect_more(stream, side, "trailers")?;
        half.trailers = Some(trailers);
        half.end_of_stream = true;
        if half.state == State::StoppedAll {
            half.unseen = true;
            return Ok(Outcome::Pause);
        }
        self.call_trailers(stream, side)
    }

    pub(crate) fn call_trailers(
        &mut self,
        stream: StreamId,
        side: Side,
    ) -> Result<Outcome, VmError> {
        let half = self.half(stream, side)?;
        half.trailers_readable = true;
        let count = size(half.trailers.as_ref().map_or(0, Headers::len));
        let answer = match side {
            Side::Request => self.invoke(
                stream.0,
                "proxy_on_request_trailers",
                self.exports.on_request_trailers.clone(),
                (stream.0, count),
            ),
            Side::Response => self.invoke(
                stream.0,
                "proxy_on_response_trailers",
                self.exports.on_response_trailers.clone(),
                (stream.0, count),
            ),
        }?;
        self.settle(stream, side, Part::Trailers, answer)
    }

    fn expect_more(
        &mut self,
        stream: StreamId,
        side: Side,
        found: &'static str,
    ) -> Result<&mut Half, VmError> {
        let held = self.stream_mut(stream)?;
        if held.over {
            let wanted = "nothing: the stream is over";
            return Err(VmError::OutOfOrder { found, wanted });
        }
        let half = held.half(side);
        let wanted = match half.state {
            State::Idle => "headers",
            _ if half.end_of_stream => "nothing: the stream ended",
            _ => return Ok(half),
        };
        Err(VmError::OutOfOrder { found, wanted })
    }

    pub(crate) fn stream_mut(&mut self, stream: StreamId) -> Result<&mut Stream, VmError> {
        self.store
            .data_mut()
            .streams
            .get_mut(&stream.0)
            .ok_or(VmError::UnknownStream)
    }

    pub(crate) fn half(&mut self, stream: StreamId, side: Side) -> Result<&mut Half, VmError> {
        Ok(self.stream_mut(stream)?.half(side))
    }
}

impl Stream {
    pub(crate) fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}
