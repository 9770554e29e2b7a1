//! One request, from its headers to its decision. It may have to wait for something that is fetched;
//! then the root context brings it back.

use crate::{
    attributes::Known,
    body::{self, Held},
    host,
    pairs::Pairs,
    root::Accepted,
};
use portcullis_engine::{
    BodyCheck, Decision, Effect, Gate, HeaderEdit, Incoming, Moment, Reason, Record, Request, Step,
    Waiting, host_failure, words,
};
use proxy_wasm::types::{Action, LogLevel, MapType};
use std::{cell::RefCell, rc::Rc, sync::Arc};

pub struct Exchange {
    accepted: Option<Rc<Accepted>>,
    state: RefCell<State>,
}

/// A body or trailers callback that answers Continue releases headers that are held, so each of
/// them asks this.
enum State {
    Undecided,
    Waiting(Box<Asked>, Waiting),
    /// Its body must come first.
    Reading(Box<Asked>),
    /// Allowed, as long as its body is what it must be.
    Passing {
        asked: Box<Asked>,
        check: Box<BodyCheck>,
        response: Vec<HeaderEdit>,
    },
    Refused,
    Allowed {
        response: Vec<HeaderEdit>,
    },
}

/// What the gate is asked about. A host's maps cannot be read at any time, so it is all here.
struct Asked {
    /// As it was when the request came: whatever bundle comes meanwhile, one policy decides on it.
    gate: Arc<Gate>,
    decision_id: String,
    headers: Pairs,
    known: Known,
    body: Held,
    /// When it came, of one whose body is looked at: nanoseconds since the Unix epoch.
    since_ns: u64,
}

