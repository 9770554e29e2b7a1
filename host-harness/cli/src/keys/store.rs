//! The list that keys are stored in: checked as the gate checks it, and replaced in one go.

use super::search;
use crate::{
    failure::{Failure, Problem},
    terminal,
};
use portcullis_engine::{Gate, LoadError};
use portcullis_gatefile::{Document, Step};
use serde_json::{Value, json};
use std::{
    fs::{self, File, Metadata, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
};

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

/// A file that no other rotation edits while this lives.
///
/// What is locked is the folder that the file is in: the file itself is replaced, so that who waits
/// for a lock on it would get one on what is no more. Only commands that ask for the lock heed it.
pub struct Held {
    /// Where links lead to: a link stays one, and what it leads to is replaced.
    file: PathBuf,
    /// Unlocked when it is closed.
    _folder: File,
}

impl Held {
    /// Waits until nobody else has it. What is to be edited is read after this.
    ///
    /// # Errors
    /// Where there is no such file, or its folder takes no lock.
    pub fn take(file: &Path) -> Result<Held, Failure> {
        let real = fs::canonicalize(file).map_err(|error| match Document::read(file) {
            // In the words that every command has for it.
            Err(finding) => finding.into(),
            Ok(_) => Failure::io(file.display(), &error),
        })?;
        let folder = folder(&real);
        let locked = File::open(folder).and_then(|opened| {
            match opened.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    terminal::say(&format!(
                        "{}: waiting for who else edits here",
                        folder.display()
                    ));
                    opened.lock()?;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(opened)
        });
        let locked = locked.map_err(|error| {
            Failure::new(format!("{}: cannot be locked: {error}", folder.display()))
                .hint("nothing was written; without a lock two rotations at a time lose a key")
        })?;
        Ok(Held {
            file: real,
            _folder: locked,
        })
    }

    /// Puts a text in place of the document's, which must be as it was read. Whoever reads the file
    /// finds the one or the other, never a part. It keeps its owner, its group and its mode.
    pub fn replace(&self, document: &Document, text: &str) -> Result<(), Failure> {
        let wrong = |error: &io::Error| Failure::io(document.file.display(), error);
        let mut next = tempfile::Builder::new()
            .prefix(".portcullis-keys-")
            .tempfile_in(folder(&self.file))
            .map_err(|error| wrong(&error))?;
        let now = fs::read(&self.file).map_err(|error| wrong(&error))?;
        let mark = "\u{feff}".as_bytes();
        let (mark, was) = match now.strip_prefix(mark) {
            Some(rest) => (mark, rest),
            None => (&[][..], now.as_slice()),
        };
        if was != document.text().as_bytes() {
            let message = format!("{}: somebody changed it meanwhile", document.file.display());
            return Err(Failure::new(message).hint("nothing was written; try again"));
        }
        let metadata = fs::metadata(&self.file).map_err(|error| wrong(&error))?;
        give(next.as_file(), &metadata).map_err(|error| {
            let (user, group) = (metadata.uid(), metadata.gid());
            let file = document.file.display();
            Failure::new(format!(
                "{file}: cannot be kept as {user}:{group}'s: {error}"
            ))
            .hint(format!(
                "nothing was written; run this as user {user}, or as root"
            ))
        })?;
        let written = next.write_all(mark).and_then(|()| {
            next.write_all(text.as_bytes())?;
            // After the owner, since a change of owner takes bits of the mode away.
            next.as_file().set_permissions(metadata.permissions())?;
            next.as_file().sync_all()
        });
        written.map_err(|error| wrong(&error))?;
        next.persist(&self.file)
            .map_err(|error| wrong(&error.error))?;
        Ok(())
    }
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// Gives a new file the owner and the group of the old one, where it has others.
fn give(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    let user = (new.uid() != old.uid()).then(|| old.uid());
    let group = (new.gid() != old.gid()).then(|| old.gid());
    match (user, group) {
        (None, None) => Ok(()),
        _ => fchown(file, user, group),
    }
}
