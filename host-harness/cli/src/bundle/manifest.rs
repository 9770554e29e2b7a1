//! `.manifest`, as it is written: what the bundle says of itself, and of its place among others.

use crate::failure::Failure;
use clap::Args;
use portcullis_engine::bundle::Order;
use serde_json::{Map, Value, json};

#[derive(Args, Default)]
#[group(multiple = false)]
pub struct Place {
    /// Its number: a gate takes no bundle whose number is lower than the one it runs
    #[arg(long, value_name = "N")]
    pub sequence: Option<u64>,
    /// Its time, in place of a number, such as `2027-02-01T00:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time: Option<String>,
}

/// A time as it is written, where it is one.
pub fn time(text: &str) -> Result<String, String> {
    humantime::parse_rfc3339(text)
        .map(|_| text.to_owned())
        .map_err(|_| "expected a time such as 2027-02-01T00:00:00Z".to_owned())
}

impl Place {
    /// As it stands in `metadata.portcullis`.
    pub fn member(&self) -> Option<(&'static str, Value)> {
        match (self.sequence, &self.time) {
            (Some(number), _) => Some(("sequence", number.into())),
            (None, Some(time)) => Some(("time", time.as_str().into())),
            (None, None) => None,
        }
    }
}

/// A manifest that is being written.
pub struct Written(Map<String, Value>);

impl Written {
    pub fn new(revision: &str, roots: &[String], rego_version: u8) -> Written {
        let roots = match roots {
            [] => vec![String::new()],
            roots => roots.to_vec(),
        };
        let fields = [
            ("revision", json!(revision)),
            ("roots", json!(roots)),
            ("rego_version", json!(rego_version)),
        ];
        Written(
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        )
    }

    /// One that there is, which the gate's reader has taken; none says nothing.
    pub fn of(content: Option<&Vec<u8>>) -> Result<Written, Failure> {
        let Some(content) = content else {
            return Ok(Written(Map::new()));
        };
        serde_json::from_slice(content)
            .map(Written)
            .map_err(|error| Failure::new(format!("`.manifest`: {error}")))
    }

    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// In `metadata.portcullis`, where what others wrote into `metadata` stays.
    pub fn set_own(&mut self, name: &str, value: Value) {
        let metadata = self.0.entry("metadata").or_insert_with(|| json!({}));
        if metadata.is_null() {
            *metadata = json!({});
        }
        if let Some(metadata) = metadata.as_object_mut()
            && let Some(own) = metadata
                .entry("portcullis")
                .or_insert_with(|| json!({}))
                .as_object_mut()
        {
            own.insert(name.to_owned(), value);
        }
    }

    pub fn forget_own(&mut self, names: &[&str]) {
        let own = self
            .0
            .get_mut("metadata")
            .and_then(|it| it.get_mut("portcullis"));
        if let Some(own) = own.and_then(Value::as_object_mut) {
            own.retain(|name, _| !names.contains(&name.as_str()));
        }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        // Members are sorted, and numbers stay as they were written.
        Value::Object(self.0).to_string().into_bytes()
    }
}

/// Whether a gate that runs the other one takes this one; else why it does not.
pub fn is_later(order: Option<Order>, than: Option<Order>) -> Result<(), String> {
    match (order, than) {
        (Some(Order::Sequence(one)), Some(Order::Sequence(other))) if one > other => Ok(()),
        (Some(Order::Time(one)), Some(Order::Time(other))) if one > other => Ok(()),
        (None, _) => Err("it has no order".to_owned()),
        (_, None) => Err("the other one has no order".to_owned()),
        (Some(Order::Sequence(_)), Some(Order::Time(_)))
        | (Some(Order::Time(_)), Some(Order::Sequence(_))) => {
            Err("one has a sequence, the other one a time".to_owned())
        }
        _ => Err("it is not later than the other one".to_owned()),
    }
}
