//! One request, from its headers to its decision. It may have to wait for something that is fetched;
//! then the root context brings it back.

use crate::{attributes::Known, host, pairs::Pairs, root::Accepted};
use portcullis_engine::{
    Decision, Effect, HeaderEdit, Moment, Record, Request, Step, Waiting, host_failure, words,
};
use proxy_wasm::types::{Action, LogLevel, MapType};
use std::{cell::RefCell, rc::Rc};

pub struct Exchange {
    accepted: Option<Rc<Accepted>>,
    state: RefCell<State>,
}

/// A body or trailers callback that answers Continue releases headers that are held, so each of
/// them asks this.
enum State {
    Undecided,
    Waiting(Box<Asked>, Waiting),
    Refused,
    Allowed { response: Vec<HeaderEdit> },
}

/// What the gate is asked about. A host's maps cannot be read at any time, so it is all here.
struct Asked {
    decision_id: String,
    headers: Pairs,
    known: Known,
}

/// What the host did not give.
struct Unknown(&'static str);

impl Exchange {
    pub fn new(accepted: Option<Rc<Accepted>>) -> Exchange {
        Exchange {
            accepted,
            state: RefCell::new(State::Undecided),
        }
    }

    pub fn action(&self) -> Action {
        match *self.state.borrow() {
            State::Allowed { .. } => Action::Continue,
            State::Undecided | State::Waiting(..) | State::Refused => Action::Pause,
        }
    }

    /// What the response gets, of a request that was allowed.
    pub fn response(&self) -> Vec<HeaderEdit> {
        match &*self.state.borrow() {
            State::Allowed { response } => response.clone(),
            _ => Vec::new(),
        }
    }

    pub fn is_waiting(&self) -> bool {
        matches!(*self.state.borrow(), State::Waiting(..))
    }

    /// From when on the gate decides, whatever has come; `None` where the request does not wait.
    pub fn deadline_ns(&self, now_ns: u64) -> Option<u64> {
        match &*self.state.borrow() {
            State::Waiting(_, waiting) => Some(waiting.deadline_ns(now_ns)),
            _ => None,
        }
    }

    /// Whether the gate is to be asked again: of a request that waits, and not in vain.
    pub fn is_ready(&self, now_ns: u64) -> bool {
        match (&*self.state.borrow(), &self.accepted) {
            (State::Waiting(_, waiting), Some(accepted)) => accepted.gate.is_ready(waiting, now_ns),
            _ => false,
        }
    }

    /// Reads the request and decides, or has it wait.
    pub fn begin(&self) {
        match Asked::read(self.accepted.as_deref()) {
            Ok(asked) => self.step(Box::new(asked), None),
            Err((decision_id, Unknown(detail))) => {
                self.enforce(host_failure(&decision_id, detail));
            }
        }
    }

    /// Asks the gate again. True where the request goes on: the caller tells the host.
    pub fn resume(&self) -> bool {
        match self.state.replace(State::Undecided) {
            State::Waiting(asked, waiting) => self.step(asked, Some(waiting)),
            other => {
                self.state.replace(other);
                return false;
            }
        }
        matches!(*self.state.borrow(), State::Allowed { .. })
    }

    fn step(&self, asked: Box<Asked>, waited: Option<Waiting>) {
        match asked.step(self.accepted.as_deref(), waited) {
            Ok(Step::Decided(decision)) => self.enforce(*decision),
            Ok(Step::Waiting(waiting)) => {
                self.state.replace(State::Waiting(asked, waiting));
            }
            Err(Unknown(detail)) => self.enforce(host_failure(&asked.decision_id, detail)),
        }
    }

    fn enforce(&self, decision: Decision) {
        record(&decision.record);
        if let Some(accepted) = &self.accepted {
            accepted.tell(&decision.record);
        }
        let state = match decision.effect {
            Effect::Deny(deny) => {
                host::send_local_response(&deny, &details(&decision.record));
                State::Refused
            }
            Effect::Allow(allow) => match apply(MapType::HttpRequestHeaders, &allow.request) {
                Ok(()) => State::Allowed {
                    response: allow.response,
                },
                Err(host::Refused) => {
                    return self.enforce(host_failure(
                        &decision.record.decision_id,
                        "the host refused a change of headers",
                    ));
                }
            },
        };
        self.state.replace(state);
    }

    /// The host does not let a request go on that was allowed.
    pub fn fail(&self, detail: &'static str) {
        let decision_id = decision_id().unwrap_or_else(|| "none".to_owned());
        self.enforce(host_failure(&decision_id, detail));
    }

    /// Takes from a request's trailers what clients may not send.
    pub fn clean_trailers(&self) -> Result<(), host::Refused> {
        let accepted = self.accepted.as_ref().ok_or(host::Refused)?;
        let map = MapType::HttpRequestTrailers;
        let pairs = host::header_pairs(map).ok_or(host::Refused)?;
        let names: Result<Vec<&str>, _> = pairs
            .iter()
            .map(|(name, _)| std::str::from_utf8(name))
            .collect();
        apply(
            map,
            &accepted.gate.trailers(names.map_err(|_| host::Refused)?),
        )
    }
}

impl Asked {
    fn read(accepted: Option<&Accepted>) -> Result<Asked, (String, Unknown)> {
        let Some(decision_id) = decision_id() else {
            return Err(("none".to_owned(), Unknown("the host gave no randomness")));
        };
        let Some(Accepted { gate, .. }) = accepted else {
            return Err((decision_id, Unknown("no configuration was accepted")));
        };
        // Envoy answers Ok with nothing where it should fail, and every request has headers.
        match host::header_pairs(MapType::HttpRequestHeaders) {
            Some(headers) if !headers.is_empty() => Ok(Asked {
                decision_id,
                known: Known::read(gate, &headers),
                headers,
            }),
            _ => Err((decision_id, Unknown("the host gave no headers"))),
        }
    }

    fn step(&self, accepted: Option<&Accepted>, waited: Option<Waiting>) -> Result<Step, Unknown> {
        let Accepted { gate, .. } = accepted.ok_or(Unknown("no configuration was accepted"))?;
        let moment = Moment {
            now_ns: host::now_ns().ok_or(Unknown("the host gave no time"))?,
            decision_id: &self.decision_id,
        };
        let mut headers: Vec<(&str, &[u8])> = Vec::with_capacity(self.headers.len());
        for (name, value) in self.headers.iter() {
            let name = std::str::from_utf8(name)
                .map_err(|_| Unknown("the host gave a header name that is not UTF-8"))?;
            headers.push((name, value));
        }
        let request = Request {
            headers: &headers,
            attributes: self.known.attributes(),
        };
        Ok(gate.step(&request, &moment, waited))
    }
}

pub fn apply(map: MapType, edits: &[HeaderEdit]) -> Result<(), host::Refused> {
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
    let text = record.to_string();
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
