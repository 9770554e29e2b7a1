//! A bundle on disk: as the gate reads it, and its files as they stand in it.

use super::{
    archive::{self, Files},
    folder, signature,
};
use crate::failure::Failure;
use flate2::read::GzDecoder;
use portcullis_engine::bundle::{
    Bundle, Content, Fault, Limits, Manifest, Order, Reader, Rules, Verification,
};
use portcullis_rego::{Module, RegoVersion, Value};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use tar::Archive;

/// A bundle that the gate's own reader has taken, but for its signature.
pub struct Opened {
    pub path: PathBuf,
    pub packed: Vec<u8>,
    pub files: Files,
    bundle: Bundle,
}

impl Opened {
    /// Of an archive, or of a folder laid out as a bundle.
    ///
    /// # Errors
    /// Where it cannot be read, or the gate would not take it whatever its signature.
    pub fn read(path: &Path) -> Result<Opened, Failure> {
        let is_folder = fs::metadata(path)
            .map_err(|error| Failure::io(path.display(), &error))?
            .is_dir();
        let packed = match is_folder {
            true => archive::pack(&folder::files(path)?)?,
            false => packed(path)?,
        };
        Opened::of(path, packed)
    }

    /// # Errors
    /// As [`Opened::read`].
    pub fn of(path: &Path, packed: Vec<u8>) -> Result<Opened, Failure> {
        let bundle = read(packed.clone(), None).map_err(|fault| refused(path, &fault))?;
        // The gate's reader has seen to its size and its names.
        let files = unpack(&packed).map_err(|error| Failure::io(path.display(), &error))?;
        Ok(Opened {
            path: path.to_owned(),
            packed,
            files,
            bundle,
        })
    }

    pub fn manifest(&self) -> &Manifest {
        self.bundle.manifest()
    }

    pub fn order(&self) -> Option<Order> {
        self.manifest().order
    }

    pub fn is_signed(&self) -> bool {
        self.files.contains_key(archive::SIGNATURES)
    }

    pub fn is_delta(&self) -> bool {
        self.files.contains_key(archive::PATCH)
    }

    /// Its modules and data; of a delta there are none.
    pub fn snapshot(&self) -> Option<(Vec<Module>, Value)> {
        match self.content() {
            (_, Content::Snapshot { modules, data }) => Some((modules, data)),
            (_, Content::Delta(_)) => None,
        }
    }

    pub fn content(&self) -> (Manifest, Content) {
        self.bundle.clone().into_content()
    }

    /// What its signature says of itself.
    pub fn told(&self) -> Option<signature::Told> {
        signature::told(self.files.get(archive::SIGNATURES)?)
    }
}

/// The reader that the filter runs, to its end.
pub fn read(packed: Vec<u8>, verification: Option<Verification>) -> Result<Bundle, Fault> {
    let rules = Rules {
        limits: Limits::default(),
        looks_only: verification.is_none(),
        verification,
        rego_version: RegoVersion::V1,
    };
    let mut reader = Reader::new(packed, Arc::new(rules));
    loop {
        if let Some(read) = reader.work(&mut || true) {
            return read;
        }
    }
}

pub fn packed(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::io(path.display(), &error))
}

pub fn refused(path: &Path, fault: &Fault) -> Failure {
    Failure::new(format!("{}: {fault}", path.display()))
}

fn unpack(packed: &[u8]) -> std::io::Result<Files> {
    let mut files = Files::new();
    let mut archive = Archive::new(GzDecoder::new(packed));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let name = name.strip_prefix('/').unwrap_or(name).to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(name, content);
    }
    Ok(files)
}

/// As people read it.
pub fn shown_order(order: Option<Order>) -> String {
    match order {
        None => "none".to_owned(),
        Some(Order::Sequence(number)) => format!("sequence {number}"),
        Some(Order::Time(nanoseconds)) => format!("time {}", shown_time(nanoseconds)),
    }
}

pub fn shown_time(nanoseconds: u64) -> String {
    let since = std::time::Duration::from_nanos(nanoseconds);
    humantime::format_rfc3339(std::time::UNIX_EPOCH + since).to_string()
}
