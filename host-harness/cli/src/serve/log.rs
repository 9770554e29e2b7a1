//! The decision log: a JSON document a line, in a file of one's own.

use crate::{failure::Failure, terminal};
use serde_json::Value;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// A file that decisions are added to.
pub struct DecisionLog {
    file: File,
    path: PathBuf,
    /// A write has failed before, and was told.
    has_failed: bool,
    /// Part of a line may stand there.
    is_torn: bool,
}

impl DecisionLog {
    /// Whom a log names is nobody else's business: a new file is its owner's only.
    pub fn open(path: &Path) -> Result<DecisionLog, Failure> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| {
                Failure::io(format!("--decision-log {}", path.display()), &error)
                    .hint("a file that can be written, in a folder that is there")
            })?;
        if let Some(mode) = shown_to_others(&file) {
            terminal::warn(&format!(
                "--decision-log {}: the file is there already, and others than its owner can read it (mode \
                 {mode:04o}): chmod 600 keeps decisions from them",
                path.display()
            ));
        }
        Ok(DecisionLog {
            file,
            path: path.to_owned(),
            has_failed: false,
            is_torn: false,
        })
    }

    /// A failure is told once, and stops nothing.
    pub fn append(&mut self, event: &Value) {
        match self.write(event) {
            Ok(()) => self.is_torn = false,
            Err(error) => {
                self.is_torn = true;
                if !std::mem::replace(&mut self.has_failed, true) {
                    let file = self.path.display();
                    terminal::warn(&format!(
                        "--decision-log {file}: {error}; decisions are missing from it"
                    ));
                }
            }
        }
    }

    /// In one write, so that readers and other writers see whole lines.
    fn write(&mut self, event: &Value) -> io::Result<()> {
        let torn = if self.is_torn { "\n" } else { "" };
        self.file.write_all(format!("{torn}{event}\n").as_bytes())
    }
}

/// The mode of a file that others can read: whoever made it may have wanted that, so it stays so.
fn shown_to_others(file: &File) -> Option<u32> {
    const OTHERS_READ: u32 = 0o044;
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & OTHERS_READ != 0).then_some(mode)
}
