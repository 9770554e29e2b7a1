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
use std::{fmt::Display, rc::Rc, sync::Arc};

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

/// A configuration that was accepted.
pub struct Accepted {
    pub live: Live,
    pub fetching: Fetching,
    pub bodies: Bodies,
    /// For requests whose exchanges go on.
    pub room: Room,
    pub metrics: Metrics,
}

impl Accepted {
    fn new(gate: Gate) -> Accepted {
        Accepted {
            metrics: Metrics::new(&gate),
            fetching: Fetching::default(),
            bodies: Bodies::default(),
            room: Room::default(),
            live: Live::new(gate),
        }
    }

    /// Counts, and says in the log what operators should know of a decision.
    pub fn tell(&self, record: &Record, took_ns: Option<u64>) {
        let gate = self.live.current();
        self.metrics.count(&gate);
        self.metrics.tell_state(&gate);
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
    /// Counts, and says in the log, what came of a decision afterwards.
    pub fn told(&self, told: &Told) {
        self.metrics.count_shadow(told.shadow.as_ref());
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
        }
    }

    fn on_done(&mut self) -> bool {
        if let Some(accepted) = &self.accepted {
            accepted.metrics.leave();
        }
        true
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
            accepted.metrics.tell_state(&gate);
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
