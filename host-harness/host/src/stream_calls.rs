//! A stream's callbacks, in Envoy's order and with Envoy's rules for what pauses and what releases.

use crate::error::VmError;
use crate::headers::Headers;
use crate::local_reply::{LocalReply, Response};
use crate::stream::{Actions, Half, Outcome, State, Stream};
use crate::vm::{StreamId, Vm, size};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

#[derive(Clone, Copy)]
enum Part {
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

    fn headers(
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

    fn body(
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
        if half.state == State::BodyHeld && held > limit {
            return self.too_large(stream, side);
        }
        half.body.extend_from_slice(chunk);
        half.end_of_stream = end_of_stream;
        self.call_body(stream, side)
    }

    fn call_body(&mut self, stream: StreamId, side: Side) -> Result<Outcome, VmError> {
        let half = self.half(stream, side)?;
        half.body_readable = true;
        let length = size(half.body.len());
        let last = u32::from(half.end_of_stream && half.trailers.is_none());
        let answer = match side {
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
        }?;
        self.settle(stream, side, Part::Body, answer)
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

    fn call_trailers(&mut self, stream: StreamId, side: Side) -> Result<Outcome, VmError> {
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

    /// What follows from a callback: from what it did first, from what it answered otherwise.
    fn settle(
        &mut self,
        stream: StreamId,
        side: Side,
        part: Part,
        answer: Option<u32>,
    ) -> Result<Outcome, VmError> {
        self.settle_others(Some(stream.0))?;
        let actions = std::mem::take(&mut self.stream_mut(stream)?.actions);
        let continues = match side {
            Side::Request => actions.continue_request,
            Side::Response => actions.continue_response,
        };
        let other_continues = match side {
            Side::Request => actions.continue_response,
            Side::Response => actions.continue_request,
        };
        if let Some(outcome) = self.carry_out(stream, actions)? {
            return Ok(outcome);
        }
        if other_continues {
            let decided = self.resume(stream, side.other())?;
            self.stream_mut(stream)?.decided = decided;
        }
        // A callback that the guest does not export lets everything pass.
        let answer = if continues { 0 } else { answer.unwrap_or(0) };
        if answer == 0 {
            let half = self.half(stream, side)?;
            match part {
                Part::Headers => half.headers_readable = false,
                Part::Body => half.body_readable = false,
                Part::Trailers => half.trailers_readable = false,
            }
            return self.release(stream, side);
        }
        self.hold(stream, side, part, answer)
    }

    /// `FilterHeadersStatus`, `FilterDataStatus` and `FilterTrailersStatus` of proxy-wasm-cpp-host.
    fn hold(
        &mut self,
        stream: StreamId,
        side: Side,
        part: Part,
        answer: u32,
    ) -> Result<Outcome, VmError> {
        let stop_iteration = self.allows_stop_iteration(stream)?;
        let limit = self.buffer_limit;
        let half = self.half(stream, side)?;
        half.state = match part {
            Part::Headers if answer == 1 && stop_iteration => State::HeadersHeld,
            Part::Headers => State::StoppedAll,
            Part::Trailers => State::TrailersHeld,
            Part::Body => {
                // `StopIterationNoBuffer` drops what it was shown.
                if answer >= 3 {
                    half.body.clear();
                }
                State::BodyHeld
            }
        };
        if half.state == State::BodyHeld && half.body.len() > limit {
            return self.too_large(stream, side);
        }
        Ok(Outcome::Pause)
    }

    /// Everything of one side goes on; for a local reply that means it is complete.
    fn release(&mut self, stream: StreamId, side: Side) -> Result<Outcome, VmError> {
        let half = self.half(stream, side)?;
        half.release();
        let held = self.stream_mut(stream)?;
        if side == Side::Response
            && held.response.end_of_stream
            && let Some(reply) = held.reply.take()
        {
            held.over = true;
            return Ok(Outcome::LocalReply {
                reply,
                response: Response {
                    headers: held.response.headers.clone(),
                    body: std::mem::take(&mut held.response.released),
                },
            });
        }
        Ok(Outcome::Continue)
    }

    /// `proxy_continue_stream` for a side that is held. What came while all iteration was stopped is shown now.
    fn resume(&mut self, stream: StreamId, side: Side) -> Result<Option<Outcome>, VmError> {
        let half = self.half(stream, side)?;
        if matches!(half.state, State::Idle | State::Flowing) {
            return Ok(None);
        }
        half.headers_released = true;
        if !std::mem::take(&mut half.unseen) {
            return self.release(stream, side).map(Some);
        }
        half.state = State::Flowing;
        let has_trailers = half.trailers.is_some();
        if !half.body.is_empty() || !has_trailers {
            let outcome = self.call_body(stream, side)?;
            if !has_trailers || !matches!(outcome, Outcome::Continue | Outcome::Pause) {
                return Ok(Some(outcome));
            }
        }
        self.call_trailers(stream, side).map(Some)
    }

    /// For a stream that was acted on from another context.
    pub(crate) fn settle_outside(&mut self, id: u32) -> Result<Option<Outcome>, VmError> {
        let stream = StreamId(id);
        let actions = std::mem::take(&mut self.stream_mut(stream)?.actions);
        let sides = [
            (actions.continue_request, Side::Request),
            (actions.continue_response, Side::Response),
        ];
        if let Some(outcome) = self.carry_out(stream, actions)? {
            return Ok(Some(outcome));
        }
        let mut outcome = None;
        for (_, side) in sides.into_iter().filter(|(continues, _)| *continues) {
            outcome = self.resume(stream, side)?.or(outcome);
        }
        Ok(outcome)
    }

    fn carry_out(
        &mut self,
        stream: StreamId,
        actions: Actions,
    ) -> Result<Option<Outcome>, VmError> {
        let held = self.stream_mut(stream)?;
        if let Some(breach) = actions.breach {
            held.over = true;
            return Ok(Some(Outcome::Broken(breach)));
        }
        if actions.close {
            held.over = true;
            return Ok(Some(Outcome::Reset));
        }
        match actions.reply {
            Some(reply) => self.reply(stream, reply).map(Some),
            None => Ok(None),
        }
    }

    /// `FilterManager::sendLocalReply`: through the filter's own response callbacks where no response has begun,
    /// directly where its headers are still held, and a reset where they are gone.
    fn reply(&mut self, stream: StreamId, reply: LocalReply) -> Result<Outcome, VmError> {
        let held = self.stream_mut(stream)?;
        held.replied = true;
        let response = reply.clone().into_response(&held.original);
        if held.response.state == State::Idle {
            let end_of_stream = response.body.is_empty();
            held.reply = Some(reply);
            let outcome = self.headers(stream, Side::Response, response.headers, end_of_stream)?;
            if end_of_stream || !matches!(outcome, Outcome::Continue | Outcome::Pause) {
                return Ok(outcome);
            }
            return self.body(stream, Side::Response, &response.body, true);
        }
        held.over = true;
        if held.response.headers_released {
            return Ok(Outcome::Reset);
        }
        Ok(Outcome::LocalReply { reply, response })
    }

    /// Envoy's own answers to a body that outgrows its buffer.
    fn too_large(&mut self, stream: StreamId, side: Side) -> Result<Outcome, VmError> {
        let (status, details, body) = match side {
            Side::Request => (413, "request_payload_too_large", "Payload Too Large"),
            Side::Response => (500, "response_payload_too_large", "Internal Server Error"),
        };
        self.half(stream, side)?.body.clear();
        self.reply(
            stream,
            LocalReply {
                status,
                details: details.to_owned(),
                headers: Headers::new(),
                body: body.as_bytes().to_vec(),
                grpc_status: None,
            },
        )
    }

    fn allows_stop_iteration(&mut self, stream: StreamId) -> Result<bool, VmError> {
        let root = self.stream_mut(stream)?.root;
        let root = self.store.data().roots.get(&root);
        Ok(root.is_some_and(|root| root.plugin.allow_on_headers_stop_iteration))
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

    fn stream_mut(&mut self, stream: StreamId) -> Result<&mut Stream, VmError> {
        self.store
            .data_mut()
            .streams
            .get_mut(&stream.0)
            .ok_or(VmError::UnknownStream)
    }

    fn half(&mut self, stream: StreamId, side: Side) -> Result<&mut Half, VmError> {
        Ok(self.stream_mut(stream)?.half(side))
    }
}

impl Stream {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Request => Self::Response,
            Self::Response => Self::Request,
        }
    }
}
