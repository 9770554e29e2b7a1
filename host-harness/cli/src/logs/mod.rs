//! The logs that are read: files or stdin, compressed or not, in every form that they have. One way for
//! all commands, so that what one takes for a decision is one for the others.

pub mod event;
pub mod found;
mod glance;
pub mod records;
pub mod rest;

use crate::failure::Failure;
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use records::{Record, Records};
use std::{
    fmt,
    fs::{self, File},
    io::{self, BufReader, IsTerminal, Read},
    path::{Path, PathBuf},
};

/// RFC 1952 section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// # Errors
/// Where one is not there, or is a folder: before any is read.
pub fn check(logs: &[PathBuf]) -> Result<(), Failure> {
    for log in logs.iter().filter(|log| !is_stdin(log)) {
        let metadata = fs::metadata(log).map_err(|error| Failure::io(log.display(), &error))?;
        if metadata.is_dir() {
            let log = log.display();
            return Err(Failure::new(format!("{log}: this is a folder"))
                .hint(format!("name the files in it: {log}/*")));
        }
    }
    if logs.iter().filter(|log| is_stdin(log)).count() > 1 {
        return Err(Failure::new("`-` is named twice").hint("stdin is read once"));
    }
    Ok(())
}

fn is_stdin(log: &Path) -> bool {
    log.as_os_str() == "-"
}

/// As they are told of.
pub fn names(logs: &[PathBuf]) -> Vec<String> {
    let name = |log: &PathBuf| match is_stdin(log) {
        true => "stdin".to_owned(),
        false => log.display().to_string(),
    };
    logs.iter().map(name).collect()
}

/// A log, record by record.
pub struct Log<'l> {
    path: &'l Path,
    records: Records<Box<dyn Read>>,
    /// Known when all is read: it ended before its end.
    pub early: Option<Early>,
}

/// How a log ends that has no end, as one does that is still written, or was copied in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    Compressed,
    InArray,
}

impl fmt::Display for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Early::Compressed => {
                "compressed data ends early or is damaged; what follows was not read"
            }
            Early::InArray => "ends inside of an array",
        })
    }
}

impl Log<'_> {
    /// From its beginning. The bar counts bytes as they are stored.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open<'l>(path: &'l Path, bar: &ProgressBar) -> Result<Log<'l>, Failure> {
        let from = open(path, bar).map_err(|error| Failure::io(path.display(), &error))?;
        Ok(Log {
            path,
            records: Records::new(from),
            early: None,
        })
    }

    /// Puts the next record behind `bytes`; `None` at the end.
    ///
    /// # Errors
    /// Where it cannot be read on.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Record>, Failure> {
        match self.records.next(bytes) {
            Ok(Some(record)) => return Ok(Some(record)),
            Ok(None) if self.records.is_cut => self.early = Some(Early::InArray),
            Ok(None) => {}
            Err(error) if ends_early(&error) => self.early = Some(Early::Compressed),
            Err(error) => return Err(Failure::io(self.path.display(), &error)),
        }
        Ok(None)
    }
}

fn open(log: &Path, bar: &ProgressBar) -> io::Result<Box<dyn Read>> {
    let from: Box<dyn Read> = match is_stdin(log) {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(log)?),
    };
    let mut from = BufReader::with_capacity(128 << 10, bar.wrap_read(from));
    // A pipe may give a byte at a time.
    let mut start = Vec::new();
    from.by_ref().take(2).read_to_end(&mut start)?;
    let is_gzip = start == GZIP;
    let whole = io::Cursor::new(start).chain(from);
    Ok(match is_gzip {
        true => Box::new(MultiGzDecoder::new(BufReader::new(whole))),
        false => Box::new(whole),
    })
}

/// Where nobody looks there is none.
pub fn bar(logs: &[PathBuf]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let size = |log: &PathBuf| {
        let metadata = fs::metadata(log).ok()?;
        metadata.is_file().then_some(metadata.len())
    };
    let sizes: Option<Vec<u64>> = logs.iter().map(size).collect();
    let (bar, template) = match sizes {
        Some(sizes) => (
            ProgressBar::new(sizes.into_iter().fold(0, u64::saturating_add)),
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {bytes} {bytes_per_sec}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Whether it is the content that is wrong.
fn ends_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}
