//! The list that keys are stored in: checked as the gate checks it, and replaced in one go.

use super::search;
use crate::failure::{Failure, Problem};
use portcullis_engine::{Gate, LoadError};
use portcullis_gatefile::{Document, Step};
use serde_json::{Value, json};
use std::{fs, io::Write, path::Path};

/// Whether the gate would take the list that a record stands in.
///
/// # Errors
/// All that is wrong with it.
pub fn check(document: &Document, record: &[Step]) -> Result<(), Failure> {
    let way = record.split_last().map_or(record, |(_, list)| list);
    let list = way
        .iter()
        .try_fold(&document.value, |here, step| match step {
            Step::Field(name) => here.get(name),
            Step::Item(index) => here.get(index),
        });
    let alone = json!({
        "policy": {
            "modules": {"none.rego": "package none\n\nx := true"},
            "entrypoint": "none/x",
            "data": {"records": list.unwrap_or(&Value::Null)},
        },
        // Any will do: no key is tried.
        "api_keys": {"keys_from": "records", "pepper": "pepper"},
    });
    let Err(errors) = Gate::load(alone.to_string().as_bytes(), &|_: &str| None) else {
        return Ok(());
    };
    let problem = |error: &LoadError| {
        let (path, message) = match error {
            LoadError::Field { path, message } => (path.as_str(), message.clone()),
            LoadError::Rego(error) => ("", error.to_string()),
        };
        let below = path.strip_prefix("policy.data.records").unwrap_or(path);
        let path = format!("{}{below}", search::shown(way));
        Problem {
            message: format!("{}: {path}: {message}", document.place(&path)),
            hint: None,
        }
    };
    Err(Failure(errors.iter().map(problem).collect()))
}

/// Puts a text in place of the document's, which must be as it was read. Whoever reads the file finds
/// the one or the other, never a part.
pub fn replace(document: &Document, text: &str) -> Result<(), Failure> {
    let wrong = |error: &std::io::Error| Failure::io(document.file.display(), error);
    // A link stays one, and what it leads to is replaced.
    let file = fs::canonicalize(&document.file).map_err(|error| wrong(&error))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut next = tempfile::Builder::new()
        .prefix(".portcullis-keys-")
        .tempfile_in(folder)
        .map_err(|error| wrong(&error))?;
    let now = fs::read(&file).map_err(|error| wrong(&error))?;
    let mark = "\u{feff}".as_bytes();
    let (mark, was) = match now.strip_prefix(mark) {
        Some(rest) => (mark, rest),
        None => (&[][..], now.as_slice()),
    };
    if was != document.text().as_bytes() {
        let message = format!("{}: somebody changed it meanwhile", document.file.display());
        return Err(Failure::new(message).hint("nothing was written; try again"));
    }
    let written = fs::metadata(&file).and_then(|metadata| {
        next.write_all(mark)?;
        next.write_all(text.as_bytes())?;
        next.as_file().set_permissions(metadata.permissions())?;
        next.as_file().sync_all()
    });
    written.map_err(|error| wrong(&error))?;
    next.persist(&file).map_err(|error| wrong(&error.error))?;
    Ok(())
}
