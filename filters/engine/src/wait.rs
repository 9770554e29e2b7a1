//! Waiting as a value: a request that lacks something which is on its way is asked again when it has
//! come. It waits for two seconds at most, and so do a hundred at most.

use crate::{
    decision::Decision,
    gate::{Gate, Moment},
    remote::{Answer, Call, CallId, Fault, MAX_WAIT_NS, Want},
    request::Request,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many requests may wait at once.
const MAX_WAITING: usize = 100;

/// What became of a request.
#[derive(Debug)]
pub enum Step {
    Decided(Box<Decision>),
    /// It is to be held, and [`Gate::step`] asked again after an answer has come, or the time is up.
    Waiting(Waiting),
}

/// A request that waits. A stream that goes away drops it, and that is all.
#[derive(Debug)]
pub struct Waiting {
    since_ns: u64,
    _ticket: Ticket,
}

impl Waiting {
    /// From then on it is decided, whatever has come.
    pub fn deadline_ns(&self) -> u64 {
        self.since_ns.saturating_add(MAX_WAIT_NS)
    }
}

/// The right to wait, given back when dropped.
#[derive(Debug)]
struct Ticket(Arc<AtomicUsize>);

/// How many wait.
#[derive(Default)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    fn enter(&self) -> Option<Ticket> {
        let more = |waiting: usize| (waiting < MAX_WAITING).then(|| waiting.saturating_add(1));
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Ticket(Arc::clone(&self.0)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// Decides, or says that the request must wait: then [`Gate::calls`] has the calls that it waits
    /// for. `waited` is what an earlier step on this request gave.
    pub fn step(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        waited: Option<Waiting>,
    ) -> Step {
        let since_ns = waited.as_ref().map_or(moment.now_ns, |it| it.since_ns);
        let pass = self.pass(request, moment, since_ns);
        let asked = pass.asked();
        let wants = pass.wants.take();
        let mut comes = false;
        if !wants.is_empty() {
            let in_time = moment.now_ns < since_ns.saturating_add(MAX_WAIT_NS);
            let waiting = match waited {
                Some(waiting) => in_time.then_some(waiting),
                None => self.room().enter().map(|ticket| Waiting {
                    since_ns,
                    _ticket: ticket,
                }),
            };
            let mut remote = self.knowledge().remote();
            for want in &wants {
                // A token is asked about only where somebody waits for the answer.
                if waiting.is_some() || !matches!(want, Want::Word { .. }) {
                    comes |= remote.want(want, since_ns, moment.now_ns);
                }
            }
            if let Some(waiting) = waiting.filter(|_| comes) {
                return Step::Waiting(waiting);
            }
        }
        if comes {
            let mut pass = self.pass(request, moment, since_ns);
            pass.gives_up = true;
            return Step::Decided(Box::new(self.conclude(&pass, pass.asked())));
        }
        Step::Decided(Box::new(self.conclude(&pass, asked)))
    }

    /// The calls that are due: after a step that waits, after an answer, and whenever
    /// [`Gate::next_call_ns`] has come. `random` spreads what several workers do.
    pub fn calls(&self, now_ns: u64, random: u64) -> Vec<Call> {
        let providers = &self.config().providers;
        self.knowledge().remote().calls(providers, now_ns, random)
    }

    /// Takes what came of a call. What is wrong with it is for logs: it never replaces what was good.
    pub fn answered(
        &self,
        call: CallId,
        answer: &Answer,
        now_ns: u64,
        random: u64,
    ) -> Option<Fault> {
        let providers = &self.config().providers;
        let mut remote = self.knowledge().remote();
        remote.answered(providers, call, answer, now_ns, random)
    }

    /// When [`Gate::calls`] has something to do next, in nanoseconds since the Unix epoch; 0 is now.
    /// `None` where nothing is ever fetched.
    pub fn next_call_ns(&self) -> Option<u64> {
        self.knowledge().remote().next()
    }

    /// What was counted since it was asked last, by the names of the counters.
    pub fn take_counts(&self) -> BTreeMap<&'static str, u64> {
        self.knowledge().take_counts()
    }
}
