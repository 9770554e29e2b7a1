//! Signs an image and what is attached to it, each manifest on its own. Signatures that are there stay.

use super::{
    Attached, CONFIGURATION, MANIFEST, SigningKey, contents, find,
    manifest::{Descriptor, written},
    referrers::referrers,
    signature::{ANNOTATION, LAYER, Payload, signatures, tag},
};
use crate::{Digest, Fault, Progress, Remote, image::fetch::blob};
use bytes::Bytes;
use portcullis_crypto::encoding;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What was signed.
pub struct Signed {
    /// Of the image's manifest.
    pub digest: Digest,
    /// What is attached, by the digests of their manifests.
    pub attached: Vec<(Attached, Digest)>,
}

/// What is signed is looked at first: it must be whole, and one that a mesh takes. `optional` is what
/// the signature says besides.
///
/// # Errors
/// Where it is not, or the registry does not take the signature.
pub fn sign(
    remote: &Remote,
    key: &SigningKey,
    optional: &Map<String, Value>,
    progress: &Progress,
) -> Result<Signed, Fault> {
    let image = find(remote)?;
    let (_, module) = contents(remote, &image.manifest, progress)?;
    let module = Digest::of(&module);
    let mut attached = Vec::new();
    for referrer in referrers(remote, &image.digest)? {
        if let Some(kind) = referrer.attached() {
            referrer.document(remote, kind, &module, progress)?;
            attached.push((kind, referrer.digest));
        }
    }
    // The image last: where something fails before, it is not signed.
    let digests = attached.iter().map(|(_, digest)| digest);
    for digest in digests.chain([&image.digest]) {
        let payload = Payload {
            digest: digest.clone(),
            reference: remote.target().repository(),
            optional: optional.clone(),
        };
        add(remote, key, &payload)?;
    }
    Ok(Signed {
        digest: image.digest,
        attached,
    })
}

/// Puts a signature beside those that are there, unless it is one of them.
fn add(remote: &Remote, key: &SigningKey, payload: &Payload) -> Result<(), Fault> {
    let tag = tag(&payload.digest);
    let wrong = |why: &str| Fault::Refused(format!("the signatures under {tag}: {why}"));
    let bytes = payload.written()?;
    let signature = encoding::to_standard(&key.sign(&bytes)?);
    let mut layer = Descriptor::of(LAYER, &bytes);
    layer.annotations.insert(ANNOTATION.to_owned(), signature);
    let nobody: Progress = Arc::new(|_| ());
    let (mut manifest, mut configuration) = match signatures(remote, &payload.digest)? {
        None => (
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}),
            json!({"architecture": "", "os": "", "config": {},
                "rootfs": {"type": "layers", "diff_ids": []}}),
        ),
        Some((there, _)) if there.layers.contains(&layer) => return Ok(()),
        Some((there, _)) => {
            let found = remote.manifest(&tag, &[MANIFEST])?;
            let found = found.ok_or_else(|| wrong("they are gone"))?;
            let configuration = blob(remote, &there.config, super::MOST_JSON, &nobody)?;
            let read = |bytes: &[u8]| {
                serde_json::from_slice::<Value>(bytes).map_err(|_| wrong("they are no image"))
            };
            (read(&found.bytes)?, read(&configuration)?)
        }
    };
    // A layer that is not packed has the same digest as what is in it. Not every signer lists them.
    let unpacked = configuration.pointer_mut("/rootfs/diff_ids");
    if let Some(unpacked) = unpacked.and_then(Value::as_array_mut) {
        unpacked.push(layer.digest.as_str().into());
    }
    let configuration = written(&configuration)?;
    let layers = manifest.get_mut("layers").and_then(Value::as_array_mut);
    let layers = layers.ok_or_else(|| wrong("they are no image"))?;
    layers.push(serde_json::to_value(&layer).map_err(|_| wrong("one cannot be written"))?);
    let own = serde_json::to_value(Descriptor::of(CONFIGURATION, &configuration));
    let own = own.map_err(|_| wrong("their configuration cannot be written"))?;
    let members = manifest.as_object_mut();
    let members = members.ok_or_else(|| wrong("they are no image"))?;
    members.insert("config".to_owned(), own);
    for blob in [bytes, configuration] {
        remote.push_blob(&Bytes::from(blob), &nobody)?;
    }
    remote.push_manifest(&tag, &written(&manifest)?, MANIFEST)?;
    Ok(())
}
