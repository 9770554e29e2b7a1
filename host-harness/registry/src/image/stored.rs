//! An image on disk: an OCI image layout (image-spec 1.1, image-layout.md), as a folder or as a tar
//! archive of one.

use super::{
    INDEX, Image, MANIFEST, MOST_JSON, MOST_WASM, Manifest,
    manifest::{Descriptor, Index, parse, written},
    pack,
};
use crate::{Digest, Fault, remote::shown};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The files of a layout by their paths in it.
pub type Files = BTreeMap<String, Vec<u8>>;

const MARK: &str = "oci-layout";
const TOP: &str = "index.json";
/// By which clients name a manifest in a layout (image-spec 1.1, annotations.md).
const NAME: &str = "org.opencontainers.image.ref.name";
/// Files of a layout: an image of the module has some six.
const MOST_FILES: usize = 256;

/// An image as a layout, under a name.
///
/// # Errors
/// That it cannot be written.
pub fn write(image: &Image, name: &str) -> Result<Files, Fault> {
    let mut files = Files::new();
    let mut top = Index {
        schema_version: 2,
        media_type: Some(INDEX.to_owned()),
        manifests: Vec::new(),
    };
    let mut own = Descriptor::of(MANIFEST, &image.manifest);
    own.annotations.insert(NAME.to_owned(), name.to_owned());
    top.manifests.push(own);
    files.insert(at(&image.digest()), image.manifest.clone());
    for referrer in &image.referrers {
        let mut descriptor = Descriptor::of(MANIFEST, referrer);
        descriptor.artifact_type = Manifest::read(referrer, MANIFEST)?.artifact_type;
        files.insert(at(&descriptor.digest), referrer.clone());
        top.manifests.push(descriptor);
    }
    for (digest, blob) in &image.blobs {
        files.insert(at(digest), blob.clone());
    }
    files.insert(TOP.to_owned(), written(&top)?);
    let mark = serde_json::json!({"imageLayoutVersion": "1.0.0"});
    files.insert(MARK.to_owned(), written(&mark)?);
    Ok(files)
}

/// The one image of a layout, with what refers to it. Every blob is what its name says.
///
/// # Errors
/// Where it is no layout, has another number of images, or is not whole.
pub fn read(path: &Path) -> Result<Image, Fault> {
    let wrong = |why: String| Fault::Input {
        what: why,
        hint: Some("an OCI image layout, as `portcullis image build -o` writes it".into()),
    };
    let files = match path.is_dir() {
        true => read_folder(path),
        false => read_archive(path),
    }
    .map_err(|error| wrong(why_none(path, &error)))?;
    let file = |name: &str| {
        files
            .get(name)
            .ok_or_else(|| wrong(format!("there is no {name}")))
    };
    let mark: Value = parse(file(MARK)?).map_err(|why| wrong(format!("{MARK}: {why}")))?;
    if mark.get("imageLayoutVersion").and_then(Value::as_str) != Some("1.0.0") {
        return Err(wrong(format!("{MARK}: its version is not 1.0.0")));
    }
    let top: Index = parse(file(TOP)?).map_err(|why| wrong(format!("{TOP}: {why}")))?;
    let stored = |descriptor: &Descriptor| {
        let bytes = file(&at(&descriptor.digest))?;
        match Digest::of(bytes) == descriptor.digest && bytes.len() == descriptor.size {
            true => Ok(bytes.clone()),
            false => Err(wrong(format!("{} was changed", at(&descriptor.digest)))),
        }
    };
    let (mut images, mut referrers, mut blobs) = (Vec::new(), Vec::new(), BTreeMap::new());
    for descriptor in &top.manifests {
        let bytes = stored(descriptor)?;
        let manifest = Manifest::read(&bytes, &descriptor.media_type)
            .map_err(|fault| wrong(format!("{}: {fault}", descriptor.digest)))?;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            blobs.insert(blob.digest.clone(), stored(blob)?);
        }
        match manifest.subject {
            Some(subject) => referrers.push((subject.digest, bytes)),
            None => images.push(bytes),
        }
    }
    let [manifest] = <[Vec<u8>; 1]>::try_from(images)
        .map_err(|images| wrong(format!("it has {} images, and one is wanted", images.len())))?;
    let digest = Digest::of(&manifest);
    if let Some((other, _)) = referrers.iter().find(|(subject, _)| *subject != digest) {
        return Err(wrong(format!(
            "it has a referrer of {other}, which is not there"
        )));
    }
    Ok(Image {
        manifest,
        referrers: referrers.into_iter().map(|(_, bytes)| bytes).collect(),
        blobs,
    })
}

