//! What refers to an image: by the registry's own list, or by a tag where it has none (distribution-spec
//! 1.1, "Listing Referrers" and "Referrers Tag Schema").

use super::{
    Attached, INDEX, MANIFEST, MOST_JSON, Manifest,
    fetch::blob,
    manifest::{Descriptor, Index, parse, written},
};
use crate::{Digest, Fault, Progress, Remote};
use serde_json::{Value, json};

/// A manifest whose subject is the image.
pub struct Referrer {
    pub digest: Digest,
    pub manifest: Manifest,
}

/// Referrers of one image: an SBOM and a provenance are two.
const MOST_REFERRERS: usize = 64;

impl Referrer {
    /// What it is, of what is known here.
    pub fn attached(&self) -> Option<Attached> {
        Attached::of_type(self.manifest.kind())
    }

    /// What it attaches, about the module.
    ///
    /// # Errors
    /// It is not whole, has not its shape, or is about another module.
    pub fn document(
        &self,
        remote: &Remote,
        kind: Attached,
        module: &Digest,
        progress: &Progress,
    ) -> Result<Vec<u8>, Fault> {
        let wrong =
            |why: String| Fault::Refused(format!("the {} {}: {why}", kind.name(), self.digest));
        let [layer] = &*self.manifest.layers else {
            let count = self.manifest.layers.len();
            return Err(wrong(format!("it has {count} layers, and one is wanted")));
        };
        let read = |descriptor: &Descriptor| {
            blob(remote, descriptor, MOST_JSON, progress).map_err(|fault| match fault {
                Fault::Refused(why) => wrong(why),
                other => other,
            })
        };
        read(&self.manifest.config)?;
        let document = read(layer)?;
        kind.check(&document, module).map_err(wrong)?;
        Ok(document)
    }
}

/// Those whose type is `wanted`, as far as the list says it: one of another kind is nobody's business here,
/// whole or not.
///
/// # Errors
/// Where one that is listed is not there, is none, or refers to something else.
pub fn referrers(
    remote: &Remote,
    image: &Digest,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Referrer>, Fault> {
    let listed = match remote.referrers(image)? {
        Some(index) => Some(index),
        None => by_tag(remote, image)?,
    };
    let Some(listed) = listed else {
        return Ok(Vec::new());
    };
    let wrong = |why: String| Fault::Refused(format!("the list of its referrers: {why}"));
    let index: Index = parse(&listed).map_err(wrong)?;
    let all = index.manifests.iter();
    let listed = all.filter(|one| one.artifact_type.as_deref().is_none_or(&wanted));
    if listed.clone().count() > MOST_REFERRERS {
        return Err(wrong(format!("it has more than {MOST_REFERRERS}")));
    }
    let read = |descriptor: &Descriptor| {
        let found = remote.manifest(descriptor.digest.as_str(), &[MANIFEST])?;
        let found = found.ok_or_else(|| wrong(format!("{} is not there", descriptor.digest)))?;
        let manifest = Manifest::read(&found.bytes, &found.media_type)
            .map_err(|fault| wrong(format!("{}: {fault}", descriptor.digest)))?;
        let subject = manifest.subject.as_ref().map(|subject| &subject.digest);
        match subject == Some(image) {
            true => Ok(Referrer {
                digest: found.digest,
                manifest,
            }),
            false => Err(wrong(format!(
                "{} refers to something else",
                descriptor.digest
            ))),
        }
    };
    listed.map(read).collect()
}

/// Pushes a manifest whose subject is the image. Where the registry has no list of its own, it is put
/// into the one under the tag, and what is there stays.
///
/// # Errors
/// Where the registry does not take it, or has something else under that tag.
pub fn attach(remote: &Remote, image: &Digest, manifest: &[u8]) -> Result<Digest, Fault> {
    let mut own = Descriptor::of(MANIFEST, manifest);
    own.artifact_type = Manifest::read(manifest, MANIFEST)?.artifact_type;
    remote.push_manifest(own.digest.as_str(), manifest, MANIFEST)?;
    if remote.referrers(image)?.is_some() {
        return Ok(own.digest);
    }
    let empty = || json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    let mut index: Value = match by_tag(remote, image)? {
        None => empty(),
        Some(bytes) => parse(&bytes).map_err(|why| taken(image, &why))?,
    };
    let listed = index.get_mut("manifests").and_then(Value::as_array_mut);
    let listed = listed.ok_or_else(|| taken(image, "it has no `manifests`"))?;
    let is_own = |entry: &Value| {
        let digest = entry.get("digest").and_then(Value::as_str);
        digest == Some(own.digest.as_str())
    };
    if !listed.iter().any(is_own) {
        let descriptor = serde_json::to_value(&own);
        listed.push(descriptor.map_err(|error| taken(image, &error.to_string()))?);
        remote.push_manifest(&image.as_tag(), &written(&index)?, INDEX)?;
    }
    Ok(own.digest)
}

fn by_tag(remote: &Remote, image: &Digest) -> Result<Option<Vec<u8>>, Fault> {
    let found = remote.manifest(&image.as_tag(), &[INDEX])?;
    match found {
        Some(found) if found.media_type != INDEX => Err(taken(image, "it is no index")),
        found => Ok(found.map(|found| found.bytes)),
    }
}

fn taken(image: &Digest, why: &str) -> Fault {
    Fault::Refused(format!(
        "the tag {} is for the list of referrers, and has something else: {why}",
        image.as_tag()
    ))
}
