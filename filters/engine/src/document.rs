//! Objects of the input document, made as far as somebody looks at them.

use portcullis_rego::{
    Reach,
    value::{self, Value},
};

/// An object in the making. What the host does not know is left out, and so is what nobody looks at.
pub struct Object<'r> {
    reach: &'r Reach,
    members: Vec<(Value, Value)>,
}

impl<'r> Object<'r> {
    pub fn within(reach: &'r Reach) -> Self {
        Object {
            reach,
            members: Vec::new(),
        }
    }

    pub fn whole() -> Object<'static> {
        Object::within(&Reach::Whole)
    }

    pub fn takes(&self, key: &str) -> bool {
        self.reach.member(key).is_some()
    }

    pub fn part(&mut self, key: &str, make: impl FnOnce(&Reach) -> Option<Value>) {
        if let Some(reach) = self.reach.member(key)
            && let Some(value) = make(reach)
        {
            self.members.push((value::string(key), value));
        }
    }

    pub fn put(&mut self, key: &str, value: Value) {
        self.part(key, |_| Some(value));
    }

    pub fn some(&mut self, key: &str, value: Option<Value>) {
        self.part(key, |_| value);
    }

    pub fn text(&mut self, key: &str, text: Option<&str>) {
        self.part(key, |_| {
            text.filter(|text| !text.is_empty()).map(value::string)
        });
    }
}

impl From<Object<'_>> for Value {
    fn from(object: Object<'_>) -> Value {
        value::object(object.members)
    }
}
