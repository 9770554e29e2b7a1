//! The tar archive inside: which files it holds and where they lie in it, nothing copied. What is no
//! plain file or folder, or has a name that two readers may take for two, is refused.

use super::{
    Limits,
    fault::{Fault, shown},
};
use std::{collections::BTreeMap, ops::Range};
use tar::{EntryType, Header, PaxExtensions};

const BLOCK: usize = 512;
/// A unit of what must be zeros behind the archive's end.
const ZEROS: usize = 64 * 1024;
/// Of what describes the file that comes next. GNU's writer has a few hundred bytes.
const MAX_EXTENSION: usize = 16 * 1024;

/// The files by their names from the bundle's root, without a slash before them: `roles/data.json`.
pub type Files = BTreeMap<String, Range<usize>>;

/// A tape that is being looked through.
#[derive(Default)]
pub struct Tape {
    at: usize,
    files: Files,
    entries: usize,
    /// Said of the next file by an entry of its own.
    name: Option<Vec<u8>>,
    size: Option<usize>,
    /// Nothing comes any more.
    ended: bool,
}

impl Tape {
    /// One unit. The files, once they are all known.
    pub fn work(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<Files>, Fault> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        if self.ended {
            let zeros = rest.get(..ZEROS).unwrap_or(rest);
            if zeros.iter().any(|byte| *byte != 0) {
                return Err(Fault::unpack(
                    "something follows the end of its tar archive",
                ));
            }
            self.at = self.at.saturating_add(zeros.len());
            return Ok(zeros.is_empty().then(|| std::mem::take(&mut self.files)));
        }
        let Some(block) = rest.first_chunk::<BLOCK>() else {
            return Err(Fault::unpack("its tar archive is cut short"));
        };
        if block.iter().all(|byte| *byte == 0) {
            if self.name.is_some() || self.size.is_some() {
                return Err(Fault::unpack(
                    "its tar archive ends where a file should come",
                ));
            }
            self.ended = true;
            return Ok(None);
        }
        self.entries = self.entries.saturating_add(1);
        if self.entries > limits.entries {
            let why = format!("its tar archive has more than {} entries", limits.entries);
            return Err(Fault::unpack(why));
        }
        let header = Header::from_byte_slice(block);
        if !sums_up(block, header) {
            return Err(Fault::unpack(
                "its tar archive has an entry whose header does not sum up",
            ));
        }
        self.entry(bytes, header, limits)?;
        Ok(None)
    }

    fn entry(&mut self, bytes: &[u8], header: &Header, limits: &Limits) -> Result<(), Fault> {
        let kind = header.entry_type();
        let is_extension = matches!(
            kind,
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName
        );
        let size = match self.size {
            Some(size) if !is_extension => size,
            _ => size(header)?,
        };
        let start = self.at.saturating_add(BLOCK);
        let end = start.saturating_add(size);
        let content = bytes
            .get(start..end)
            .ok_or_else(|| Fault::unpack("its tar archive is cut short"))?;
        self.at = end.saturating_add(size.wrapping_neg() % BLOCK);
        match kind {
            EntryType::GNULongName => {
                let content = extension(content)?;
                let name = content.strip_suffix(&[0]).unwrap_or(content);
                return self.named(name.to_vec());
            }
            EntryType::XHeader => return self.extended(extension(content)?),
            // What is meant for every file that follows: `git archive` says there which commit it is.
            EntryType::XGlobalHeader => return global(extension(content)?),
            _ => {}
        }
        self.size = None;
        let name = match self.name.take() {
            Some(name) => name,
            None => header.path_bytes().into_owned(),
        };
        let name = String::from_utf8(name)
            .map_err(|_| Fault::unpack("its tar archive has a file whose name is no UTF-8"))?;
        match kind {
            EntryType::Regular if !name.ends_with('/') => {
                let name = from_root(&name, limits)?;
                if name.is_empty() {
                    return Err(Fault::unpack("its tar archive has a file without a name"));
                }
                let told = shown(name);
                if self.files.insert(name.to_owned(), start..end).is_some() {
                    return Err(Fault::unpack(format!("it has {told} twice")));
                }
                Ok(())
            }
            EntryType::Directory | EntryType::Regular => {
                if size > 0 {
                    let why = format!("its folder {} has a content", shown(&name));
                    return Err(Fault::unpack(why));
                }
                let folder = name.strip_suffix('/').unwrap_or(&name);
                match folder {
                    "" | "." => Ok(()),
                    folder => from_root(folder, limits).map(|_| ()),
                }
            }
            other => Err(Fault::unpack(format!(
                "{} is {}: a bundle has files and folders",
                shown(&name),
                called(other)
            ))),
        }
    }

