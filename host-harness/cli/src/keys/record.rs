//! What is stored of a key: an item of `api_keys.keys`, or of the list that `keys_from` names.

use portcullis_gatefile::{Field, yaml_line};
use serde_json::{Map, Value};

pub struct Record {
    pub id: String,
    pub hash: String,
    pub subject: String,
    pub scopes: Vec<String>,
    /// RFC 3339.
    pub not_before: Option<String>,
    pub expires: Option<String>,
}

impl Record {
    /// In the order in which they are written.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = vec![
            ("id", self.id.clone().into()),
            ("hash", self.hash.clone().into()),
            ("subject", self.subject.clone().into()),
        ];
        if !self.scopes.is_empty() {
            fields.push(("scopes", self.scopes.clone().into()));
        }
        for (name, time) in [("not_before", &self.not_before), ("expires", &self.expires)] {
            if let Some(time) = time {
                fields.push((name, time.clone().into()));
            }
        }
        fields
    }

    /// An item of a list, ready to paste.
    pub fn to_yaml(&self) -> String {
        format!("- {}", yaml_line(&self.fields()))
    }

    pub fn to_json(&self) -> Value {
        let fields = self.fields().into_iter();
        let fields: Map<String, Value> = fields.map(|(name, value)| (name.into(), value)).collect();
        fields.into()
    }
}
