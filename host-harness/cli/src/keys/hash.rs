//! `portcullis keys hash`: what is stored of a key that there is already.

use super::{
    format::{self, Kind},
    handing::Format,
    pepper::Pepper,
};
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use serde_json::json;
use std::io::{self, IsTerminal, Read};

/// Hash an API key that is read from stdin, for `hash` of its record
///
/// One newline at its end belongs to the terminal and not to the key. The key never stands on a
/// command line, where every process could read it.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis keys hash < acme.key
  pass show acme/api-key | portcullis keys hash --pepper-env GATE_PEPPER")]
pub struct Hash {
    #[command(flatten)]
    pepper: Pepper,
    /// The key is of another maker, and only looks like one of ours
    #[arg(long)]
    foreign: bool,
    /// How the hash is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// More than any header holds.
const MAX: u64 = 64 * 1024;
/// A key that a machine made has more characters.
const SHORT: usize = 16;

impl Hash {
    pub fn run(self) -> Result<Exit, Failure> {
        let pepper = self.pepper.named()?;
        let key = read()?;
        if !self.foreign && format::kind(&key) == Kind::Damaged {
            return Err(Failure::new(
                "this is not the key you were given: its checksum does not match",
            )
            .hint("copy it again, whole; `--foreign` for a key of another maker"));
        }
        if key.chars().count() < SHORT {
            terminal::warn(
                "a key this short can be guessed; `portcullis keys new` makes a good one",
            );
        }
        let hash = portcullis_engine::api_key_hash(&key, pepper.as_deref());
        terminal::print(&match self.format {
            Format::Text => hash,
            Format::Json => json!({"hash": hash}).to_string(),
        })?;
        Ok(Exit::Fine)
    }
}

/// The key. No message quotes any of it.
fn read() -> Result<String, Failure> {
    let text = match io::stdin().is_terminal() {
        true => typed()?,
        false => piped()?,
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let key = line.strip_suffix('\r').unwrap_or(line);
    if key.is_empty() {
        return Err(Failure::new("stdin: there is no key")
            .hint("was the variable that should hold it empty?"));
    }
    if key.chars().any(|it| it.is_whitespace() || it.is_control()) {
        return Err(
            Failure::new("stdin: the key has white space or a control character in it")
                .hint("one key is read, and one newline at its end is left out"),
        );
    }
    Ok(key.to_owned())
}

/// A line from the terminal, which does not show it.
fn typed() -> Result<String, Failure> {
    terminal::say("the key, then Enter (it is not shown as you type):");
    rpassword::read_password().map_err(|error| {
        Failure::io("the terminal", &error).hint("`portcullis keys hash < FILE` reads a file")
    })
}

fn piped() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let limit = MAX.saturating_add(1);
    io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io("stdin", &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX) {
        return Err(Failure::new("stdin: too long for a key"));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new("stdin: the key is not UTF-8 text"))
}
