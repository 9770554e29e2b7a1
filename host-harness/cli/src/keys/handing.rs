//! Where a new key goes: once, and to nobody who did not ask for it. What is not a terminal is a
//! pipe, or the log of a build, so there the user says where.

use super::format::Key;
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use serde_json::{Map, Value};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub struct Handing {
    /// Where the key goes: a new file that only you can read, or `-` for stdout [default: stdout,
    /// where that is a terminal]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// How the rest is printed, and the key with it where it goes to stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// A place that takes the key.
pub enum Hand<'h> {
    Stdout,
    File(&'h Path),
}

impl Handing {
    /// # Errors
    /// Where nobody said where to put the key.
    pub fn hand(&self) -> Result<Hand<'_>, Failure> {
        match &self.key_file {
            Some(file) if file.as_os_str() == "-" => Ok(Hand::Stdout),
            Some(file) => Ok(Hand::File(file)),
            None if std::io::stdout().is_terminal() => Ok(Hand::Stdout),
            None => Err(
                Failure::new("stdout is no terminal, so say where the key goes").hint(
                    "`--key-file FILE` puts it into a new file, `--key-file -` prints it all the same",
                ),
            ),
        }
    }
}

impl Hand<'_> {
    /// Puts the key into its file, if it goes to one.
    pub fn keep(&self, key: &Key) -> Result<(), Failure> {
        let Hand::File(file) = self else {
            return Ok(());
        };
        let mut options = OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(file);
        let mut opened = opened.map_err(|error| {
            let failure = Failure::io(file.display(), &error);
            match error.kind() {
                ErrorKind::AlreadyExists => {
                    failure.hint("a key is never written over: name a new file")
                }
                _ => failure,
            }
        })?;
        let written = writeln!(opened, "{}", key.expose()).and_then(|()| opened.sync_all());
        written.map_err(|error| {
            self.drop_it();
            Failure::io(file.display(), &error)
        })
    }

    /// Takes a key that comes to nothing away again.
    pub fn drop_it(&self) {
        if let Hand::File(file) = self {
            let _ = fs::remove_file(file);
        }
    }

    /// Prints what there is to know, and the key where it goes to stdout.
    pub fn print(
        &self,
        format: Format,
        key: &Key,
        text: &str,
        json: Map<String, Value>,
    ) -> Result<Exit, Failure> {
        let shown = match self {
            Hand::Stdout => Some(key.expose()),
            Hand::File(_) => None,
        };
        match format {
            Format::Text => {
                let parts = shown.into_iter().chain([text]).filter(|it| !it.is_empty());
                let parts: Vec<&str> = parts.collect();
                if !parts.is_empty() {
                    terminal::print(&parts.join("\n\n"))?;
                }
            }
            Format::Json => {
                let key = shown.map(|key| ("key".to_owned(), Value::from(key)));
                let all: Map<String, Value> = key.into_iter().chain(json).collect();
                terminal::print(&format!("{:#}", Value::Object(all)))?;
            }
        }
        match self {
            Hand::Stdout => terminal::warn("the key is shown this once; it is stored nowhere"),
            Hand::File(file) => terminal::say(&format!("the key is in {}", file.display())),
        }
        Ok(Exit::Fine)
    }
}
