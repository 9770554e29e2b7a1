//! The logs that are read: files or stdin, compressed or not.

use crate::failure::Failure;
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::{self, File},
    io::{self, BufReader, IsTerminal, Read},
    path::PathBuf,
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

pub fn is_stdin(log: &std::path::Path) -> bool {
    log.as_os_str() == "-"
}

/// A log from its beginning. The bar counts bytes as they are stored.
pub fn open(log: &PathBuf, bar: &ProgressBar) -> io::Result<Box<dyn Read>> {
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

/// Whether a log ends before its end, as one does that is still written, or was copied in part.
pub fn ends_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}
