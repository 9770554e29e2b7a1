//! The archive of a bundle, the same bytes for the same files: sorted, and without times, owners or
//! names of users. Names get one leading slash, as OPA's writer gives them.

use crate::failure::Failure;
use flate2::{Compression, GzBuilder};
use std::{collections::BTreeMap, io::Write};
use tar::{EntryType, Header};

/// The files of a bundle by their names, without a leading slash.
pub type Files = BTreeMap<String, Vec<u8>>;

pub const MANIFEST: &str = ".manifest";
pub const SIGNATURES: &str = ".signatures.json";
pub const DATA: &str = "data.json";
pub const PATCH: &str = "patch.json";

/// Bytes of a name and of what may stand before it in a header (POSIX.1-1988, ustar).
const NAME: usize = 100;
const PREFIX: usize = 155;
/// "Unknown" (RFC 1952 section 2.3.1), on whichever system this runs.
const UNKNOWN_SYSTEM: u8 = 255;

/// # Errors
/// Where a name is too long.
pub fn pack(files: &Files) -> Result<Vec<u8>, Failure> {
    let mut packer = GzBuilder::new()
        .mtime(0)
        .operating_system(UNKNOWN_SYSTEM)
        .write(Vec::new(), Compression::best());
    let wrong = |error: std::io::Error| Failure::io("the archive", &error);
    for (name, content) in files {
        let header = header(name, content.len())?;
        packer.write_all(header.as_bytes()).map_err(wrong)?;
        packer.write_all(content).map_err(wrong)?;
        let padding = content.len().wrapping_neg() % BLOCK.len();
        packer
            .write_all(BLOCK.get(..padding).unwrap_or_default())
            .map_err(wrong)?;
    }
    // Two empty blocks are the end.
    packer.write_all(&BLOCK).map_err(wrong)?;
    packer.write_all(&BLOCK).map_err(wrong)?;
    packer.finish().map_err(wrong)
}

const BLOCK: [u8; 512] = [0; 512];

fn header(name: &str, size: usize) -> Result<Header, Failure> {
    let too_long = || Failure::new(format!("{name}: the path is too long for an archive"));
    let path = format!("/{name}");
    let (prefix, rest) = split(&path).ok_or_else(too_long)?;
    let mut header = Header::new_ustar();
    let ustar = header.as_ustar_mut().ok_or_else(too_long)?;
    put(&mut ustar.name, rest);
    put(&mut ustar.prefix, prefix);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(u64::try_from(size).unwrap_or(u64::MAX));
    header.set_cksum();
    Ok(header)
}

/// A path in its two fields: at the first slash that leaves a name which is short enough.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME {
        return Some(("", path));
    }
    let slashes = path.match_indices('/').filter(|(at, _)| *at > 0);
    slashes
        .filter_map(|(at, _)| Some((path.get(..at)?, path.get(at + 1..)?)))
        .find(|(prefix, name)| name.len() <= NAME && !name.is_empty() && prefix.len() <= PREFIX)
}

fn put(field: &mut [u8], text: &str) {
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
}
