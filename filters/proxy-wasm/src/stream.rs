//! The callbacks of one request. Its headers are read once, decided on, and changed as the decision
//! says; until then, and after a refusal, nothing of it moves on.

use crate::{
    exchange::{Exchange, apply},
    host,
    root::Accepted,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::{Action, LogLevel, MapType},
};
use std::rc::Rc;

pub struct Stream {
    id: u32,
    accepted: Option<Rc<Accepted>>,
    exchange: Rc<Exchange>,
    /// What the client got, where somebody wants to know.
    status: Option<u16>,
}

impl Stream {
    pub fn new(id: u32, accepted: Option<Rc<Accepted>>) -> Stream {
        Stream {
            id,
            exchange: Rc::new(Exchange::new(accepted.clone())),
            accepted,
            status: None,
        }
    }
}

impl Stream {
    /// What the host does now. One that time may decide is brought back in time, whichever callback
    /// it waits since: what was known at its headers may have to be asked for anew at its body's end.
    fn action(&self) -> Action {
        if self.exchange.is_held()
            && let Some(accepted) = &self.accepted
        {
            accepted.fetching.hold(self.id, &self.exchange);
            accepted.fetching.hurry(&accepted.live);
        }
        self.exchange.count();
        self.exchange.action()
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.exchange.begin(end_of_stream);
        self.action()
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.exchange.take_body(size, end_of_stream);
        self.action()
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.exchange.clean_trailers() {
            Ok(()) => {
                self.exchange.end_body();
                self.action()
            }
            // They stay here, and the stream ends by its timeout.
            Err(host::Refused) => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if self.exchange.looks_back() {
            self.status = host::response_status();
        }
        if apply(MapType::HttpResponseHeaders, &self.exchange.response()).is_err() {
            host::log(
                LogLevel::Error,
                "portcullis: the host refused a change of response headers",
            );
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        self.exchange.end(self.status);
    }
}
