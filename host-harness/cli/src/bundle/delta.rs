//! What changes of the data from one bundle to the next, as `patch.json` has it (OPA's
//! `v1/bundle/store.go`).

use super::{
    archive::{DATA, Files},
    manifest::is_later,
    opened::{Opened, shown_order},
};
use crate::{failure::Failure, policy::rego_value};
use portcullis_engine::bundle::Content;
use portcullis_rego::{RegoVersion, value};
use serde_json::{Map, Value, json};

/// Below it a value is replaced as a whole. A gate takes 32 steps.
const MAX_STEPS: usize = 16;

/// The patch from a bundle to these files and this data.
///
/// # Errors
/// Where more differs than data, or nothing does.
pub fn between(
    old: &Opened,
    files: &Files,
    data: &Value,
    version: RegoVersion,
) -> Result<Vec<u8>, Failure> {
    let name = old.path.display();
    let Some((modules, was)) = old.snapshot() else {
        return Err(Failure::new(format!("{name}: it is a delta itself"))
            .hint("a delta is built from a bundle that has everything"));
    };
    if old.manifest().revision.is_empty() {
        return Err(Failure::new(format!(
            "{name}: it has no revision, so no delta can be for it"
        )));
    }
    let are = files.iter().filter(|(name, _)| *name != DATA);
    let are: Vec<(&str, &[u8])> = are.map(|(name, text)| (&**name, &**text)).collect();
    let were: Vec<(&str, &[u8])> = modules
        .iter()
        .map(|module| (&*module.path, module.text.as_bytes()))
        .collect();
    if are != were || (!are.is_empty() && old.manifest().rego_version != version) {
        let differs = are
            .iter()
            .chain(&were)
            .find(|module| !are.contains(module) || !were.contains(module));
        let which = differs.map_or("its Rego version", |(name, _)| name);
        return Err(Failure::new(format!(
            "{name}: it has other modules ({which}), and a delta changes data alone"
        ))
        .hint("leave --delta-from away"));
    }
    let mut operations = Vec::new();
    match (value::to_json(&was), data) {
        (Value::Object(was), Value::Object(is)) => compare("", &was, is, 1, &mut operations),
        _ => return Err(Failure::new("`data` is no object")),
    }
    match operations.is_empty() {
        true => Err(Failure::new(format!("{name}: it has the same data"))),
        false => Ok(json!({ "data": operations }).to_string().into_bytes()),
    }
}

/// That a gate that runs the old bundle comes to this data by the delta.
pub fn check(delta: &Opened, old: &Opened, data: &Value) -> Result<(), Failure> {
    if let (Some(order), Err(why)) = (old.order(), is_later(delta.order(), old.order())) {
        let message = format!("gates would refuse the delta: {why}");
        return Err(Failure::new(message).hint(format!(
            "{} has {}",
            old.path.display(),
            shown_order(Some(order))
        )));
    }
    let wrong = |why: String| Failure::new(format!("the delta comes to something else: {why}"));
    let (Some((_, was)), (_, Content::Delta(patch))) = (old.snapshot(), delta.content()) else {
        return Err(wrong("it is none".to_owned()));
    };
    let is = patch
        .apply(&was)
        .map_err(|fault| wrong(fault.to_string()))?;
    match is == rego_value(data)? {
        true => Ok(()),
        false => Err(wrong("its data differs".to_owned())),
    }
}

fn compare(
    path: &str,
    was: &Map<String, Value>,
    is: &Map<String, Value>,
    steps: usize,
    operations: &mut Vec<Value>,
) {
    for name in was.keys().filter(|name| !is.contains_key(*name)) {
        let path = format!("{path}/{}", step(name));
        operations.push(json!({"op": "remove", "path": path}));
    }
    for (name, value) in is {
        let path = format!("{path}/{}", step(name));
        match (was.get(name), value) {
            (Some(was), value) if was == value => {}
            (Some(Value::Object(was)), Value::Object(is)) if can_compare(was, is, steps) => {
                compare(&path, was, is, steps + 1, operations);
            }
            _ => operations.push(json!({"op": "upsert", "path": path, "value": value})),
        }
    }
}

/// A member without a name cannot be the last step of a path.
fn can_compare(was: &Map<String, Value>, is: &Map<String, Value>, steps: usize) -> bool {
    steps < MAX_STEPS && !was.contains_key("") && !is.contains_key("")
}

/// A name in a path: OPA undoes percent-encoding, then RFC 6901's.
fn step(name: &str) -> String {
    name.replace('~', "~0")
        .replace('/', "~1")
        .replace('%', "%25")
}
