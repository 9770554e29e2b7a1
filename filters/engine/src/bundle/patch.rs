//! `patch.json`: what a delta bundle changes (OPA's `v1/bundle/store.go`, `applyPatches`).

use super::{
    Manifest,
    fault::{Fault, shown},
};
use percent_encoding::percent_decode_str;
use portcullis_rego::{Value, value};
use std::{fmt, sync::Arc};

/// Of one operation. What it brings may be nested so much less than all of `data`.
pub const MAX_STEPS: usize = 32;
/// Operations in a unit.
const OPERATIONS: usize = 64;

/// Changes to `data`, all of which are made or none.
#[derive(Clone, PartialEq)]
pub struct Patch {
    operations: Vec<Operation>,
}

#[derive(Clone, PartialEq)]
struct Operation {
    kind: Kind,
    path: Vec<String>,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Upsert,
    Replace,
    Remove,
}

impl Patch {
    /// The data with the changes, which themselves are left as they are. What they do not touch is
    /// shared, not copied.
    ///
    /// # Errors
    /// Where something is to be replaced or removed that is not there, or nothing can stand there.
    pub fn apply(&self, data: &Value) -> Result<Value, Fault> {
        let mut applying = Applying::new(self.clone(), data.clone());
        loop {
            if let Some(changed) = applying.work()? {
                return Ok(changed);
            }
        }
    }

    /// Whether all of it lies within the roots of a bundle.
    ///
    /// # Errors
    /// Where some does not.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Fault> {
        let mut operations = self.operations.iter();
        match operations.find(|it| !manifest.permits(&it.path)) {
            None => Ok(()),
            Some(outside) => Err(manifest.outside("patch", &outside.path)),
        }
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.operations.iter().map(|operation| &operation.path);
        f.debug_list().entries(paths).finish()
    }
}

/// Changes on their way, one at a time.
pub struct Applying {
    patch: Patch,
    next: usize,
    changed: Value,
}

impl Applying {
    pub fn new(patch: Patch, data: Value) -> Applying {
        Applying {
            patch,
            next: 0,
            changed: data,
        }
    }

    /// One unit. The data with all changes, once they are made.
    ///
    /// # Errors
    /// As [`Patch::apply`].
    pub fn work(&mut self) -> Result<Option<Value>, Fault> {
        let index = self.next;
        let Some(operation) = self.patch.operations.get(index) else {
            return Ok(Some(std::mem::replace(&mut self.changed, Value::Null)));
        };
        self.next = index.saturating_add(1);
        operation.apply(&mut self.changed).map_err(|wrong| {
            let path = shown(&operation.path.join("/"));
            Fault::parse(format!("its operation {index} at {path} {wrong}"))
        })?;
        Ok(None)
    }
}

/// A patch that is being read.
pub struct Reading {
    items: Value,
    read: Vec<Operation>,
}

impl Reading {
    pub fn new(document: &Value) -> Result<Reading, Fault> {
        let items = document
            .as_object()
            .ok()
            .and_then(|document| document.get(&value::string("data")))
            .filter(|items| items.as_array().is_ok_and(|items| !items.is_empty()))
            .ok_or_else(|| Fault::parse("`patch.json` has no operations in `data`"))?;
        Ok(Reading {
            items: items.clone(),
            read: Vec::new(),
        })
    }

    /// One unit. The patch, once it is whole.
    pub fn work(&mut self, manifest: &Manifest) -> Result<Option<Patch>, Fault> {
        for _ in 0..OPERATIONS {
            let index = self.read.len();
            let Some(item) = self
                .items
                .as_array()
                .ok()
                .and_then(|items| items.get(index))
            else {
                let operations = std::mem::take(&mut self.read);
                return Ok(Some(Patch { operations }));
            };
            let operation = Operation::read(item).map_err(|wrong| {
                Fault::parse(format!("`patch.json`: its operation {index} {wrong}"))
            })?;
            if !manifest.permits(&operation.path) {
                return Err(manifest.outside("patch", &operation.path));
            }
            self.read.push(operation);
        }
        Ok(None)
    }
}

