//! A schema's members by their names, of the types they must have, in OPA's words.

use std::sync::Arc;

use regorus::value::{Array, Object};

use crate::{
    builtins::call::Failure,
    value::{self, Value},
};

pub(super) fn member<'a>(members: &'a Object, name: &str) -> Option<&'a Value> {
    members.get(&value::string(name))
}

pub(super) fn invalid(expected: &str, given: &str) -> Failure {
    Failure::error(format!(
        "Invalid type. Expected: {expected}, given: {given}"
    ))
}

/// A schema's members by their names.
pub(super) struct Keywords<'a> {
    pub members: &'a Object,
}

impl<'a> Keywords<'a> {
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        member(self.members, name)
    }

    pub fn string(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.shared_string(name).map(|text| text.map(AsRef::as_ref))
    }

    pub fn shared_string(&self, name: &str) -> Result<Option<&'a Arc<str>>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid("string", name)),
        }
    }

    pub fn array(&self, name: &str) -> Result<Option<&'a Array>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(Failure::error(format!("{name} must be of an array"))),
        }
    }

    pub fn count(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(count) = self.get(name) else {
            return Ok(None);
        };
        let count = match count {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        let Some(count) = count else {
            return Err(Failure::error(format!("{name} must be of an integer")));
        };
        u64::try_from(count)
            .map(Some)
            .map_err(|_| Failure::error(format!("{name} must be greater than or equal to 0")))
    }
}
