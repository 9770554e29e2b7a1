//! A gate that is asked no more. To drop a hundred thousand records at once would stop a worker for as
//! long as that takes: they go some at a time, once no request is left that began with it.

use crate::{
    config::api_keys::{ApiKey, Keys},
    gate::Gate,
};
use portcullis_rego::{Dismantling, Value};
use std::sync::Arc;

pub enum Old {
    /// Some request may still ask it.
    Gate(Arc<Gate>, Value),
    Keys(Box<dyn Iterator<Item = ApiKey> + Send>, Value),
    Data(Dismantling),
}

/// Keys of one step: well under a millisecond's worth.
const STEP: usize = 64;

impl Old {
    /// With the data of the bundle that its policy was of.
    pub fn new(gate: Arc<Gate>, data: Option<Value>) -> Old {
        Old::Gate(gate, data.unwrap_or(Value::Undefined))
    }

    /// Whether it is held by nobody else.
    pub fn can_go(&self) -> bool {
        match self {
            Old::Gate(gate, _) => Arc::strong_count(gate) == 1,
            Old::Keys(..) | Old::Data(_) => true,
        }
    }

    /// Goes on; whether nothing is left.
    pub fn work(&mut self, more: &mut dyn FnMut() -> bool) -> bool {
        while self.can_go() && more() {
            *self = match std::mem::replace(self, Old::Data(Dismantling::new(Value::Undefined))) {
                // The policy goes with its gate, so that only this holds the data.
                Old::Gate(gate, data) => {
                    let keys = Arc::into_inner(gate).and_then(Gate::into_keys);
                    let keys = keys.into_iter().flat_map(Keys::into_each);
                    Old::Keys(Box::new(keys), data)
                }
                Old::Keys(mut keys, data) => match keys.by_ref().take(STEP).count() {
                    0 => Old::Data(Dismantling::new(data)),
                    _ => Old::Keys(keys, data),
                },
                Old::Data(mut data) => {
                    if data.work(more) {
                        return true;
                    }
                    Old::Data(data)
                }
            };
        }
        false
    }
}