impl Operation {
    fn read(item: &Value) -> Result<Operation, String> {
        let members = item.as_object().map_err(|_| "is no object")?;
        let member = |name| members.get(&value::string(name));
        let text = |name| match member(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let kind = match text("op").map(|op| &**op) {
            Some("upsert") => Kind::Upsert,
            Some("replace") => Kind::Replace,
            Some("remove") => Kind::Remove,
            _ => return Err("has an `op` that is none of `upsert`, `replace` and `remove`".into()),
        };
        let path = text("path").ok_or("has no `path`")?;
        let path = steps(path).ok_or_else(|| {
            let path = shown(path);
            format!("has a `path` {path} that is none of 1 to {MAX_STEPS} steps, as `/a/b`")
        })?;
        let value = match (kind, member("value")) {
            (Kind::Remove, _) => Value::Null,
            // Go has no other null than one that is missing.
            (_, value) => value.cloned().unwrap_or(Value::Null),
        };
        Ok(Operation { kind, path, value })
    }

    fn apply(&self, data: &mut Value) -> Result<(), &'static str> {
        let Some((last, way)) = self.path.split_last() else {
            return Err("has no path");
        };
        let mut at = data;
        for step in way {
            at = match at {
                Value::Object(object) => {
                    let object = Arc::make_mut(object);
                    let name = value::string(step);
                    if self.kind != Kind::Upsert && !object.contains_key(&name) {
                        return Err("is for what is not there");
                    }
                    object.get_or_insert_with(name, Value::new_object)
                }
                Value::Array(items) => {
                    let index = index(step, items.len()).ok_or("is for what is not there")?;
                    let item = Arc::make_mut(items).get_mut(index);
                    item.ok_or("is for what is not there")?
                }
                _ => return Err("goes through what has no members"),
            };
        }
        match at {
            Value::Object(object) => {
                let (object, name) = (Arc::make_mut(object), value::string(last));
                if self.kind != Kind::Upsert && !object.contains_key(&name) {
                    return Err("is for what is not there");
                }
                match self.kind {
                    Kind::Remove => drop(object.remove(&name)),
                    Kind::Upsert | Kind::Replace => drop(object.insert(name, self.value.clone())),
                }
                Ok(())
            }
            Value::Array(_) => self.apply_to_item(at, last),
            _ => Err("goes through what has no members"),
        }
    }

    /// RFC 6902 section 4: an item is put before the one that has its index, or behind all with `-`.
    fn apply_to_item(&self, array: &mut Value, step: &str) -> Result<(), &'static str> {
        let missing = "is for what is not there";
        let items = array.as_array_mut().map_err(|_| missing)?;
        if self.kind == Kind::Upsert && step == "-" {
            items.push(self.value.clone());
            return Ok(());
        }
        let at = index(step, items.len()).ok_or(missing)?;
        if self.kind == Kind::Replace {
            *items.get_mut(at).ok_or(missing)? = self.value.clone();
            return Ok(());
        }
        let mut list = items.to_vec();
        match self.kind {
            Kind::Upsert => list.insert(at, self.value.clone()),
            _ => drop(list.remove(at)),
        }
        *array = Value::from(list);
        Ok(())
    }
}

/// Of an array of so many items, written as a number is.
fn index(step: &str, items: usize) -> Option<usize> {
    let index: usize = step.parse().ok()?;
    (index < items && index.to_string() == step).then_some(index)
}

/// The steps of a path: OPA undoes percent-encoding, then `~1` and `~0` (RFC 6901 section 4).
fn steps(path: &str) -> Option<Vec<String>> {
    let path = path.trim_matches('/');
    let steps: Option<Vec<String>> = path
        .split('/')
        .map(|step| {
            if !is_percent_encoded(step) {
                return None;
            }
            let step = percent_decode_str(step).decode_utf8().ok()?;
            Some(step.replace("~1", "/").replace("~0", "~"))
        })
        .collect();
    steps.filter(|steps| !path.is_empty() && steps.len() <= MAX_STEPS)
}

/// Go takes no `%` without two digits behind it.
fn is_percent_encoded(step: &str) -> bool {
    step.split('%').skip(1).all(|after| {
        let mut digits = after.bytes().take(2);
        let is_hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        is_hex(digits.next()) && is_hex(digits.next())
    })
}
