//! One request, from its headers to its decision. It may have to wait for something that is fetched;
//! then the root context brings it back.

mod of_body;

use crate::{
    after::{After, Place},
    asked::{Asked, Unknown, decision_id},
    host,
    root::Accepted,
};
use portcullis_engine::{
    BodyCheck, Decision, Effect, HeaderEdit, Reason, Record, Step, Waiting, host_failure, words,
};
use proxy_wasm::types::{Action, LogLevel, MapType};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

pub struct Exchange {
    accepted: Option<Rc<Accepted>>,
    state: RefCell<State>,
    /// What is done once its answer is out.
    after: RefCell<Option<After>>,
    /// Whether it was counted among those that are held.
    is_counted: Cell<bool>,
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
        /// Of the decision, which is told when the body has passed.
        record: Box<Record>,
        place: Option<Place>,
        check: Box<BodyCheck>,
        response: Vec<HeaderEdit>,
    },
    Refused,
    Allowed {
        response: Vec<HeaderEdit>,
    },
}

const UNFINISHED: &str = "the request ended before its body did";

impl Exchange {
    pub fn new(accepted: Option<Rc<Accepted>>) -> Exchange {
        Exchange {
            accepted,
            state: RefCell::new(State::Undecided),
            after: RefCell::new(None),
            is_counted: Cell::new(false),
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
                self.enforce(host_failure(&decision_id, detail), None);
            }
        }
    }

    /// Counts it among the requests that are held, for as long as it is.
    pub fn count(&self) {
        let state = self.state.borrow();
        let is_held = matches!(*state, State::Waiting(..) | State::Reading(_));
        self.count_as(is_held);
    }

    fn count_as(&self, is_held: bool) {
        if self.is_counted.replace(is_held) != is_held
            && let Some(accepted) = &self.accepted
        {
            accepted.metrics.held(is_held);
        }
    }

    /// Whether somebody wants to know how the response looks.
    pub fn looks_back(&self) -> bool {
        let is_passing = match &*self.state.borrow() {
            State::Passing { asked, .. } => asked.gate.looks_back(),
            _ => false,
        };
        is_passing || self.after.borrow().is_some()
    }

    /// The exchange is over; `status` is what the client got, where it got something.
    pub fn end(&self, status: Option<u16>) {
        match self.state.replace(State::Undecided) {
            // It went on, and its body never came to an end.
            State::Passing {
                asked, mut record, ..
            } => {
                record.detail.get_or_insert_with(|| UNFINISHED.to_owned());
                self.tell(*record, Some(asked));
            }
            other => drop(self.state.replace(other)),
        }
        if let (Some(after), Some(accepted)) = (self.after.take(), &self.accepted) {
            after.run(accepted, status);
            accepted.fetching.hurry(&accepted.live);
        }
    }

    /// Asks the gate again. True where the request goes on: the caller tells the host.
    pub fn resume(&self) -> bool {
        let goes_on = self.go_on();
        self.count();
        goes_on
    }

    fn go_on(&self) -> bool {
        match self.state.replace(State::Undecided) {
            State::Waiting(asked, waiting) => self.step(asked, Some(waiting)),
            // No body came.
            State::Reading(asked) => self.refuse_body(asked, Reason::BodyHostUnsupported),
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

    fn step(&self, asked: Box<Asked>, waited: Option<Waiting>) {
        let step = asked.ask(|gate, request, moment| gate.step(request, moment, waited));
        match step {
            Ok(Step::Decided(decision)) => self.enforce(*decision, Some(asked)),
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
                match check {
                    Ok(check) => self.let_pass(*decision, asked, check),
                    Err(reason) => self.refuse_body(asked, reason),
                }
            }
            Err(Unknown(detail)) => {
                let decision = host_failure(&asked.decision_id, detail);
                self.enforce(decision, Some(asked));
            }
        }
    }

    fn enforce(&self, decision: Decision, asked: Option<Box<Asked>>) {
        record(&decision.record);
        match self.carry_out(decision.effect, &decision.record) {
            Ok(state) => {
                self.state.replace(state);
                self.tell(decision.record, asked);
            }
            Err(failed) => self.enforce(*failed, asked),
        }
    }

    /// # Errors
    /// What holds instead, where the host does not do its part. It is a refusal, which cannot fail so.
    fn carry_out(&self, effect: Effect, of: &Record) -> Result<State, Box<Decision>> {
        match effect {
            Effect::Deny(deny) => {
                host::send_local_response(&deny, &details(of));
                Ok(State::Refused)
            }
            Effect::Allow(allow) => match apply(MapType::HttpRequestHeaders, &allow.request) {
                Ok(()) => Ok(State::Allowed {
                    response: allow.response,
                }),
                Err(host::Refused) => Err(Box::new(host_failure(
                    &of.decision_id,
                    "the host refused a change of headers",
                ))),
            },
        }
    }

    /// Counts a decision, and remembers what is to be done about it afterwards.
    fn tell(&self, record: Record, asked: Option<Box<Asked>>) {
        let Some(accepted) = &self.accepted else {
            return;
        };
        let took_ns = asked.as_ref().map(|asked| asked.took_ns());
        accepted.tell(&record, took_ns);
        // What holds in the place of an earlier decision is told in its place.
        let asked = asked.or_else(|| self.after.take()?.into_asked());
        let after = After::keep(accepted, record, asked);
        self.after.replace(after);
    }

    /// The host does not let a request go on that was allowed.
    pub fn fail(&self, detail: &'static str) {
        let decision_id = decision_id().unwrap_or_else(|| "none".to_owned());
        self.enforce(host_failure(&decision_id, detail), None);
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

impl Drop for Exchange {
    fn drop(&mut self) {
        self.count_as(false);
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
