//! An input with nothing in it but what a policy looks at: it must do for every evaluation.

use portcullis_rego::{
    Reach,
    value::{self, Value},
};

/// What is within reach of a value.
pub fn within(reach: &Reach, value: &Value) -> Value {
    let (Reach::Members(_), Value::Object(members)) = (reach, value) else {
        return value.clone();
    };
    value::object(members.iter().filter_map(|(name, value)| {
        let text = name.as_string().ok()?;
        let reach = reach.member(text)?;
        Some((name.clone(), within(reach, value)))
    }))
}
