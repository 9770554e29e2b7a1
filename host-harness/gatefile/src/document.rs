//! One JSON or YAML file: its value, and where each node of it stands.

use crate::{
    error::{Finding, Place},
    json,
    spans::{Point, Spans},
    yaml,
};
use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub struct Document {
    pub file: PathBuf,
    pub value: Value,
    pub(crate) text: String,
    pub(crate) spans: Spans,
}

/// What a parser says is wrong with a text.
pub(crate) struct Fault {
    pub at: Point,
    pub message: String,
}

/// Deeper documents are refused: the filter's own reader stops at 128.
pub(crate) const MAX_DEPTH: usize = 100;

impl Document {
    /// Reads a file; its name says whether it is JSON or YAML.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(file: &Path) -> Result<Document, Finding> {
        Document::parse(file, read_text(file)?)
    }

    /// A text, as it would be read from the file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(file: &Path, text: String) -> Result<Document, Finding> {
        if text.trim().is_empty() {
            return Err(Finding::new(Place::file(file), "the file is empty"));
        }
        let parsed = match is_json(file) {
            true => json::parse(&text),
            false => yaml::parse(&text),
        };
        match parsed {
            Ok((value, spans)) => Ok(Document {
                file: file.to_owned(),
                value,
                text,
                spans,
            }),
            Err(Fault { at, message }) => Err(Finding::new(
                Place {
                    file: file.to_owned(),
                    line: at.line,
                    column: at.column,
                },
                message,
            )),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_json(&self) -> bool {
        is_json(&self.file)
    }

    /// Where a field stands, or its nearest ancestor.
    pub fn place(&self, path: &str) -> Place {
        let Point { line, column } = self.spans.find(path);
        Place {
            file: self.file.clone(),
            line,
            column,
        }
    }
}

impl Document {
    /// A line and column of a text that is written as a literal block (`|`), as the file counts.
    pub(crate) fn inside_block(&self, path: &str, line: usize, column: usize) -> Option<Place> {
        let at = self.spans.find(path);
        let mut lines = self.text.lines().skip(at.line.saturating_sub(1));
        let (_, header) = lines.next()?.rsplit_once(": ")?;
        if !header.trim_start().starts_with('|') || line == 0 {
            return None;
        }
        let first = lines.find(|line| !line.trim().is_empty())?;
        let indent = first.chars().take_while(|char| *char == ' ').count();
        Some(Place {
            file: self.file.clone(),
            line: at.line.saturating_add(line),
            column: match column {
                0 => 0,
                column => column.saturating_add(indent),
            },
        })
    }
}

fn is_json(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "json")
}

/// A file's value alone, such as an input document.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read_data(file: &Path) -> Result<Value, Finding> {
    Document::read(file).map(|document| document.value)
}

/// A file's text, or one line on why there is none.
pub(crate) fn read_text(file: &Path) -> Result<String, Finding> {
    let finding = |message: String| Finding::new(Place::file(file), message);
    let metadata = fs::metadata(file).map_err(|error| finding(unreadable(&error)))?;
    if metadata.is_dir() {
        return Err(finding("this is a folder; a file is needed".into()));
    }
    let bytes = fs::read(file).map_err(|error| finding(unreadable(&error)))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        finding(format!(
            "this is not text: byte {} is not UTF-8",
            error.utf8_error().valid_up_to()
        ))
    })?;
    if let Some(at) = text.find('\0') {
        return Err(finding(format!("this is not text: byte {at} is zero")));
    }
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

pub(crate) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => format!("cannot be read: {error}"),
    }
}
