//! One request. Its headers are read once, decided on, and changed as the decision says; until
//! then, and after a refusal, nothing of it moves on.

use crate::{attributes::Known, host, root::Accepted};
use portcullis_engine::{
    Decision, Effect, HeaderEdit, Moment, Record, Request, host_failure, words,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::{Action, LogLevel, MapType},
};
use std::rc::Rc;

pub struct Stream {
    accepted: Option<Rc<Accepted>>,
    state: State,
}

/// A body or trailers callback that answers Continue releases headers that are held, so each of
/// them asks this.
enum State {
    Undecided,
    Refused,
    Allowed { response: Vec<HeaderEdit> },
}

impl Stream {
    pub fn new(accepted: Option<Rc<Accepted>>) -> Stream {
        Stream {
            accepted,
            state: State::Undecided,
        }
    }

    fn action(&self) -> Action {
        match self.state {
            State::Allowed { .. } => Action::Continue,
            State::Undecided | State::Refused => Action::Pause,
        }
    }

    fn decide(&self) -> Decision {
        let decision_id = decision_id();
        let now_ns = host::now_ns();
        let fail = |detail| host_failure(decision_id.as_deref().unwrap_or("none"), detail);
        let Some(Accepted { gate, .. }) = self.accepted.as_deref() else {
            return fail("no configuration was accepted");
        };
        let (Some(now_ns), Some(decision_id)) = (now_ns, &decision_id) else {
            return fail("the host gave no time or no randomness");
        };
        let moment = Moment {
            now_ns,
            decision_id,
        };
        // Envoy answers Ok with nothing where it should fail, and every request has headers.
        let pairs = match host::header_pairs(MapType::HttpRequestHeaders) {
            Some(pairs) if !pairs.is_empty() => pairs,
            _ => return fail("the host gave no headers"),
        };
        let mut headers: Vec<(&str, &[u8])> = Vec::with_capacity(pairs.len());
        for (name, value) in &pairs {
            match std::str::from_utf8(name) {
                Ok(name) => headers.push((name, value)),
                Err(_) => return fail("the host gave a header name that is not UTF-8"),
            }
        }
        let known = Known::read(gate.reads_peer());
        let request = Request {
            headers: &headers,
            attributes: known.attributes(),
        };
        gate.decide(&request, &moment)
    }

    fn clean_trailers(&self) -> Result<(), host::Refused> {
        let Some(Accepted { gate, .. }) = self.accepted.as_deref() else {
            return Err(host::Refused);
        };
        let map = MapType::HttpRequestTrailers;
        let pairs = host::header_pairs(map).ok_or(host::Refused)?;
        let names: Result<Vec<&str>, _> = pairs
            .iter()
            .map(|(name, _)| std::str::from_utf8(name))
            .collect();
        apply(map, &gate.trailers(names.map_err(|_| host::Refused)?))
    }

    fn enforce(&mut self, decision: Decision) {
        record(&decision.record);
        self.tell_difference(&decision.record);
        if let Some(accepted) = &self.accepted {
            accepted.api_key_uses.count(&decision.record);
        }
        match decision.effect {
            Effect::Deny(deny) => {
                self.state = State::Refused;
                host::send_local_response(&deny, &details(&decision.record));
            }
            Effect::Allow(allow) => match apply(MapType::HttpRequestHeaders, &allow.request) {
                Ok(()) => {
                    self.state = State::Allowed {
                        response: allow.response,
                    }
                }
                Err(host::Refused) => self.enforce(host_failure(
                    &decision.record.decision_id,
                    "the host refused a change of headers",
                )),
            },
        }
    }

    /// Of the evaluators, where they were both asked: the names and kinds of it, never the input.
    fn tell_difference(&self, record: &Record) {
        let Some(difference) = &record.self_check else {
            return;
        };
        let rule = record.rule.as_deref().unwrap_or_default();
        host::log(
            LogLevel::Warn,
            &format!(
                "portcullis: self check: on `{rule}` {difference}; the stricter holds, and this worker \
                 now leaves the rule to the interpreter (decision {})",
                record.decision_id
            ),
        );
        let counter = self.accepted.as_ref().and_then(|it| it.differences);
        if let Some(counter) = counter
            && counter.increment().is_err()
        {
            host::log(LogLevel::Error, "portcullis: the host did not count");
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let decision = self.decide();
        self.enforce(decision);
        self.action()
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.clean_trailers() {
            Ok(()) => self.action(),
            // They stay here, and the stream ends by its timeout.
            Err(host::Refused) => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if let State::Allowed { response } = &self.state
            && apply(MapType::HttpResponseHeaders, response).is_err()
        {
            host::log(
                LogLevel::Error,
                "portcullis: the host refused a change of response headers",
            );
        }
        Action::Continue
    }
}

fn apply(map: MapType, edits: &[HeaderEdit]) -> Result<(), host::Refused> {
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => host::remove_header(map, name)?,
            HeaderEdit::Set(name, value) => host::replace_header(map, name, value)?,
            HeaderEdit::Append(name, value) => host::add_header(map, name, value)?,
        }
    }
    Ok(())
}

/// Puts the record where access logs find it, and a failure of ours into the proxy's log.
fn record(record: &Record) {
    let text = record.to_json().to_string();
    if host::set_property(words::FILTER_STATE, text.as_bytes()).is_err() {
        host::log(LogLevel::Error, "portcullis: the host took no filter state");
    }
    if record.reason.status() == 503 {
        host::log(LogLevel::Warn, &format!("portcullis: {text}"));
    }
}

/// What `%RESPONSE_CODE_DETAILS%` shows.
fn details(record: &Record) -> String {
    format!("portcullis{{{}}}", record.reason)
}

/// A random UUID (RFC 9562 section 5.4).
fn decision_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string(),
    )
}