/// Why there is nothing to read, without what the bytes of something else look like as text.
fn why_none(path: &Path, error: &io::Error) -> String {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match error.kind() {
        io::ErrorKind::NotFound if path.is_dir() => {
            format!("it is no OCI image layout: there is no {MARK}, or no blobs/sha256")
        }
        // RFC 1952 section 2.3.1.
        _ if read.is_ok() && start == [0x1f, 0x8b] => {
            "it is packed (gzip), and an archive of an image is not".to_owned()
        }
        _ => shown(&error.to_string()),
    }
}

/// The layout as one archive.
///
/// # Errors
/// That it cannot be written.
pub fn archive(files: &Files) -> Result<Vec<u8>, Fault> {
    let files = files.iter().map(|(name, bytes)| (&**name, &**bytes));
    pack::archived(files).map_err(|error| Fault::Refused(format!("the archive: {error}")))
}

fn at(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn read_folder(folder: &Path) -> Result<Files, io::Error> {
    let mut files = Files::new();
    let mut left = Left::new();
    let blobs = Path::new("blobs/sha256");
    let mut names = vec![MARK.into(), TOP.into()];
    for entry in folder.join(blobs).read_dir()? {
        names.push(blobs.join(entry?.file_name()));
        left.file()?;
    }
    for name in names {
        let bytes = left.read(File::open(folder.join(&name))?)?;
        files.insert(name.to_string_lossy().into_owned(), bytes);
    }
    Ok(files)
}

fn read_archive(file: &Path) -> Result<Files, io::Error> {
    let mut files = Files::new();
    let mut left = Left::new();
    // What the reader says of other files quotes their bytes.
    let none = |_| io::Error::other("it is no tar archive, or a part of one");
    let mut archive = tar::Archive::new(io::BufReader::new(File::open(file)?));
    for entry in archive.entries().map_err(none)? {
        let entry = entry.map_err(none)?;
        let name = entry.path().map_err(none)?.to_string_lossy().into_owned();
        left.file()?;
        match entry.header().entry_type() {
            tar::EntryType::Directory => {}
            tar::EntryType::Regular => {
                let bytes = left.read(entry)?;
                files.insert(name.trim_start_matches("./").to_owned(), bytes);
            }
            _ => {
                let what = format!("`{}` is neither a file nor a folder", shown(&name));
                return Err(io::Error::other(what));
            }
        }
    }
    Ok(files)
}

/// What may still be read.
struct Left {
    files: usize,
    bytes: usize,
}

impl Left {
    fn new() -> Left {
        Left {
            files: MOST_FILES,
            // The module may be packed badly, and other things stand beside it.
            bytes: MOST_WASM.saturating_add(MOST_JSON.saturating_mul(4)),
        }
    }

    fn file(&mut self) -> Result<(), io::Error> {
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| io::Error::other(format!("it has more than {MOST_FILES} files")))?;
        Ok(())
    }

    fn read(&mut self, from: impl Read) -> Result<Vec<u8>, io::Error> {
        let mut bytes = Vec::new();
        let most = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        self.bytes = self
            .bytes
            .checked_sub(bytes.len())
            .ok_or_else(|| io::Error::other("it is longer than any image of a module"))?;
        Ok(bytes)
    }
}
