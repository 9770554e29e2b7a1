//! Large values taken apart a slice at a time: to drop one at once takes as long as it is large.

use std::sync::Arc;

use crate::value::Value;

/// What is still to be dropped of a value. Dropped itself, it drops the rest at once.
pub struct Dismantling(Vec<Box<dyn Iterator<Item = (Value, Value)> + Send>>);

impl Dismantling {
    /// What another holds too is left to it: whoever has a policy drops that first.
    pub fn new(value: Value) -> Dismantling {
        let mut dismantling = Dismantling(Vec::new());
        dismantling.open(value);
        dismantling
    }

    /// Drops one member after the other while `more()`, and says whether nothing is left.
    pub fn work(&mut self, more: &mut dyn FnMut() -> bool) -> bool {
        while let Some(members) = self.0.last_mut() {
            if !more() {
                return false;
            }
            match members.next() {
                Some((key, value)) => {
                    self.open(key);
                    self.open(value);
                }
                None => {
                    self.0.pop();
                }
            }
        }
        true
    }

    fn open(&mut self, value: Value) {
        match value {
            Value::Object(members) => {
                let members = Arc::into_inner(members).into_iter().flatten();
                self.0.push(Box::new(members));
            }
            Value::Array(items) => {
                let items = Arc::into_inner(items).into_iter().flatten();
                self.0.push(Box::new(items.map(|item| (Value::Null, item))));
            }
            Value::Set(items) => {
                let items = Arc::into_inner(items).into_iter().flatten();
                self.0.push(Box::new(items.map(|item| (Value::Null, item))));
            }
            _ => {}
        }
    }
}