/// What the host did not give.
struct Unknown(&'static str);

const NOT_ACCEPTED: &str = "no configuration was accepted";
const NO_TIME: &str = "the host gave no time";
const NO_BODY: &str = "the host gave less of a body than it said";

impl Exchange {
    pub fn new(accepted: Option<Rc<Accepted>>) -> Exchange {
        Exchange {
            accepted,
            state: RefCell::new(State::Undecided),
        }
    }

    pub fn action(&self) -> Action {
        match *self.state.borrow() {
            State::Allowed { .. } | State::Passing { .. } => Action::Continue,
            State::Undecided | State::Waiting(..) | State::Reading(_) | State::Refused => {
                Action::Pause
            }
        }
    }

    /// What the response gets, of a request that was allowed.
    pub fn response(&self) -> Vec<HeaderEdit> {
        match &*self.state.borrow() {
            State::Allowed { response } | State::Passing { response, .. } => response.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether time may decide it.
    pub fn is_held(&self) -> bool {
        self.deadline_ns(u64::MAX).is_some()
    }

    /// From when on the gate decides, whatever has come; `None` where no time does.
    pub fn deadline_ns(&self, now_ns: u64) -> Option<u64> {
        match (&*self.state.borrow(), &self.accepted) {
            (State::Waiting(_, waiting), _) => Some(waiting.deadline_ns(now_ns)),
            (State::Reading(asked), Some(accepted)) => {
                accepted.bodies.deadline_ns(asked.since_ns.min(now_ns))
            }
            _ => None,
        }
    }

    /// Whether the gate is to be asked again: of a request that is held, and not in vain.
    pub fn is_ready(&self, now_ns: u64) -> bool {
        match (&*self.state.borrow(), &self.accepted) {
            (State::Waiting(asked, waiting), _) => asked.gate.is_ready(waiting, now_ns),
            (State::Reading(asked), Some(accepted)) => {
                let deadline = accepted.bodies.deadline_ns(asked.since_ns);
                deadline.is_some_and(|at| now_ns >= at || now_ns < asked.since_ns)
            }
            _ => false,
        }
    }

    /// Reads the request and decides, or has it wait.
    pub fn begin(&self, end_of_stream: bool) {
        match Asked::read(self.accepted.as_deref(), end_of_stream) {
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
            // No body came.
            State::Reading(asked) => self.refuse_body(&asked, Reason::BodyHostUnsupported),
            other => {
                self.state.replace(other);
                return false;
            }
        }
        matches!(
            *self.state.borrow(),
            State::Allowed { .. } | State::Passing { .. }
        )
    }

    /// A piece of the body has come: `size` is of all that the host holds, or of what passes.
    pub fn take_body(&self, size: usize, is_end: bool) {
        match self.state.replace(State::Undecided) {
            State::Waiting(mut asked, waiting) => match self.take(&mut asked, size, is_end) {
                Ok(()) => drop(self.state.replace(State::Waiting(asked, waiting))),
                Err(host::Refused) => self.fail(NO_BODY),
            },
            State::Reading(mut asked) => match self.take(&mut asked, size, is_end) {
                Ok(()) => self.read(asked),
                Err(host::Refused) => self.fail(NO_BODY),
            },
            State::Passing {
                asked,
                mut check,
                response,
            } => match body::pass(&mut check, size) {
                Err(host::Refused) => self.fail(NO_BODY),
                Ok(Err(reason)) => self.refuse_body(&asked, reason),
                Ok(Ok(())) if is_end => self.passed(&asked, *check, response),
                Ok(Ok(())) => {
                    self.state.replace(State::Passing {
                        asked,
                        check,
                        response,
                    });
                }
            },
            other => drop(self.state.replace(other)),
        }
    }

    /// Trailers have come: there is no more of the body.
    pub fn end_body(&self) {
        match self.state.replace(State::Undecided) {
            State::Waiting(mut asked, waiting) => {
                asked.body.end();
                self.state.replace(State::Waiting(asked, waiting));
            }
            State::Reading(mut asked) => {
                asked.body.end();
                self.read(asked);
            }
            State::Passing {
                asked,
                check,
                response,
            } => self.passed(&asked, *check, response),
            other => drop(self.state.replace(other)),
        }
    }

    fn take(&self, asked: &mut Asked, size: usize, is_end: bool) -> Result<(), host::Refused> {
        if let Some(accepted) = &self.accepted {
            accepted.bodies.came();
        }
        asked.body.take(size, is_end)
    }

    /// Goes on with the body, if all of it is there.
    fn read(&self, asked: Box<Asked>) {
        match asked.body {
            Held::Read(_) => self.step(asked, None),
            _ => drop(self.state.replace(State::Reading(asked))),
        }
    }

    /// The whole body has passed, but for its last piece.
    fn passed(&self, asked: &Asked, check: BodyCheck, response: Vec<HeaderEdit>) {
        match check.finish() {
            Ok(()) => drop(self.state.replace(State::Allowed { response })),
            Err(reason) => self.refuse_body(asked, reason),
        }
    }

    fn refuse_body(&self, asked: &Asked, reason: Reason) {
        let refused = asked.ask(|gate, request, moment| gate.refuse_body(request, moment, reason));
        match refused {
            Ok(decision) => self.enforce(decision),
            Err(Unknown(detail)) => self.enforce(host_failure(&asked.decision_id, detail)),
        }
    }

    fn step(&self, asked: Box<Asked>, waited: Option<Waiting>) {
        let step = asked.ask(|gate, request, moment| gate.step(request, moment, waited));
        match step {
            Ok(Step::Decided(decision)) => self.enforce(*decision),
            Ok(Step::Waiting(waiting)) => {
                self.state.replace(State::Waiting(asked, waiting));
            }
            Ok(Step::Body) => {
                self.state.replace(State::Reading(asked));
            }
            Ok(Step::Passing(decision, check)) => {
                // What was held of it while the request waited is no longer shown once it goes on.
                let mut asked = asked;
                let check = match asked.body.take_reader() {
                    Some(reader) => check.of(reader).map(Box::new),
                    None => Ok(check),
                };
                let check = match check {
                    Ok(check) => check,
                    Err(reason) => return self.refuse_body(&asked, reason),
                };
                self.enforce(*decision);
                let state = self.state.replace(State::Undecided);
                self.state.replace(match state {
                    State::Allowed { response } => State::Passing {
                        asked,
                        check,
                        response,
                    },
                    other => other,
                });
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
            &accepted
                .live
                .current()
                .trailers(names.map_err(|_| host::Refused)?),
        )
    }
}

impl Asked {
    fn read(accepted: Option<&Accepted>, end_of_stream: bool) -> Result<Asked, (String, Unknown)> {
        let Some(decision_id) = decision_id() else {
            return Err(("none".to_owned(), Unknown("the host gave no randomness")));
        };
        let Some(Accepted { live, .. }) = accepted else {
            return Err((decision_id, Unknown(NOT_ACCEPTED)));
        };
        let gate = live.current();
        // Envoy answers Ok with nothing where it should fail, and every request has headers.
        let headers = match host::header_pairs(MapType::HttpRequestHeaders) {
            Some(headers) if !headers.is_empty() => headers,
            _ => return Err((decision_id, Unknown("the host gave no headers"))),
        };
        let mut asked = Asked {
            decision_id,
            known: Known::read(&gate, &headers),
            gate,
            headers,
            body: match end_of_stream {
                true => Held::None,
                false => Held::Unread,
            },
            since_ns: 0,
        };
        if !end_of_stream {
            let reads = |gate: &Gate, request: &Request<'_>, moment: &Moment<'_>| {
                Some((gate.body_reader(request)?, moment.now_ns))
            };
            match asked.ask(reads) {
                Ok(None) => {}
                Ok(Some((reader, now_ns))) => {
                    asked.body = Held::Coming {
                        reader: Box::new(reader),
                        seen: 0,
                    };
                    asked.since_ns = now_ns;
                }
                Err(unknown) => return Err((asked.decision_id, unknown)),
            }
        }
        Ok(asked)
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&Gate, &Request<'_>, &Moment<'_>) -> T,
    ) -> Result<T, Unknown> {
        let moment = Moment {
            now_ns: host::now_ns().ok_or(Unknown(NO_TIME))?,
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
            body: match &self.body {
                Held::None => Incoming::None,
                Held::Unread | Held::Coming { .. } => Incoming::Coming,
                Held::Read(body) => Incoming::Read(body),
            },
        };
        Ok(question(&self.gate, &request, &moment))
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
