//! The cases of a test whose rule makes up an object: `test_it[name] if { some name, case in cases; .. }`.

use std::collections::BTreeMap;

use crate::value::{self, Value};

/// One case, by its name. It failed where one below it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Whether it did not come to `true`.
    pub failed: bool,
    /// What it is made up of, where it is an object itself.
    pub cases: BTreeMap<String, Case>,
}

/// Those that the value has, and those that a body began with and that it does not have: each a list
/// of keys, as JSON.
pub(super) fn of(value: &Value, begun: &[String]) -> BTreeMap<String, Case> {
    let mut cases = match value {
        Value::Object(entries) => entries
            .iter_sorted()
            .map(|(key, value)| (name(&value::to_json(key)), case(value)))
            .collect(),
        _ => BTreeMap::new(),
    };
    for keys in begun {
        if let Ok(keys) = serde_json::from_str::<Vec<serde_json::Value>>(keys) {
            miss(&keys, &mut cases);
        }
    }
    cases
}

fn case(value: &Value) -> Case {
    match value {
        Value::Object(_) => {
            let cases = of(value, &[]);
            Case {
                failed: cases.values().any(|case| case.failed),
                cases,
            }
        }
        value => Case {
            failed: *value != Value::Bool(true),
            cases: BTreeMap::new(),
        },
    }
}

/// Whether the case these keys lead to failed, which it did where it is not there.
fn miss(keys: &[serde_json::Value], cases: &mut BTreeMap<String, Case>) -> bool {
    let Some((first, rest)) = keys.split_first() else {
        return true;
    };
    let failed = || Case {
        failed: true,
        cases: BTreeMap::new(),
    };
    let case = cases.entry(name(first)).or_insert_with(failed);
    if !rest.is_empty() && miss(rest, &mut case.cases) {
        case.failed = true;
    }
    case.failed
}

fn name(key: &serde_json::Value) -> String {
    match key {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
