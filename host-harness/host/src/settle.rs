//! What follows from a callback: what pauses, what releases, and how a local reply gets out.

use crate::error::{Breach, VmError};
use crate::headers::Headers;
use crate::local_reply::{LocalReply, Response};
use crate::stream::{Actions, Outcome, State};
use crate::stream_calls::{Part, Side};
use crate::vm::{StreamId, Vm};

impl Vm {
    /// What the callback did comes first, then what it answered.
    pub(crate) fn settle(
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
        if other_continues && let Some(outcome) = self.resume(stream, side.other())? {
            self.stream_mut(stream)?.decided = Some(outcome);
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
            let response = Response {
                headers: held.response.headers.clone(),
                body: std::mem::take(&mut held.response.released),
            };
            return Ok(match response.status() {
                Some(200..=599) => Outcome::LocalReply { reply, response },
                _ => Outcome::Broken(Breach::ResponseStatus),
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
        let held = self.stream_mut(stream)?;
        let actions = std::mem::take(&mut held.actions);
        // Envoy has destroyed its filter already.
        if held.over {
            return Ok(actions.breach.map(Outcome::Broken));
        }
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
        held.response.headers = response.headers.clone();
        Ok(Outcome::LocalReply { reply, response })
    }

    /// A piece that outgrows what is held already: the guest is shown all of it, and Envoy answers whatever the guest
    /// does. Where the first piece is as large, the guest's own answer counts ([`hold`](Self::hold)).
    pub(crate) fn overflow(&mut self, stream: StreamId, side: Side) -> Result<Outcome, VmError> {
        self.ask_body(stream, side)?;
        self.settle_others(Some(stream.0))?;
        let actions = std::mem::take(&mut self.stream_mut(stream)?.actions);
        if let Some(breach) = actions.breach {
            self.stream_mut(stream)?.over = true;
            return Ok(Outcome::Broken(breach));
        }
        self.too_large(stream, side)
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
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Request => Self::Response,
            Self::Response => Self::Request,
        }
    }
}
