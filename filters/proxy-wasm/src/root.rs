//! One configuration of the filter on one worker.

use crate::{
    after::Room, body::Bodies, fetching::Fetching, host, kept, metrics::Metrics, native,
    replay::SharedStore, stream::Stream,
};
use portcullis_engine::{Event, Gate, Live, Record, Told};
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{BufferType, ContextType, LogLevel},
};
use std::{cell::Cell, fmt::Display, rc::Rc, sync::Arc};

pub struct Root {
    id: u32,
    /// Absent until a configuration was accepted: then every request is refused.
    accepted: Option<Rc<Accepted>>,
}

impl Root {
    pub fn new(id: u32) -> Root {
        Root { id, accepted: None }
    }
}

/// What becomes of a context that the host has done with.
#[derive(Clone, Copy, PartialEq)]
enum End {
    NotYet,
    /// The host was told to wait.
    Waits,
    Over,
}

/// A configuration that was accepted.
pub struct Accepted {
    pub live: Live,
    pub fetching: Fetching,
    pub bodies: Bodies,
    /// For requests whose exchanges go on.
    pub room: Room,
    pub metrics: Metrics,
    end: Cell<End>,
}

impl Accepted {
    fn new(gate: Gate) -> Accepted {
        Accepted {
            metrics: Metrics::new(&gate),
            fetching: Fetching::default(),
            bodies: Bodies::default(),
            room: Room::default(),
            live: Live::new(gate),
            end: Cell::new(End::NotYet),
        }
    }

    /// Counts, and says in the log what operators should know of a decision.
    pub fn tell(&self, record: &Record, took_ns: Option<u64>) {
        let gate = self.live.current();
        self.metrics.count(&gate);
        if self.end.get() == End::NotYet {
            self.metrics.tell_state(&gate);
        }
        self.metrics.count_decision(record, took_ns);
        if let Some(difference) = &record.self_check {
            let rule = record.rule.as_deref().unwrap_or_default();
            host::log(
                LogLevel::Warn,
                &format!(
                    "portcullis: self check: on `{rule}` {difference}; the stricter holds, and this \
                     worker now leaves the rule to the interpreter (decision {})",
                    record.decision_id
                ),
            );
        }
    }
}

impl Accepted {
    /// Goes, once what waited is sent, or cannot be.
    fn end(&self) {
        if self.end.get() == End::Waits && self.has_left() && host::done().is_err() {
            host::log(
                LogLevel::Error,
                "portcullis: the host did not let a context go",
            );
        }
    }

    /// Whether there is nothing more to wait for. What could not be sent is in the log then.
    fn has_left(&self) -> bool {
        let gate = self.live.current();
        let has_ended = host::now_ns().is_none_or(|now| gate.log_has_ended(now));
        if !has_ended {
            return false;
        }
        self.end.set(End::Over);
        let left = gate.leave_log();
        if !left.is_empty() {
            let message = format!(
                "portcullis: decision_log: {} events could not be uploaded before the end; they follow",
                left.len()
            );
            host::log(LogLevel::Warn, &message);
        }
        for event in &left {
            host::log(LogLevel::Warn, event);
        }
        self.metrics.count(&gate);
        true
    }

    /// Counts, and says in the log, what came of a decision afterwards.
    pub fn told(&self, told: &Told) {
        self.metrics.count_shadow(told.shadow.as_ref());
        if let Some(event) = &told.event {
            host::log(LogLevel::Info, event);
        }
        for (is_warning, line) in &told.lines {
            let level = match is_warning {
                true => LogLevel::Warn,
                false => LogLevel::Info,
            };
            host::log(level, &format!("portcullis: {line}"));
        }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _: usize) {
        if let Some(accepted) = &self.accepted {
            let (live, fetching) = (&accepted.live, &accepted.fetching);
            fetching.answered(self.id, live, token, headers, body_size);
            accepted.metrics.count(&live.current());
            accepted.end();
        }
    }

    /// Where events of decisions wait for their upload, so does this.
    fn on_done(&mut self) -> bool {
        let Some(accepted) = &self.accepted else {
            return true;
        };
        accepted.metrics.leave();
        let gate = accepted.live.current();
        let waits = host::now_ns().is_some_and(|now| gate.end_log(now));
        accepted.end.set(match waits {
            true => End::Waits,
            false => End::Over,
        });
        if waits {
            accepted.fetching.end(&accepted.live);
        }
        accepted.metrics.count(&gate);
        // Nobody could make the call.
        let waits = waits && !accepted.has_left();
        !waits
    }
}

impl RootContext for Root {
    /// Deterministic: the same document and environment always give the same answer, or a worker
    /// could end up without its filter while the others have theirs.
    fn on_configure(&mut self, _size: usize) -> bool {
        let document = host::buffer(BufferType::PluginConfiguration).unwrap_or_default();
        let refuse = |why: &dyn Display| {
            let message = format!("portcullis: the configuration is refused: {why}");
            host::log(LogLevel::Critical, &message);
            false
        };
        let verifier = match native::verifier() {
            Ok(verifier) => verifier,
            Err(why) => return refuse(&why),
        };
        match Gate::load(&document, &|name: &str| std::env::var(name).ok()) {
            Ok(gate) => {
                let store = Arc::new(SharedStore::of_plugin());
                let gate = gate
                    .verified_by(verifier)
                    .remembering(store, host::now_ns());
                let accepted = Accepted::new(gate);
                kept::begin(&accepted.live);
                accepted.fetching.start();
                self.accepted = Some(Rc::new(accepted));
                true
            }
            Err(errors) => refuse(&errors),
        }
    }

    fn on_tick(&mut self) {
        if let Some(accepted) = &self.accepted {
            let event = accepted.fetching.tick(self.id, &accepted.live);
            let gate = accepted.live.current();
            accepted.metrics.count(&gate);
            accepted.end();
            if accepted.end.get() == End::NotYet {
                accepted.metrics.tell_state(&gate);
            }
            if let (Some(Event::Activated(active)), Some(now)) = (event, host::now_ns()) {
                accepted.metrics.tell_activated(&active, now);
                if let Some(packed) = &active.keep {
                    kept::keep(&accepted.live, packed, active.order);
                }
            }
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(context_id, self.accepted.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
