//! A gate whose policy changes while requests run. A bundle that has come is verified, parsed, checked
//! and compiled beside the policy that is active, some milliseconds at a time; only then does it take
//! its place, between two requests. Whatever is wrong with it, the active one goes on.

mod activation;
mod event;
mod old;
mod order;

pub use event::{Activated, Event, Refused, Step};

use crate::{
    bundle::{Manifest, Order},
    crypto::Verifier,
    gate::Gate,
    remote::Arrived,
    words::counter,
};
use activation::{Activation, Made, Unit};
use old::Old;
use portcullis_rego::{Module, Value};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

/// The gate that decides now, and what will decide next.
pub struct Live {
    current: RwLock<Arc<Gate>>,
    machine: Mutex<Machine>,
}

#[derive(Default)]
struct Machine {
    active: Option<Loaded>,
    /// What is on its way.
    next: Option<Activation>,
    /// What is asked no more.
    old: Vec<Old>,
}

/// The bundle that is active, for what changes only a part of it.
struct Loaded {
    /// SHA-256 of it as it came.
    digest: Vec<u8>,
    /// The newest that was active, where that is another.
    newest: Option<Newest>,
    manifest: Manifest,
    modules: Vec<Module>,
    data: Value,
}

/// A revision by what it says of its age.
#[derive(Clone)]
struct Newest {
    order: Order,
    revision: String,
    /// SHA-256 of it as it came.
    digest: Vec<u8>,
}

impl Loaded {
    /// The newest that was active up to it.
    fn newest(&self) -> Option<Newest> {
        let own = self.manifest.order.map(|order| Newest {
            order,
            revision: self.manifest.revision.clone(),
            digest: self.digest.clone(),
        });
        self.newest.clone().or(own)
    }
}

impl Live {
    pub fn new(gate: Gate) -> Live {
        Live {
            current: RwLock::new(Arc::new(gate)),
            machine: Mutex::default(),
        }
    }

    /// Has the signatures of bundles checked this way, where nothing has been asked yet.
    pub(crate) fn verified_by(&mut self, verifier: &Verifier) {
        let current = self.current.get_mut();
        let current = current.unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = Arc::get_mut(current) {
            gate.verify_by(verifier);
        }
    }

    /// The gate to ask about a request that begins now. It is asked about it to the end, whatever
    /// becomes of the policy meanwhile.
    pub fn current(&self) -> Arc<Gate> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins with a bundle that was active in a gate before this one, as [`Activated::keep`] had it, so
    /// that a proxy which is configured anew refuses nothing meanwhile. It is verified like any other,
    /// and the server is asked all the same.
    pub fn begin_with(&self, packed: Vec<u8>, now_ns: u64) {
        let gate = self.current();
        if let Some(config) = gate.config().bundle.as_ref().filter(|_| !packed.is_empty()) {
            let arrived = Arrived {
                bytes: packed,
                etag: None,
            };
            let mut activation = Activation::new(arrived, Arc::clone(&config.rules), now_ns);
            activation.is_kept = true;
            self.machine().next = Some(activation);
        }
    }

    /// Whether [`Live::work`] has something to do.
    pub fn is_working(&self) -> bool {
        let gate = self.current();
        self.is_working_on(&gate) || gate.candidate().is_some_and(|it| it.0.live().is_working())
    }

    fn is_working_on(&self, gate: &Gate) -> bool {
        let machine = self.machine();
        machine.next.is_some()
            || machine.old.iter().any(Old::can_go)
            || gate.knowledge().remote().has_bundle()
    }

    /// Goes on with a bundle that has come, for about as long as `slice`; `clock` gives nanoseconds
    /// since the Unix epoch, `random` spreads what several workers do.
    pub fn work(&self, clock: &dyn Fn() -> u64, slice: Duration, random: u64) -> Option<Event> {
        let gate = self.current();
        match gate.candidate() {
            // What decides comes first.
            Some((candidate, _)) if !self.is_working_on(&gate) => {
                let event = candidate.live().work(clock, slice, random)?;
                Some(Event::OfCandidate(Box::new(event)))
            }
            _ => self.work_on(gate, clock, slice, random),
        }
    }

    fn work_on(
        &self,
        gate: Arc<Gate>,
        clock: &dyn Fn() -> u64,
        slice: Duration,
        random: u64,
    ) -> Option<Event> {
        let began = clock();
        let slice = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
        let until = began.saturating_add(slice);
        // A clock that is set back ends the slice too.
        let mut more = || (began..until).contains(&clock());
        let mut machine = self.machine();
        let Machine { active, next, old } = &mut *machine;
        if next.is_none() {
            // What was before makes room first: else a server that has another bundle all the time would
            // have one pile up behind the other.
            old.retain_mut(|old| !old.work(&mut more));
            if old.iter().any(Old::can_go) {
                return None;
            }
            let arrived = gate.knowledge().remote().take_bundle();
            let config = gate.config().bundle.as_ref();
            *next = arrived.zip(config).map(|(arrived, config)| {
                Activation::new(arrived, Arc::clone(&config.rules), began)
            });
        }
        let activation = next.as_mut()?;
        let unit = activation.work(&gate, active.as_ref(), &mut more);
        let now = clock();
        activation.worked(now.saturating_sub(began));
        let made = match unit {
            Unit::More => return None,
            Unit::Same => {
                let etag = activation.etag.take();
                let mut remote = gate.knowledge().remote();
                remote.bundle_is_same(gate.config(), etag, now, random);
                machine.next = None;
                return None;
            }
            Unit::Done(made) => made,
        };
        let etag = activation.etag.take();
        let is_kept = activation.is_kept;
        let event = match made {
            Ok(made) => {
                let event = activation.activated(active.as_ref(), &made, now);
                self.swap(&gate, *made, &mut machine);
                Event::Activated(event)
            }
            Err(refused) => Event::Refused(refused),
        };
        machine.next = None;
        match (is_kept, &event) {
            (false, event) => self.tell(&gate, event, etag, now, random),
            // Nobody has asked the server yet.
            (true, Event::Activated(active)) => {
                let mut remote = gate.knowledge().remote();
                remote.bundle_was_kept(&active.revision, active.kind, now);
            }
            (true, Event::Refused(_) | Event::OfCandidate(_)) => {}
        }
        Some(event)
    }

    fn swap(&self, gate: &Gate, made: Made, machine: &mut Machine) {
        let gate = Arc::new(gate.with(made.active));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, gate);
        drop(current);
        let mut loaded = made.loaded;
        let newest = machine.active.as_ref().and_then(Loaded::newest);
        loaded.newest = newest.filter(|newest| order::is_newer(newest.order, &loaded.manifest));
        let data = machine.active.replace(loaded).map(|it| it.data);
        machine.old.push(Old::new(before, data));
    }

    fn tell(&self, gate: &Gate, event: &Event, etag: Option<String>, now: u64, random: u64) {
        let mut remote = gate.knowledge().remote();
        match event {
            Event::Activated(active) => {
                remote.count(counter::BUNDLE_ACTIVATIONS);
                let became = Ok((etag, active.revision.as_str(), active.kind));
                remote.bundle_settled(gate.config(), became, now, random);
            }
            Event::Refused(refused) => {
                remote.count(refused.step.counter());
                let what = refused.to_string();
                remote.bundle_settled(gate.config(), Err(&what), now, random);
                if refused.is_of_delta {
                    remote.forget_etag();
                }
            }
            // It tells its own gate.
            Event::OfCandidate(_) => {}
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
