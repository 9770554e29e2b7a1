//! Where a bundle is put: a new file, whole or not at all.

use crate::failure::Failure;
use clap::Args;
use std::{
    fs::Permissions,
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub struct Output {
    /// Where the bundle is put
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Put it there even where a file is
    #[arg(short, long)]
    force: bool,
}

impl Output {
    /// Whoever reads the file finds the old one or the new one, never a part.
    pub fn write(&self, content: &[u8]) -> Result<(), Failure> {
        let file = &self.output;
        let wrong = |error: &std::io::Error| {
            let failure = Failure::io(file.display(), error);
            match error.kind() {
                ErrorKind::AlreadyExists => failure.hint("--force replaces it"),
                _ => failure,
            }
        };
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut next = tempfile::Builder::new()
            .prefix(".portcullis-bundle-")
            // As any new file: it is served to others, and the umask says to whom.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|error| wrong(&error))?;
        next.write_all(content)
            .and_then(|()| next.as_file().sync_all())
            .map_err(|error| wrong(&error))?;
        let persisted = match self.force {
            true => next.persist(file),
            false => next.persist_noclobber(file),
        };
        persisted.map(|_| ()).map_err(|error| wrong(&error.error))
    }
}
