//! What is read of an image in a registry: its manifest, then every blob, each against its digest.

use super::{
    DOCKER_MANIFEST, INDEX, Image, Layout, MANIFEST, MOST_JSON, MOST_WASM, Manifest,
    manifest::Descriptor, pack,
};
use crate::{Digest, Fault, Progress, Remote};

/// A manifest that a registry has under the name that was asked for.
pub struct Fetched {
    pub digest: Digest,
    pub manifest: Manifest,
    /// Its own bytes, whose digest it is.
    pub bytes: Vec<u8>,
}

/// What registries are asked for: an index is taken too, to say that it is one.
const ACCEPTED: [&str; 3] = [MANIFEST, DOCKER_MANIFEST, INDEX];

/// # Errors
/// Where there is none, or no manifest of one image.
pub fn find(remote: &Remote) -> Result<Fetched, Fault> {
    let target = remote.target();
    let name = target.own_name();
    let found = remote.manifest(name, &ACCEPTED)?;
    let found = found.ok_or_else(|| Fault::Missing {
        host: target.host().to_owned(),
        name: target.name(),
    })?;
    Ok(Fetched {
        manifest: Manifest::read(&found.bytes, &found.media_type)?,
        digest: found.digest,
        bytes: found.bytes,
    })
}

/// The module, and the layout it was in. The configuration and every layer are read.
///
/// # Errors
/// A mesh would not take it, or a blob is not what the manifest says.
pub fn contents(
    remote: &Remote,
    manifest: &Manifest,
    progress: &Progress,
) -> Result<(Layout, Vec<u8>), Fault> {
    taken(manifest, |descriptor, most| {
        blob(remote, descriptor, most, progress)
    })
}

/// The same, of an image that is at hand.
///
/// # Errors
/// A mesh would not take it, or a blob is not there.
pub fn unpacked(image: &Image) -> Result<(Manifest, Layout, Vec<u8>), Fault> {
    let manifest = Manifest::read(&image.manifest, "")?;
    let (layout, module) = taken(&manifest, |descriptor, _| {
        let found = image.blobs.get(&descriptor.digest).cloned();
        found.ok_or_else(|| gone(descriptor))
    })?;
    Ok((manifest, layout, module))
}

fn taken(
    manifest: &Manifest,
    blob: impl Fn(&Descriptor, usize) -> Result<Vec<u8>, Fault>,
) -> Result<(Layout, Vec<u8>), Fault> {
    let (layout, wanted) = Layout::of(manifest)?;
    blob(&manifest.config, MOST_JSON)?;
    let mut module = None;
    for layer in &manifest.layers {
        let bytes = blob(layer, MOST_WASM)?;
        if layer == wanted {
            module = Some(bytes);
        }
    }
    let layer = module.ok_or_else(|| gone(wanted))?;
    let module = match layout {
        Layout::Oci => layer,
        Layout::Compat | Layout::Docker => pack::unpack(&layer)?,
    };
    Ok((layout, module))
}

/// A blob that a manifest names, and that must be there.
///
/// # Errors
/// Where it says that it is longer than `most` bytes, or is not what it says.
pub fn blob(
    remote: &Remote,
    descriptor: &Descriptor,
    most: usize,
    progress: &Progress,
) -> Result<Vec<u8>, Fault> {
    if descriptor.size > most {
        return Err(Fault::Refused(format!(
            "the blob {} has {} bytes, and {most} at most are taken",
            descriptor.digest, descriptor.size
        )));
    }
    let found = remote.blob(&descriptor.digest, descriptor.size, progress)?;
    found.ok_or_else(|| gone(descriptor))
}

fn gone(descriptor: &Descriptor) -> Fault {
    Fault::Refused(format!("the blob {} is not there", descriptor.digest))
}
