//! One configuration of the filter on one worker.

use crate::{host, stream::Stream};
use portcullis_engine::Gate;
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{BufferType, ContextType, LogLevel},
};
use std::rc::Rc;

#[derive(Default)]
pub struct Root {
    /// Absent until a configuration was accepted: then every request is refused.
    gate: Option<Rc<Gate>>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Deterministic: the same document and environment always give the same answer, or a worker
    /// could end up without its filter while the others have theirs.
    fn on_configure(&mut self, _size: usize) -> bool {
        let document = host::buffer(BufferType::PluginConfiguration).unwrap_or_default();
        match Gate::load(&document, &|name: &str| std::env::var(name).ok()) {
            Ok(gate) => {
                self.gate = Some(Rc::new(gate));
                true
            }
            Err(errors) => {
                host::log(
                    LogLevel::Critical,
                    &format!("portcullis: the configuration is refused: {errors}"),
                );
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.gate.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
