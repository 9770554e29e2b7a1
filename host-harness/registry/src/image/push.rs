//! An image to a registry: what it is made of first, its tag last, so that whoever pulls by it finds all.

use super::{Attached, Image, MANIFEST, Manifest, referrers::attach};
use crate::{Digest, Fault, Progress, Remote};
use bytes::Bytes;

/// What is in the registry now.
pub struct Sent {
    /// Of the manifest.
    pub digest: Digest,
    /// What was attached, by the digests of their manifests.
    pub attached: Vec<(Option<Attached>, Digest)>,
}

/// # Errors
/// Where the registry refuses something, or has something else afterwards.
pub fn push(remote: &Remote, image: &Image, progress: &Progress) -> Result<Sent, Fault> {
    for blob in image.blobs.values() {
        remote.push_blob(&Bytes::copy_from_slice(blob), progress)?;
    }
    let digest = image.digest();
    remote.push_manifest(digest.as_str(), &image.manifest, MANIFEST)?;
    let mut attached = Vec::new();
    for manifest in &image.referrers {
        let kind = Manifest::read(manifest, MANIFEST)?;
        let pushed = attach(remote, &digest, manifest)?;
        attached.push((Attached::of_type(kind.kind()), pushed));
    }
    remote.push_manifest(remote.target().own_name(), &image.manifest, MANIFEST)?;
    Ok(Sent { digest, attached })
}
