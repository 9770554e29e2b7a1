//! A folder that is laid out as a bundle: its files under the names that they have in it.

use super::archive::{Files, MANIFEST, SIGNATURES};
use crate::failure::Failure;
use std::{fs, path::Path};

/// All of them but hidden ones, of which a bundle knows two.
///
/// # Errors
/// Where one cannot be read, or is neither a file nor a folder.
pub fn files(root: &Path) -> Result<Files, Failure> {
    let mut files = Files::new();
    walk(root, "", &mut files)?;
    match files.is_empty() {
        true => Err(Failure::new(format!(
            "{}: there is nothing in it",
            root.display()
        ))),
        false => Ok(files),
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), Failure> {
    let wrong = |path: &Path, error: &std::io::Error| Failure::io(path.display(), error);
    for entry in fs::read_dir(folder).map_err(|error| wrong(folder, &error))? {
        let path = entry.map_err(|error| wrong(folder, &error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let message = format!("{}: the name is not UTF-8", path.display());
            return Err(Failure::new(message));
        };
        let full = format!("{prefix}{name}");
        if name.starts_with('.') && full != MANIFEST && full != SIGNATURES {
            continue;
        }
        // Not through links: one could lead out of the folder, or around in it.
        let kind = fs::symlink_metadata(&path).map_err(|error| wrong(&path, &error))?;
        if kind.is_dir() {
            walk(&path, &format!("{full}/"), files)?;
        } else if kind.is_file() {
            let content = fs::read(&path).map_err(|error| wrong(&path, &error))?;
            files.insert(full, content);
        } else {
            let message = format!("{}: it is neither a file nor a folder", path.display());
            return Err(Failure::new(message).hint("a bundle has no links"));
        }
    }
    Ok(())
}
