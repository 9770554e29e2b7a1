//! A gate that is asked no more. To drop a hundred thousand records at once would stop a worker for as
//! long as that takes: they go some at a time, once no request is left that began with it.

use crate::gate::Gate;
use portcullis_rego::{Dismantling, Value};
use std::sync::Arc;

pub enum Old {
    /// Some request may still ask it.
    Gate(Arc<Gate>, Value),
    Data(Dismantling),
}

impl Old {
    /// With the data of the bundle that its policy was of.
    pub fn new(gate: Arc<Gate>, data: Option<Value>) -> Old {
        Old::Gate(gate, data.unwrap_or(Value::Undefined))
    }

    /// Whether it is held by nobody else.
    pub fn can_go(&self) -> bool {
        match self {
            Old::Gate(gate, _) => Arc::strong_count(gate) == 1,
            Old::Data(_) => true,
        }
    }

    /// Goes on; whether nothing is left.
    pub fn work(&mut self, more: &mut dyn FnMut() -> bool) -> bool {
        if !self.can_go() || !more() {
            return false;
        }
        match self {
            Old::Gate(_, data) => {
                let data = std::mem::replace(data, Value::Undefined);
                // The policy goes with its gate, so that only this holds the data.
                *self = Old::Data(Dismantling::new(Value::Undefined));
                *self = Old::Data(Dismantling::new(data));
                false
            }
            Old::Data(data) => data.work(more),
        }
    }
}
