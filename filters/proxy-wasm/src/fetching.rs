//! Calls to other servers, and the requests that wait for them. Calls are made from the root context
//! alone: it outlives every stream, so none that goes away takes an answer with it.

use crate::{exchange::Exchange, host};
use portcullis_engine::{Answer, Call, CallId, Event, Fault, Gate, Live};
use proxy_wasm::types::{BufferType, LogLevel, MapType};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    time::Duration,
};

#[derive(Default)]
pub struct Fetching {
    /// The requests that wait, by their context. One that has gone away is no longer there.
    waiting: RefCell<BTreeMap<u32, Weak<Exchange>>>,
    /// Which call of the gate's a token of the host's stands for, and the most bytes of an answer's body.
    calls: RefCell<BTreeMap<u32, (CallId, usize)>>,
    /// When the next tick is expected: nanoseconds since the Unix epoch.
    tick_at_ns: Cell<Option<u64>>,
}

const MILLISECOND: u64 = 1_000_000;
/// How long nothing happens at most.
const IDLE_NS: u64 = 60_000 * MILLISECOND;
/// Workers that start together do not fetch together.
const START_NS: u64 = 500 * MILLISECOND;
/// How long requests wait at a time for work on a bundle.
const SLICE: Duration = Duration::from_millis(2);

impl Fetching {
    /// Has the first tick come.
    pub fn start(&self) {
        if let Some(now) = host::now_ns() {
            let delay = random().checked_rem(START_NS).unwrap_or(0);
            self.tick_at(now, now.saturating_add(delay));
        }
    }

    /// In the root context, which goes away: makes the calls that are due, and has ticks come until then.
    pub fn end(&self, live: &Live) {
        self.make_calls(&live.current());
        self.hurry(live);
    }

    pub fn hold(&self, id: u32, exchange: &Rc<Exchange>) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|_, exchange| exchange.strong_count() > 0);
        waiting.insert(id, Rc::downgrade(exchange));
    }

    /// Has the next tick come in time for what is due.
    pub fn hurry(&self, live: &Live) {
        let Some(now) = host::now_ns() else {
            return;
        };
        let gate = live.current();
        let work = live.is_working().then_some(now);
        let deadlines = self.waiting();
        let deadlines = deadlines.iter().filter_map(|(_, it)| it.deadline_ns(now));
        let next = deadlines.chain(gate.next_call_ns()).chain(work).min();
        let Some(next) = next.map(|at| at.clamp(now, now.saturating_add(IDLE_NS))) else {
            return;
        };
        // An expected one that is long past was lost; one that is sooner will do.
        let sooner = self
            .tick_at_ns
            .get()
            .is_none_or(|at| next < at || at.saturating_add(1_000 * MILLISECOND) < now);
        if sooner {
            self.tick_at(now, next);
        }
    }

    fn tick_at(&self, now: u64, at: u64) {
        // A host takes zero for "never".
        let milliseconds = at.saturating_sub(now).div_ceil(MILLISECOND).max(1);
        let period = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        match host::set_tick_period(period) {
            Ok(()) => self.tick_at_ns.set(Some(at)),
            Err(host::Refused) => {
                host::log(LogLevel::Error, "portcullis: the host gives no ticks");
            }
        }
    }

    /// In the root context: makes the calls that are due, goes on with a bundle, and decides what has
    /// waited long enough.
    pub fn tick(&self, root: u32, live: &Live) -> Option<Event> {
        self.tick_at_ns.set(None);
        self.make_calls(&live.current());
        let event = match live.is_working() {
            true => live.work(&|| host::now_ns().unwrap_or(u64::MAX), SLICE, random()),
            false => None,
        };
        if let Some(event) = &event {
            let level = match event.is_refusal() {
                false => LogLevel::Info,
                true => LogLevel::Warn,
            };
            host::log(level, &format!("portcullis: {}: {event}", event.path()));
        }
        self.resume(root);
        self.hurry(live);
        event
    }

    /// In the root context: an answer has come.
    pub fn answered(&self, root: u32, live: &Live, token: u32, headers: usize, body_size: usize) {
        let Some((call, max_body)) = self.calls.borrow_mut().remove(&token) else {
            return;
        };
        let gate = live.current();
        self.take(&gate, call, answer(headers, body_size, max_body));
        self.make_calls(&gate);
        self.resume(root);
        self.hurry(live);
    }

    fn make_calls(&self, gate: &Gate) {
        let Some(now) = host::now_ns() else {
            return;
        };
        for call in gate.calls(now, random()) {
            match host::http_call(&call) {
                Ok(token) => {
                    let mut calls = self.calls.borrow_mut();
                    calls.insert(token, (call.id, call.max_body));
                }
                Err(host::Refused) => self.not_made(gate, &call),
            }
        }
        for fault in gate.take_faults() {
            tell(&fault);
        }
    }

    fn not_made(&self, gate: &Gate, call: &Call) {
        host::log(
            LogLevel::Error,
            &format!(
                "portcullis: the host made no call to the cluster `{}`: there is none of that name, or no host in it",
                call.cluster
            ),
        );
        self.take(gate, call.id, Answer::Failed);
    }

    fn take(&self, gate: &Gate, call: CallId, answer: Answer) {
        let Some(now) = host::now_ns() else {
            return;
        };
        if let Some(fault) = gate.answered(call, answer, now, random()) {
            tell(&fault);
        }
    }

    fn waiting(&self) -> Vec<(u32, Rc<Exchange>)> {
        let waiting = self.waiting.borrow();
        let alive = |(id, exchange): (&u32, &Weak<Exchange>)| Some((*id, exchange.upgrade()?));
        waiting.iter().filter_map(alive).collect()
    }

    /// Asks again for every request whose wait is over. Each is told of in its own context.
    fn resume(&self, root: u32) {
        let Some(now) = host::now_ns() else {
            return;
        };
        let mut ready = self.waiting();
        ready.retain(|(_, exchange)| exchange.is_ready(now));
        if ready.is_empty() {
            return;
        }
        for (id, exchange) in &ready {
            if host::set_effective_context(*id).is_err() {
                // It is on its way out.
                continue;
            }
            if exchange.resume() && host::continue_request().is_err() {
                exchange.fail("the host did not let the request go on");
            }
        }
        if host::set_effective_context(root).is_err() {
            host::log(
                LogLevel::Error,
                "portcullis: the host lost the root context",
            );
        }
        let still = |exchange: &Weak<Exchange>| {
            let exchange = exchange.upgrade();
            exchange.is_some_and(|it| it.is_held())
        };
        self.waiting
            .borrow_mut()
            .retain(|_, exchange| still(exchange));
    }
}

fn tell(fault: &Fault) {
    host::log(
        LogLevel::Warn,
        &format!("portcullis: {}: {}", fault.path, fault.what),
    );
}

/// What the host has of the answer to the call whose callback this is.
fn answer(headers: usize, body_size: usize, max_body: usize) -> Answer {
    if headers == 0 || body_size > max_body {
        return Answer::Failed;
    }
    let pairs = host::header_pairs(MapType::HttpCallResponseHeaders);
    let body = match body_size {
        0 => Some(Vec::new()),
        _ => host::buffer(BufferType::HttpCallResponseBody),
    };
    match (pairs, body) {
        (Some(pairs), Some(body)) => Answer::Response {
            headers: pairs
                .iter()
                .filter_map(|(name, value)| {
                    let name = std::str::from_utf8(name).ok()?;
                    Some((name.to_owned(), value.to_vec()))
                })
                .collect(),
            body,
        },
        _ => Answer::Failed,
    }
}

/// It spreads what several workers do, and no secret comes of it.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}
