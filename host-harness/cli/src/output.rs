//! A file that a command writes: a new one, whole or not at all.

use crate::failure::Failure;
use std::{
    fs::Permissions,
    io::{self, ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tempfile::NamedTempFile;

/// # Errors
/// Where a file is that is not to be replaced, before there is anything to write.
pub fn check(file: &Path, force: bool) -> Result<(), Failure> {
    match !force && file.symlink_metadata().is_ok() {
        true => Err(wrong(file, &ErrorKind::AlreadyExists.into())),
        false => Ok(()),
    }
}

/// Whoever reads the file finds the old one or the new one, never a part.
pub fn write(file: &Path, force: bool, content: &[u8]) -> Result<(), Failure> {
    stage(file, content)?.put(force)
}

/// What a file will be, whole, and beside it until it is put there; dropped, it is gone.
pub struct Staged<'a> {
    file: &'a Path,
    next: NamedTempFile,
}

/// # Errors
/// Where its folder takes no file, or no more of it.
pub fn stage<'a>(file: &'a Path, content: &[u8]) -> Result<Staged<'a>, Failure> {
    let folder = folder(file);
    let mut next = tempfile::Builder::new()
        .prefix(".portcullis-")
        // As any new file: it is for others, and the umask says for whom.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| no_room(file, folder, &error))?;
    next.write_all(content)
        .and_then(|()| next.as_file().sync_all())
        .map_err(|error| wrong(file, &error))?;
    Ok(Staged { file, next })
}

impl Staged<'_> {
    /// # Errors
    /// Without `force`, where something is there by now.
    pub fn put(self, force: bool) -> Result<(), Failure> {
        let Staged { file, next } = self;
        let persisted = match force {
            true => next.persist(file),
            false => next.persist_noclobber(file),
        };
        persisted
            .map(|_| ())
            .map_err(|error| wrong(file, &error.error))
    }
}

/// Nothing could be made in the folder of what is to be written. What was asked for is told, and not the file
/// beside it that a user never named.
pub fn no_room(file: &Path, folder: &Path, error: &io::Error) -> Failure {
    if folder.is_dir() {
        // Without the path that stands around it.
        let bare = error.get_ref().and_then(|around| around.source());
        let bare = bare.map_or_else(|| error.to_string(), ToString::to_string);
        return Failure::new(format!("{}: {bare}", file.display()));
    }
    let message = match folder.exists() {
        true => format!("{}: `{}` is no folder", file.display(), folder.display()),
        false => format!(
            "{}: there is no folder `{}`",
            file.display(),
            folder.display()
        ),
    };
    Failure::new(message).hint("the folder has to be there before")
}

/// Where what is to be written has its place.
pub fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn wrong(file: &Path, error: &io::Error) -> Failure {
    let failure = Failure::io(file.display(), error);
    match error.kind() {
        ErrorKind::AlreadyExists => failure.hint("--force replaces it"),
        _ => failure,
    }
}
