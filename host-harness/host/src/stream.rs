//! One HTTP exchange: what is held, what may be read, and what the filter decided.

use std::collections::BTreeMap;

use crate::error::Breach;
use crate::headers::Headers;
use crate::local_reply::{LocalReply, Response};
use crate::properties::Properties;

/// What Envoy would do after a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Everything of this direction that was held goes on: headers, body, trailers.
    Continue,
    /// Held until the filter says otherwise.
    Pause,
    /// The filter answered the request itself; `response` is what the client gets, after the filter's own response
    /// callbacks ran on it.
    LocalReply {
        reply: LocalReply,
        response: Response,
    },
    /// The filter closed the stream, or replied after the response was on its way: Envoy resets the stream.
    Reset,
    /// Envoy would let this pass, and break the connection or something worse. Nothing of it may be sent.
    Broken(Breach),
}

/// The host's side of one exchange.
pub struct Stream {
    pub(crate) root: u32,
    pub(crate) request: Half,
    pub(crate) response: Half,
    pub(crate) properties: Properties,
    pub(crate) filter_state: BTreeMap<String, Vec<u8>>,
    pub(crate) actions: Actions,
    /// `proxy_on_log` runs: maps are readable again, and read-only.
    pub(crate) logging: bool,
    /// A local reply, a reset or a breach: no more callbacks but log and close.
    pub(crate) over: bool,
    pub(crate) replied: bool,
    /// Sent, and held by the filter's own response callbacks.
    pub(crate) reply: Option<LocalReply>,
    /// What of the request decides how a local reply is rendered; a filter's edits do not count.
    pub(crate) original: Headers,
    /// Decided outside of the stream's own callbacks, waits for [`Vm::poll`](crate::Vm::poll).
    pub(crate) decided: Option<Outcome>,
}

/// One direction.
#[derive(Default)]
pub(crate) struct Half {
    pub headers: Headers,
    /// What the filter holds.
    pub body: Vec<u8>,
    /// What it let go, for the caller to take.
    pub released: Vec<u8>,
    pub trailers: Option<Headers>,
    pub state: State,
    /// The peer sent all there is.
    pub end_of_stream: bool,
    pub headers_released: bool,
    pub headers_readable: bool,
    pub body_readable: bool,
    pub trailers_readable: bool,
    /// Body and trailers that came while all iteration was stopped: the filter has not seen them yet.
    pub unseen: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    #[default]
    Idle,
    /// Headers went on; so does what follows.
    Flowing,
    /// Paused on headers: no further callbacks until the filter continues (`StopAllIterationAndWatermark`).
    StoppedAll,
    /// Paused on headers, body callbacks arrive (`StopIteration`).
    HeadersHeld,
    /// Paused on the body: it piles up (`StopIterationAndBuffer`).
    BodyHeld,
    /// Paused on trailers.
    TrailersHeld,
}

/// What the guest asked for during one callback; carried out when it returns, as Envoy defers it.
#[derive(Default)]
pub(crate) struct Actions {
    pub reply: Option<LocalReply>,
    pub continue_request: bool,
    pub continue_response: bool,
    pub close: bool,
    pub breach: Option<Breach>,
}

impl Stream {
    pub(crate) fn new(root: u32, properties: Properties) -> Self {
        Self {
            root,
            request: Half::default(),
            response: Half::default(),
            properties,
            filter_state: BTreeMap::new(),
            actions: Actions::default(),
            logging: false,
            over: false,
            replied: false,
            reply: None,
            original: Headers::new(),
            decided: None,
        }
    }

    /// As edited so far.
    pub fn request_headers(&self) -> &Headers {
        &self.request.headers
    }

    /// Whether the request's headers went on to the upstream. They may have where the outcome is [`Outcome::Pause`]: the
    /// filter continued the stream, was shown the body that had waited, and holds that.
    pub fn request_headers_released(&self) -> bool {
        self.request.headers_released
    }

    pub fn response_headers(&self) -> &Headers {
        &self.response.headers
    }

    pub fn request_trailers(&self) -> Option<&Headers> {
        self.request.trailers.as_ref()
    }

    pub fn response_trailers(&self) -> Option<&Headers> {
        self.response.trailers.as_ref()
    }

    /// What `proxy_set_property` wrote; Envoy names it `wasm.<name>`.
    pub fn filter_state(&self, name: &str) -> Option<&[u8]> {
        let name = name.strip_prefix("wasm.")?;
        self.filter_state.get(name).map(Vec::as_slice)
    }
}

impl Actions {
    /// The first one stands: what follows it happens to a stream that is already broken.
    pub fn breach(&mut self, breach: Breach) {
        self.breach.get_or_insert(breach);
    }
}

impl Half {
    /// Everything held goes on.
    pub fn release(&mut self) {
        self.state = State::Flowing;
        self.headers_released = true;
        self.released.append(&mut self.body);
    }
}
