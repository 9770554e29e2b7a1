//! Data files become one document in slices, as OPA merges them: objects into each other, and nothing
//! else into anything.

use super::fault::{Fault, shown};
use portcullis_rego::Value;
use std::sync::Arc;

/// Members in a unit.
const MEMBERS: usize = 64;

type Entries = Box<dyn Iterator<Item = (Value, Value)> + Send + Sync>;

/// One file's value on its way into the document.
pub struct Merge {
    file: String,
    /// Where the members that come next belong.
    path: Vec<Arc<str>>,
    open: Vec<Entries>,
}

impl Merge {
    /// # Errors
    /// Where something else than an object would be all of `data`, or stands there already.
    pub fn new(
        file: &str,
        path: &[String],
        value: Value,
        document: &mut Value,
    ) -> Result<Merge, Fault> {
        let mut merge = Merge {
            file: file.to_owned(),
            path: Vec::new(),
            open: Vec::new(),
        };
        let mut path: Vec<Arc<str>> = path.iter().map(|name| Arc::from(&**name)).collect();
        match path.pop() {
            None if !matches!(value, Value::Object(_)) => {
                let why = format!("its file {} is no object", shown(file));
                return Err(Fault::parse(why));
            }
            None if is_empty(document) => *document = value,
            None => merge.open.push(entries(value)),
            Some(last) => {
                merge.path = path;
                if let Some(more) =
                    merge.place(Value::String(Arc::clone(&last)), value, document)?
                {
                    merge.path.push(last);
                    merge.open.push(more);
                }
            }
        }
        Ok(merge)
    }

    /// One unit. Whether it is all there.
    pub fn work(&mut self, document: &mut Value) -> Result<bool, Fault> {
        for _ in 0..MEMBERS {
            let Some(entries) = self.open.last_mut() else {
                return Ok(true);
            };
            let Some((name, value)) = entries.next() else {
                self.open.pop();
                self.path.pop();
                continue;
            };
            if let Some(more) = self.place(name.clone(), value, document)?
                && let Value::String(name) = name
            {
                self.path.push(name);
                self.open.push(more);
            }
        }
        Ok(false)
    }

    /// Where an object stands already, what has to go into it.
    fn place(
        &self,
        name: Value,
        value: Value,
        document: &mut Value,
    ) -> Result<Option<Entries>, Fault> {
        let mut at = document;
        for step in &self.path {
            let Ok(object) = at.as_object_mut() else {
                return Err(self.conflict(&name));
            };
            at = object.get_or_insert_with(Value::String(Arc::clone(step)), Value::new_object);
        }
        let Ok(object) = at.as_object_mut() else {
            return Err(self.conflict(&name));
        };
        match (object.get(&name), value) {
            (None, value) => {
                object.insert(name, value);
                Ok(None)
            }
            (Some(Value::Object(_)), value @ Value::Object(_)) => Ok(Some(entries(value))),
            _ => Err(self.conflict(&name)),
        }
    }

    fn conflict(&self, name: &Value) -> Fault {
        let mut path: Vec<&str> = self.path.iter().map(|step| &**step).collect();
        if let Value::String(name) = name {
            path.push(name);
        }
        Fault::parse(format!(
            "its file {} says what another one says already, at {}",
            shown(&self.file),
            shown(&path.join("/"))
        ))
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_ok_and(|object| object.is_empty())
}

fn entries(value: Value) -> Entries {
    match value {
        // Nobody else holds it, so nothing is copied.
        Value::Object(object) => Box::new(Arc::unwrap_or_clone(object).into_iter()),
        _ => Box::new(std::iter::empty()),
    }
}
