//! What operators count with. No decision depends on it: where the host gives no counter, the log
//! says so, and requests go on.

use crate::host::{self, Counter, Gauge, Histogram};
use portcullis_engine::{
    Activated, Gate, Reason, Record, Shadow,
    words::{self, Direction},
};
use proxy_wasm::types::LogLevel;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

pub struct Metrics {
    /// Of requests on which the evaluators differed, where the gate looks for them.
    differences: Option<Counter>,
    /// How often each API key was used, by its id. No client can make another one. Those that there
    /// are to begin with are defined before they are needed, so that a key that nobody uses shows as 0.
    api_key_uses: RefCell<BTreeMap<String, Option<Counter>>>,
    /// Of those that have none of their own.
    api_key_uses_of_others: Option<Counter>,
    /// Of each reason, so that one that never comes shows as 0.
    decisions: Vec<(Reason, Option<Counter>)>,
    duration: Option<Histogram>,
    /// Where the candidate differs: its way, and its reason.
    shadow: Vec<((Direction, Reason), Option<Counter>)>,
    /// What the gate counts.
    counters: BTreeMap<&'static str, Option<Counter>>,
    is_ready: Option<Gauge>,
    is_waiting: Option<Gauge>,
    is_deciding: Option<Gauge>,
    /// Requests that are held.
    held: Option<Gauge>,
    /// Which of the gauges this worker counts in.
    ready: Part,
    deciding: Part,
    at_revision: Part,
    told_revision: RefCell<Option<Option<String>>>,
    /// Those whose names are known only as they come up.
    others: RefCell<BTreeMap<String, Option<Gauge>>>,
    activated_at: Option<Gauge>,
    order: Option<Gauge>,
}

/// What this worker adds to a gauge that all workers share, of several that exclude each other.
#[derive(Default)]
struct Part(Cell<Option<Gauge>>);

impl Part {
    /// It counts in this one now, and in the one before no more.
    fn tell(&self, gauge: Option<Option<Gauge>>) {
        let gauge = gauge.flatten();
        let before = self.0.replace(gauge);
        if before == gauge {
            return;
        }
        for (which, by) in [(before, -1), (gauge, 1)] {
            if let Some(gauge) = which {
                counted(gauge.add(by));
            }
        }
    }
}

/// How many gauges there are at most of revisions and what else has a name of its own: none ever goes.
const MOST_OTHERS: usize = 1000;

/// How many API keys have a counter of their own: a bundle may bring a hundred thousand.
const MOST_KEYS: usize = 1000;

impl Metrics {
    pub fn new(gate: &Gate) -> Metrics {
        let checks = gate.self_checks();
        let gauge = |name: &str| defined(name, Gauge::define(name));
        let bundle = |name: &str| gate.has_bundle().then(|| gauge(name)).flatten();
        let mut ids = gate.api_key_ids();
        let own = |id: &str| (id.to_owned(), define(&words::api_key_uses(id)));
        Metrics {
            differences: checks
                .then(|| define(words::SELF_CHECK_DIFFERENCES))
                .flatten(),
            api_key_uses: RefCell::new(ids.by_ref().take(MOST_KEYS).map(own).collect()),
            api_key_uses_of_others: (ids.next().is_some() || gate.has_bundle())
                .then(|| define(words::API_KEY_USES_OF_OTHERS))
                .flatten(),
            decisions: Reason::ALL
                .iter()
                .map(|reason| (*reason, define(&words::decisions(*reason))))
                .collect(),
            duration: defined(
                words::DECISION_DURATION,
                Histogram::define(words::DECISION_DURATION),
            ),
            shadow: match gate.has_candidate() {
                true => shadow(),
                false => Vec::new(),
            },
            counters: match gate.has_decision_log() {
                true => words::counter::OF_LOG.as_slice(),
                false => &[],
            }
            .iter()
            .chain(&words::counter::ALL)
            .map(|name| (*name, define(name)))
            .collect(),
            is_ready: gauge(words::gauge::POLICY_READY),
            is_waiting: gauge(words::gauge::POLICY_WAITING),
            is_deciding: gate
                .has_candidate()
                .then(|| gauge(words::gauge::SHADOW_ENFORCING))
                .flatten(),
            held: gauge(words::gauge::REQUESTS_WAITING),
            ready: Part::default(),
            deciding: Part::default(),
            at_revision: Part::default(),
            told_revision: RefCell::new(None),
            others: RefCell::new(BTreeMap::new()),
            activated_at: bundle(words::gauge::BUNDLE_ACTIVATED_AT),
            order: bundle(words::gauge::BUNDLE_ORDER),
        }
    }

    /// Counts what a decision says of itself; `took_ns` is what it took the gate, in nanoseconds.
    pub fn count_decision(&self, record: &Record, took_ns: Option<u64>) {
        let counted_as = |(reason, _): &&(Reason, Option<Counter>)| *reason == record.reason;
        let decisions = self.decisions.iter().find(counted_as);
        add(decisions.and_then(|(_, counter)| *counter), 1);
        if let (Some(duration), Some(took)) = (self.duration, took_ns) {
            counted(duration.record(took.div_ceil(1_000)));
        }
        if let Some(id) = &record.api_key {
            add(self.of_key(id), 1);
        }
        if record.self_check.is_some() {
            add(self.differences, 1);
        }
    }

