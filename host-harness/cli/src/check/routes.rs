//! Routes that no request comes to: the first that matches wins.

use super::{finding::Finding, kinds::UNREACHABLE_ROUTE};
use portcullis_gatefile::GateFile;
use serde_json::{Map, Value};

/// Only what is certain: an earlier route asks nothing that the later one does not ask too.
pub fn check(gate: &GateFile) -> Vec<Finding> {
    let routes = gate.document.get("routes").and_then(Value::as_array);
    let matches: Vec<&Map<String, Value>> = routes
        .into_iter()
        .flatten()
        .filter_map(|route| route.get("match")?.as_object())
        .collect();
    let mut findings = Vec::new();
    for (index, later) in matches.iter().enumerate() {
        let mut earlier = matches.iter().take(index);
        let Some(first) = earlier.position(|earlier| covers(earlier, later)) else {
            continue;
        };
        let message =
            format!("routes[{index}] is never taken: routes[{first}] matches all that it matches");
        let place = gate.place(&format!("routes[{index}].match"));
        let finding = Finding::new(&UNREACHABLE_ROUTE, place, message);
        findings.push(finding.hint(format!("put it before routes[{first}], or remove it")));
    }
    findings
}

fn covers(earlier: &Map<String, Value>, later: &Map<String, Value>) -> bool {
    earlier.iter().all(|(key, value)| {
        let Some(own) = later.get(key) else {
            return false;
        };
        match (value.as_array(), own.as_array()) {
            (Some(all), Some(some)) => some.iter().all(|it| all.contains(it)),
            _ => own == value,
        }
    })
}
