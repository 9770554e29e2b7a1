//! Files of `emit`: what it wrote itself it may replace, and nothing else.

use super::{
    manifest::{Emitted, Manifest},
    yaml,
};
use crate::{
    failure::Failure,
    output::{self, Staged},
};
use base16ct::lower::encode_string;
use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// Begins the first line of each file; the digest of everything behind that line ends it.
const MARK: &str = "# Written by `portcullis image emit` (sha256:";
const END: &str = "): what is changed here is not overwritten.\n";

/// A manifest with comments.
pub struct File {
    pub name: String,
    pub text: String,
}

/// All manifests; what should be known of them stands on top of the first.
pub fn files(emitted: &Emitted, command: &str) -> Vec<File> {
    let notes = notes(emitted);
    let mut notes = Some(notes);
    emitted
        .manifests
        .iter()
        .map(|manifest| {
            let text = text(manifest, command, &notes.take().unwrap_or_default());
            let digest = encode_string(&portcullis_crypto::sha256(text.as_bytes()));
            File {
                name: manifest.name.clone(),
                text: format!("{MARK}{digest}{END}{text}"),
            }
        })
        .collect()
}

fn text(manifest: &Manifest, command: &str, notes: &str) -> String {
    let command = line("# ", command);
    let about = match manifest.about.as_str() {
        "" => String::new(),
        about => format!("#\n{}", comment(about, "# ")),
    };
    format!("{command}{about}{notes}{}", yaml::write(&manifest.value))
}

fn notes(emitted: &Emitted) -> String {
    let mut notes = String::new();
    let mut section = |title: &str, lines: String| {
        if !lines.is_empty() {
            notes.push_str("#\n# ");
            notes.push_str(title);
            notes.push('\n');
            notes.push_str(&lines);
        }
    };
    let each = |lines: &[String]| lines.iter().map(|it| line("#   ", it)).collect();
    section("To apply, and to check:", each(&emitted.commands));
    section("How secrets come there:", each(&emitted.secrets));
    let warnings = emitted.warnings.iter();
    section(
        "What to know:",
        warnings.map(|it| comment(it, "# - ")).collect(),
    );
    notes
}

/// A line of a comment, whatever stands in it: nothing that a user gave ends it.
fn line(before: &str, text: &str) -> String {
    let ends = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    let shown = text.replace(ends, "\u{fffd}");
    format!("{before}{shown}\n")
}

/// A text in lines of comments, of which the first begins with `bullet`.
fn comment(text: &str, bullet: &str) -> String {
    const WIDTH: usize = 116;
    let next = format!("#{}", " ".repeat(bullet.len().saturating_sub(1)));
    let (mut lines, mut line) = (String::new(), bullet.to_owned());
    let mut is_begun = false;
    for word in text.split_whitespace() {
        let is_full = line.chars().count().saturating_add(word.chars().count()) >= WIDTH;
        if is_begun && is_full {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line.clone_from(&next);
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// Writes them. What cannot be replaced, and what cannot be written, is found before any of them is in its place.
///
/// # Errors
/// Where a file is that `emit` did not write, or that was changed since; what is no file; what cannot be written.
pub fn write(files: &[File], folder: &Path, force: bool) -> Result<Vec<PathBuf>, Failure> {
    fs::create_dir_all(folder).map_err(|error| no_folder(folder, &error))?;
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.name)).collect();
    let found = paths.iter().map(|path| replaces(path, force));
    let replaced = found.collect::<Result<Vec<bool>, Failure>>()?;
    let texts = files.iter().zip(&paths);
    let staged: Result<Vec<Staged>, Failure> = texts
        .map(|(file, path)| output::stage(path, file.text.as_bytes()))
        .collect();
    for (staged, replaces) in staged?.into_iter().zip(replaced) {
        staged.put(force || replaces)?;
    }
    Ok(paths)
}

fn no_folder(folder: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        // A file is there, or on the way there.
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Failure::new(format!("{}: is no folder", folder.display())).hint(
                "--output takes the folder that the files come into; without it they go to stdout",
            )
        }
        _ => Failure::io(folder.display(), error),
    }
}

/// What `emit` wrote into the folder before, changed since or not, and these files do not replace. Whoever
/// applies the folder applies it, too.
///
/// # Errors
/// Where the folder cannot be read.
pub fn left(folder: &Path, files: &[File]) -> Result<Vec<PathBuf>, Failure> {
    let io = |error| Failure::io(folder.display(), &error);
    let mut left = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_new = files
            .iter()
            .any(|file| path.file_name() == Some(file.name.as_ref()));
        if !is_new && is_marked(&path) {
            left.push(path);
        }
    }
    left.sort();
    Ok(left)
}

/// What cannot be read is nobody's.
fn is_marked(path: &Path) -> bool {
    // What a link leads to is not waited for, where it is a pipe.
    if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut begin = vec![0; MARK.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == MARK.as_bytes()
}

/// Whether there is a file to replace.
fn replaces(path: &Path, force: bool) -> Result<bool, Failure> {
    let io = |error| Failure::io(path.display(), &error);
    let kind = match path.symlink_metadata() {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io(error)),
    };
    if !kind.is_file() && !kind.is_symlink() {
        let message = format!("{}: is there, and no file", path.display());
        return Err(Failure::new(message).hint("move it away, or give another --output or --name"));
    }
    if force {
        return Ok(true);
    }
    // What a link leads to is not waited for, where it is a pipe.
    let why = match fs::metadata(path) {
        Ok(found) if found.is_file() => match fault(&fs::read(path).map_err(io)?) {
            None => return Ok(true),
            Some(why) => why,
        },
        _ => "is a link, and leads to no file",
    };
    Err(Failure::new(format!("{}: {why}", path.display())).hint("--force replaces it"))
}

/// Why a file stays; `None` where it is as `emit` wrote it.
fn fault(found: &[u8]) -> Option<&'static str> {
    let marked = std::str::from_utf8(found)
        .ok()
        .and_then(|text| text.strip_prefix(MARK)?.split_once(END));
    match marked {
        None => Some("is there, and `image emit` did not write it"),
        Some((digest, rest)) => {
            let own = encode_string(&portcullis_crypto::sha256(rest.as_bytes()));
            (digest != own).then_some("was changed since `image emit` wrote it")
        }
    }
}
