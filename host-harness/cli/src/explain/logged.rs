//! A decision that was logged with the input it was made on.

use crate::{
    failure::Failure,
    logs::{
        self, Log,
        found::{self, Found, Lack},
        rest::{Rest, counted},
    },
    terminal,
};
use indicatif::ProgressBar;
use portcullis_rego::Reach;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The event of an id, or the last one, in every form of log that `replay` reads. What is no event, or cannot
/// be read, hides no other: it is passed over, and told.
pub fn find(log: &PathBuf, id: Option<&str>) -> Result<Value, Failure> {
    let logs = std::slice::from_ref(log);
    logs::check(logs)?;
    let (found, rest, has_events) = search(log, id)?;
    let names = logs::names(logs);
    let name = names.join(", ");
    let passed = passed_over(&rest, &names);
    let Some(event) = found else {
        let id = match id {
            Some(id) if has_events => id,
            _ => return Err(rest.no_event(&names)),
        };
        let failure = Failure::new(format!(
            "{name}: no decision has the id `{}`",
            id.escape_debug()
        ));
        return Err(match passed.is_empty() {
            true => failure,
            false => failure.hint(passed.join("; ")),
        });
    };
    for note in &passed {
        terminal::warn(note);
    }
    match (event.get("input"), event.get("reason")) {
        (Some(Value::Object(_)), _) => Ok(event),
        // Refused before a policy was asked: the reason is all there is.
        (None, Some(_)) if event.get("rule").is_none_or(Value::is_null) => Ok(event),
        _ => Err(Failure::new(format!(
            "{}: the decision has no `input`: it was logged without",
            name
        ))
        .hint("`serve --decision-log FILE` logs decisions with their input")),
    }
}

/// The event, what stands beside the events, and whether there is any.
fn search(log: &Path, id: Option<&str>) -> Result<(Option<Value>, Rest, bool), Failure> {
    let mut log = Log::open(log, &ProgressBar::hidden())?;
    let mut rest = Rest::default();
    let (mut bytes, mut found, mut has_events) = (Vec::new(), None, false);
    while let Some(record) = log.next(&mut bytes)? {
        let of_record = bytes.get(record.at.clone()).unwrap_or_default();
        match found::find(of_record, &record, &Reach::Whole) {
            Found::Event {
                event,
                json,
                is_followed,
            } => {
                has_events = true;
                // The beginning of an id will do.
                if id.is_none_or(|id| event.id().is_some_and(|known| known.starts_with(id))) {
                    found = found::whole(json);
                }
                if is_followed {
                    rest.add(Lack::Broken, (0, record.line));
                }
            }
            Found::None(lack) => rest.add(lack, (0, record.line)),
        }
        bytes.clear();
    }
    if let Some(early) = log.early {
        rest.ends_early(0, early);
    }
    Ok((found, rest, has_events))
}

/// What was no event.
fn passed_over(rest: &Rest, names: &[String]) -> Vec<String> {
    let mut notes = rest.notes(names);
    if rest.other > 0 {
        let lines = counted(rest.other, "line is no decision", "lines are no decisions");
        notes.push(format!("{}: {lines}", names.join(", ")));
    }
    notes
}
