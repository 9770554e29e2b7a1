//! A decision that was logged with the input it was made on.

use crate::failure::Failure;
use serde_json::Value;
use std::{fs, io::Read, path::Path};

/// The event of an id, or the last one.
pub fn find(log: &Path, id: Option<&str>) -> Result<Value, Failure> {
    let text = read(log)?;
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let number = index.saturating_add(1);
        let event: Value = serde_json::from_str(line).map_err(|error| {
            Failure::new(format!("{}:{number}: invalid JSON: {error}", log.display()))
        })?;
        let known = event.get("decision_id").and_then(Value::as_str);
        // The beginning of an id will do.
        if id.is_none_or(|id| known.is_some_and(|known| known.starts_with(id))) {
            found = Some(event);
        }
    }
    let Some(event) = found else {
        let what = match id {
            Some(id) => format!("no decision has the id `{}`", id.escape_debug()),
            None => "there is no decision in it".to_owned(),
        };
        return Err(Failure::new(format!("{}: {what}", log.display())));
    };
    match (event.get("input"), event.get("reason")) {
        (Some(Value::Object(_)), _) => Ok(event),
        // Refused before a policy was asked: the reason is all there is.
        (None, Some(_)) if event.get("rule").is_none_or(Value::is_null) => Ok(event),
        _ => Err(Failure::new(format!(
            "{}: the decision has no `input`: it was logged without",
            log.display()
        ))
        .hint("`serve --decision-log FILE` logs decisions with their input")),
    }
}

fn read(log: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::io(log.display(), &error);
    if log.as_os_str() != "-" {
        return fs::read_to_string(log).map_err(failed);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
