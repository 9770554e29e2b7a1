//! Where a key or a secret is: in a file or in a variable. Who gives it itself has shown it to whoever sees
//! command lines; what is said of it must not show it to more, such as those who read the logs of CI.

use crate::{failure::Failure, secrets};
use std::{fs, path::Path};

const BEGIN: &str = "-----BEGIN ";
/// Paths that are longer have a dot somewhere; a key in base64 that is shorter is none.
const LONG: usize = 100;

/// What a file or a variable holds.
///
/// # Errors
/// Where there is none, or the key itself stands in the place of its name.
pub fn content(place: &str) -> Result<Vec<u8>, Failure> {
    match place.strip_prefix("env:") {
        None => fs::read(file(Path::new(place))?).map_err(|error| Failure::io(place, &error)),
        Some(name) => variable(name).map(String::into_bytes),
    }
}

/// The same of a shared secret, which looks like nothing: a name that there is not may be it.
///
/// # Errors
/// Where there is none, without its name.
pub fn secret(option: &str, place: &str) -> Result<Vec<u8>, Failure> {
    match place.starts_with("env:") || Path::new(place).exists() {
        true => content(place),
        false => Err(Failure::new(format!("{option}: there is no such file"))
            .hint("FILE, or env:NAME for a variable; what was given may be the secret, and is not shown")),
    }
}

/// The name of a file that holds a key.
///
/// # Errors
/// Where it is the key.
pub fn file(path: &Path) -> Result<&Path, Failure> {
    match is_key(&path.to_string_lossy()) && !path.exists() {
        true => Err(itself()),
        false => Ok(path),
    }
}

/// What a variable holds.
///
/// # Errors
/// Where there is none. What cannot be the name of one is not shown.
pub fn variable(name: &str) -> Result<String, Failure> {
    let is_name = |name: &str| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.len() <= LONG && name.bytes().all(is_word)
    };
    secrets::environment(name).ok_or_else(|| match is_name(name) {
        true => Failure::new(format!("the environment has no `{name}`")),
        false if is_key(name) => itself(),
        false => Failure::new("what was given is no name of a variable, and one is wanted")
            .hint("what was given may be the secret itself, and is not shown"),
    })
}

/// What is said where the arguments cannot be read: that may quote any of them.
pub fn usage(error: &clap::Error) -> Option<Failure> {
    let quotes = error.use_stderr() && error.to_string().contains(BEGIN);
    quotes.then(itself)
}

/// PEM, a JWK, or DER in base64.
fn is_key(text: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-=".contains(&byte);
    text.contains(BEGIN)
        || text.contains('\n')
        || text.trim_start().starts_with('{')
        || (text.len() > LONG && text.bytes().all(is_base64))
}

fn itself() -> Failure {
    Failure::new("the key itself was given, and a FILE or env:NAME is wanted").hint(
        "others see a command line, and a shell remembers it: put the key into a file that its owner \
         alone reads",
    )
}