    /// Counts where the candidate goes the other way.
    pub fn count_shadow(&self, shadow: Option<&Shadow>) {
        let Some(differs) = shadow.and_then(|it| it.differs) else {
            return;
        };
        let counted_as = |(of, _): &&((Direction, Reason), Option<Counter>)| *of == differs;
        let differences = self.shadow.iter().find(counted_as);
        add(differences.and_then(|(_, counter)| *counter), 1);
    }

    fn of_key(&self, id: &str) -> Option<Counter> {
        let mut own = self.api_key_uses.borrow_mut();
        match own.get(id) {
            Some(counter) => *counter,
            None if own.len() < MOST_KEYS => {
                let counter = define(&words::api_key_uses(id));
                own.insert(id.to_owned(), counter);
                counter
            }
            None => self.api_key_uses_of_others,
        }
    }

    /// Hands on what the gate has counted.
    pub fn count(&self, gate: &Gate) {
        for (name, by) in gate.take_counts() {
            add(self.counters.get(name).copied().flatten(), by);
        }
    }

    /// Counts this worker among those that have a policy, by its revision, or among the others; and among
    /// those whose candidate decides. Not before it has a callback: a host configures a filter once more
    /// than it has workers, and throws that away.
    pub fn tell_state(&self, gate: &Gate) {
        let revision = gate.revision();
        self.ready.tell(Some(match gate.has_policy() {
            true => self.is_ready,
            false => self.is_waiting,
        }));
        self.tell_revision(gate.has_policy().then_some(revision));
        self.deciding
            .tell(gate.is_candidate_deciding().then_some(self.is_deciding));
        for (name, value) in gate.take_gauges() {
            if let Some(gauge) = self.gauge(name) {
                counted(gauge.set(value));
            }
        }
    }

    fn tell_revision(&self, revision: Option<Option<&str>>) {
        let is_told =
            |told: &Option<Option<String>>| told.as_ref().map(Option::as_deref) == revision;
        if is_told(&self.told_revision.borrow()) {
            return;
        }
        let others = || self.gauge(words::POLICY_WORKERS_OF_OTHERS.to_owned());
        let gauge = revision.map(|it| self.gauge(words::policy_workers(it)).or_else(others));
        self.at_revision.tell(gauge);
        let told = revision.map(|it| it.map(str::to_owned));
        self.told_revision.replace(told);
    }

    /// One of those whose names are known only as they come up.
    fn gauge(&self, name: String) -> Option<Gauge> {
        let mut others = self.others.borrow_mut();
        if let Some(gauge) = others.get(&name) {
            return *gauge;
        }
        if others.len() >= MOST_OTHERS && name != words::POLICY_WORKERS_OF_OTHERS {
            return None;
        }
        let gauge = defined(&name, Gauge::define(&name));
        others.insert(name, gauge);
        gauge
    }

    /// One more request is held, or one less.
    pub fn held(&self, is_held: bool) {
        if let Some(gauge) = self.held {
            counted(gauge.add(if is_held { 1 } else { -1 }));
        }
    }

    /// This worker is gone.
    pub fn leave(&self) {
        for part in [&self.ready, &self.deciding, &self.at_revision] {
            part.tell(None);
        }
    }

    /// A bundle has become active.
    pub fn tell_activated(&self, active: &Activated, now_ns: u64) {
        let now = now_ns.checked_div(1_000_000_000);
        for (gauge, value) in [(self.activated_at, now), (self.order, active.order)] {
            if let (Some(gauge), Some(value)) = (gauge, value) {
                counted(gauge.set(value));
            }
        }
    }
}

/// A policy allows, or refuses for one of these.
fn shadow() -> Vec<((Direction, Reason), Option<Counter>)> {
    let ways = [
        (Direction::WouldAllow, Reason::PolicyAllowed),
        (Direction::WouldDeny, Reason::PolicyDenied),
        (Direction::WouldDeny, Reason::PolicyUndefined),
        (Direction::WouldDeny, Reason::PolicyError),
        (Direction::WouldDeny, Reason::PolicyBudget),
    ];
    let of = |way: (Direction, Reason)| (way, define(&words::shadow_differences(way.0, way.1)));
    ways.map(of).into()
}

fn define(name: &str) -> Option<Counter> {
    defined(name, Counter::define(name))
}

fn defined<T>(name: &str, metric: Result<T, host::Refused>) -> Option<T> {
    match metric {
        Ok(metric) => Some(metric),
        Err(host::Refused) => {
            host::log(
                LogLevel::Error,
                &format!("portcullis: the host gave no metric `{name}`"),
            );
            None
        }
    }
}

fn add(counter: Option<Counter>, by: u64) {
    if let Some(counter) = counter {
        counted(counter.add(by));
    }
}

fn counted(result: Result<(), host::Refused>) {
    if result.is_err() {
        host::log(LogLevel::Error, "portcullis: the host did not count");
    }
}
