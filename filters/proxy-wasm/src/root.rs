//! One configuration of the filter on one worker.

use crate::{host, native, stream::Stream};
use portcullis_engine::{Gate, words};
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{BufferType, ContextType, LogLevel},
};
use std::{fmt::Display, rc::Rc};

#[derive(Default)]
pub struct Root {
    /// Absent until a configuration was accepted: then every request is refused.
    accepted: Option<Rc<Accepted>>,
}

/// A configuration that was accepted.
pub struct Accepted {
    pub gate: Gate,
    /// Of requests on which the evaluators differed, where the gate looks for them.
    pub differences: Option<host::Counter>,
}

impl Accepted {
    fn new(gate: Gate) -> Accepted {
        // Nothing depends on it but what operators see.
        let define = || match host::Counter::define(words::SELF_CHECK_DIFFERENCES) {
            Ok(counter) => Some(counter),
            Err(host::Refused) => {
                host::log(LogLevel::Error, "portcullis: the host gave no counter");
                None
            }
        };
        Accepted {
            differences: gate.self_checks().then(define).flatten(),
            gate,
        }
    }
}

impl Context for Root {}

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
                let gate = gate.verified_by(verifier);
                self.accepted = Some(Rc::new(Accepted::new(gate)));
                true
            }
            Err(errors) => refuse(&errors),
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.accepted.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