    fn named(&mut self, name: Vec<u8>) -> Result<(), Fault> {
        match self.name.replace(name) {
            None => Ok(()),
            Some(_) => Err(Fault::unpack("its tar archive gives one file two names")),
        }
    }

    /// The records of a pax header (POSIX.1-2024, pax Extended Header).
    fn extended(&mut self, content: &[u8]) -> Result<(), Fault> {
        for record in PaxExtensions::new(content) {
            let damaged = || Fault::unpack("its tar archive has a pax header that is damaged");
            let record = record.map_err(|_| damaged())?;
            match record.key_bytes() {
                b"path" => self.named(record.value_bytes().to_vec())?,
                b"size" => {
                    let size = record.value().ok().and_then(|size| size.parse().ok());
                    if self.size.replace(size.ok_or_else(damaged)?).is_some() {
                        return Err(damaged());
                    }
                }
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(Fault::unpack("its tar archive has a sparse file"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn global(content: &[u8]) -> Result<(), Fault> {
    let harmless = PaxExtensions::new(content)
        .all(|record| record.is_ok_and(|record| record.key_bytes() == b"comment"));
    match harmless {
        true => Ok(()),
        false => Err(Fault::unpack(
            "its tar archive has a global pax header that says more than a comment",
        )),
    }
}

fn extension(content: &[u8]) -> Result<&[u8], Fault> {
    match content.len() {
        ..=MAX_EXTENSION => Ok(content),
        _ => Err(Fault::unpack(format!(
            "its tar archive says more than {MAX_EXTENSION} bytes of one file"
        ))),
    }
}

/// The sum of the header's bytes, with its own field taken for spaces.
fn sums_up(block: &[u8; BLOCK], header: &Header) -> bool {
    let sum = block.iter().enumerate().fold(0_u32, |sum, (at, byte)| {
        let byte = if (148..156).contains(&at) {
            b' '
        } else {
            *byte
        };
        sum.saturating_add(u32::from(byte))
    });
    header.cksum().is_ok_and(|told| told == sum)
}

fn size(header: &Header) -> Result<usize, Fault> {
    // GNU's binary form is for files of more than 8 GiB.
    let is_binary = header
        .as_old()
        .size
        .first()
        .is_some_and(|byte| *byte >= 0x80);
    let size = header.entry_size().ok().filter(|_| !is_binary);
    size.and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| Fault::unpack("its tar archive has a file of no size that can be"))
}

fn called(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        EntryType::GNULongLink => "a link",
        _ => "of no known kind",
    }
}

/// One `/` before a name is the bundle's root, as OPA writes it, and so is one `./`.
fn from_root<'n>(name: &'n str, limits: &Limits) -> Result<&'n str, Fault> {
    let inner = name
        .strip_prefix("./")
        .or_else(|| name.strip_prefix('/'))
        .unwrap_or(name);
    let refused = |why: &str| Err(Fault::unpack(format!("its file {} {why}", shown(name))));
    if inner.len() > limits.path {
        return refused(&format!("has a path of more than {} bytes", limits.path));
    }
    if inner.starts_with('/') {
        return refused("has an absolute path");
    }
    if inner.contains(|c: char| c == '\\' || c.is_control()) {
        return refused("has a backslash or a control character in its name");
    }
    if inner
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return refused("has `.`, `..` or nothing between two slashes of its path");
    }
    Ok(inner)
}
