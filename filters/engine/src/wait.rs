//! Waiting as a value: a request that lacks something which is on its way is asked again when it has
//! come. It waits for two seconds at most, and so do a hundred at most for one provider.

use crate::{
    body::Check,
    decision::{Decision, Effect},
    gate::{Gate, Moment},
    pass::{Asked, Pass},
    remote::{Answer, Call, CallId, Fault, MAX_WAIT_NS, Outlook, Want},
    replay::ReplayStore,
    request::Request,
    words::{self, Reason},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Whether what is fetched could change the answer: a request that is refused for something else need
/// not wait.
fn is_open(asked: &Result<Asked<'_>, Box<Decision>>) -> bool {
    match asked {
        Ok(_) => true,
        Err(refused) => matches!(
            refused.record.reason,
            Reason::JwksUnavailable
                | Reason::IntrospectionUnavailable
                | Reason::JwtKeyUnknown
                | Reason::JwtSignature
        ),
    }
}

/// How many requests may wait at once.
const MAX_WAITING: usize = 100;

/// What became of a request.
#[derive(Debug)]
pub enum Step {
    Decided(Box<Decision>),
    /// It is to be held, and asked about again with its body: nothing else is wrong with it.
    Body,
    /// The decision holds as long as the body does: the last piece passes only where
    /// [`BodyCheck::finish`](crate::BodyCheck::finish) agrees. Else [`Gate::refuse_body`].
    Passing(Box<Decision>, Box<Check>),
    /// It is to be held, and [`Gate::step`] asked again after an answer has come, or the time is up.
    Waiting(Waiting),
}

/// A request that waits. A stream that goes away drops it: its place is free again.
#[derive(Debug)]
pub struct Waiting {
    since_ns: u64,
    /// What it waits for, and the marks of it.
    wants: Vec<(Want, u64)>,
    ticket: Ticket,
}

impl Waiting {
    /// From then on it is decided, whatever has come. A clock that was set back makes nobody wait for
    /// longer from now.
    pub fn deadline_ns(&self, now_ns: u64) -> u64 {
        self.since_ns.min(now_ns).saturating_add(MAX_WAIT_NS)
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
        self.knowledge().remote().tell_time(moment.now_ns);
        let came = waited.as_ref().map_or(moment.now_ns, |it| it.since_ns);
        let since_ns = came.min(moment.now_ns);
        let pass = self.pass(request, moment, since_ns);
        let asked = pass.asked();
        let wants = pass.wants.take();
        if wants.is_empty() || !is_open(&asked) {
            return self.settle(&pass, asked);
        }
        let in_time = moment.now_ns < since_ns.saturating_add(MAX_WAIT_NS);
        let ticket = match waited {
            Some(waiting) => in_time.then_some(waiting.ticket),
            None => self.enter(&wants),
        };
        let mut remote = self.knowledge().remote();
        let mut outlook = Outlook::Settled;
        for want in &wants {
            // A token is asked about only where somebody waits for the answer.
            if ticket.is_some() || !matches!(want, Want::Word { .. }) {
                outlook = outlook.better(remote.want(want, since_ns, moment.now_ns));
            }
        }
        match (outlook, ticket) {
            (Outlook::Coming, Some(ticket)) => {
                let marked = wants.into_iter().map(|want| {
                    let mark = remote.mark(&want);
                    (want, mark)
                });
                Step::Waiting(Waiting {
                    since_ns,
                    wants: marked.collect(),
                    ticket,
                })
            }
            // The token may be by a key that is not there yet: that cannot be told now.
            (Outlook::Coming | Outlook::Failing, _) if wants.iter().any(Want::is_doubt) => {
                drop(remote);
                let mut pass = self.pass(request, moment, since_ns);
                pass.gives_up = true;
                self.settle(&pass, pass.asked())
            }
            _ => {
                drop(remote);
                self.settle(&pass, asked)
            }
        }
    }

    /// What is left to do once nothing more is to be fetched.
    fn settle(&self, pass: &Pass<'_>, asked: Result<Asked<'_>, Box<Decision>>) -> Step {
        match asked {
            Ok(Asked::Body(_)) => Step::Body,
            Ok(Asked::Policy(mut question)) => {
                let check = question.passing.take();
                let decision = Box::new(self.conclude(pass, Ok(Asked::Policy(question))));
                match (check, &decision.effect) {
                    (Some(check), Effect::Allow(_)) => Step::Passing(decision, check),
                    _ => Step::Decided(decision),
                }
            }
            asked => Step::Decided(Box::new(self.conclude(pass, asked))),
        }
    }

    /// Whether a request that waits is to be asked about again: something became of what it lacks, or
    /// its time is up.
    pub fn is_ready(&self, waiting: &Waiting, now_ns: u64) -> bool {
        let remote = self.knowledge().remote();
        let has_changed = |(want, mark): &(Want, u64)| remote.mark(want) != *mark;
        let is_set_back = now_ns < waiting.since_ns;
        is_set_back
            || now_ns >= waiting.deadline_ns(now_ns)
            || waiting.wants.iter().any(has_changed)
    }

    /// A place among those who wait for the same provider.
    fn enter(&self, wants: &[Want]) -> Option<Ticket> {
        let provider = wants.first()?.provider();
        self.rooms().get(provider)?.enter()
    }

    /// The calls that are due: after a step that waits, after an answer, and whenever
    /// [`Gate::next_call_ns`] has come. `random` spreads what several workers do.
    pub fn calls(&self, now_ns: u64, random: u64) -> Vec<Call> {
        let mut calls = self.own_calls(now_ns, random);
        if let Some(beside) = self.beside() {
            let of_candidate = beside
                .own_calls(now_ns, random)
                .into_iter()
                .map(|call| Call {
                    id: call.id.of_candidate(),
                    ..call
                });
            calls.extend(of_candidate);
        }
        calls
    }

    fn own_calls(&self, now_ns: u64, random: u64) -> Vec<Call> {
        let mut remote = self.knowledge().remote();
        remote.calls(self.config(), now_ns, random)
    }

    /// The gate of the candidate, which fetches for itself.
    fn beside(&self) -> Option<Arc<Gate>> {
        let (candidate, _) = self.candidate()?;
        Some(candidate.live().current())
    }

    /// Takes what came of a call. What is wrong with it is for logs: it never replaces what was good.
    pub fn answered(
        &self,
        call: CallId,
        answer: Answer,
        now_ns: u64,
        random: u64,
    ) -> Option<Fault> {
        if let Some(own) = call.as_candidates() {
            let beside = self.beside()?;
            let fault = beside.answered(own, answer, now_ns, random)?;
            return Some(fault.of_candidate());
        }
        let mut remote = self.knowledge().remote();
        remote.answered(self.config(), call, answer, now_ns, random)
    }

    /// What went wrong with something fetched that no answer told, since it was asked last.
    pub fn take_faults(&self) -> Vec<Fault> {
        let mut faults = self.knowledge().remote().take_faults();
        if let Some(beside) = self.beside() {
            let of_candidate = beside.take_faults().into_iter().map(Fault::of_candidate);
            faults.extend(of_candidate);
        }
        faults
    }

    /// When [`Gate::calls`] has something to do next, in nanoseconds since the Unix epoch; 0 is now.
    /// `None` where nothing is ever fetched.
    pub fn next_call_ns(&self) -> Option<u64> {
        let own = self.knowledge().remote().next();
        let beside = self.beside().and_then(|gate| gate.next_call_ns());
        own.into_iter().chain(beside).min()
    }

    /// The gauges that changed since it was asked last, by their names.
    pub fn take_gauges(&self) -> BTreeMap<String, u64> {
        let mut gauges = self.knowledge().remote().take_times();
        let fills = self.store().map(ReplayStore::take_fills);
        let fills = fills.into_iter().flatten();
        gauges.extend(fills.map(|(kind, fill)| (words::replay_fill(kind.name()), fill)));
        gauges
    }

    /// What was counted since it was asked last, by the names of the counters.
    pub fn take_counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = self.knowledge().take_counts();
        if let Some((candidate, _)) = self.candidate() {
            counts.append(&mut candidate.take_counts());
        }
        counts
    }

    /// The gate goes away, at `now_ns`. True where events of decisions wait for their upload: then
    /// [`Gate::calls`] has it, and [`Gate::log_has_ended`] says when there is no more to wait for.
    pub fn end_log(&self, now_ns: u64) -> bool {
        self.knowledge().remote().end_log(now_ns)
    }

    /// Whether nothing is sent any more.
    pub fn log_has_ended(&self, now_ns: u64) -> bool {
        self.knowledge().remote().log_has_ended(now_ns)
    }

    /// The events that could not be sent, one JSON document each: somebody may find them in a log.
    pub fn leave_log(&self) -> Vec<String> {
        self.knowledge().remote().leave_log()
    }
}
