//! Signs an image and what is attached to it, each manifest on its own. Signatures that are there stay,
//! unless the same key says the same again.

use super::{
    Attached, CONFIGURATION, MANIFEST, Module, SigningKey, contents, find,
    manifest::{Descriptor, written},
    referrers::referrers,
    signature::{ANNOTATION, LAYER, MOST_SIGNATURES, Payload, Signature, signatures, tag},
};
use crate::{Digest, Fault, Progress, Remote, image::fetch::blob};
use bytes::Bytes;
use portcullis_crypto::encoding;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How often others may be in the way.
const ATTEMPTS: usize = 4;

/// What was signed.
pub struct Signed {
    /// Of the image's manifest.
    pub digest: Digest,
    /// What is attached, by the digests of their manifests.
    pub attached: Vec<(Attached, Digest)>,
}

/// What is signed is looked at first: it must be whole, one that a mesh takes, and a gate by what `offers`
/// says, as [`Module::read`] has it. `optional` is what the signature says besides.
///
/// # Errors
/// Where it is not, or the registry does not take the signature.
pub fn sign(
    remote: &Remote,
    key: &SigningKey,
    optional: &Map<String, Value>,
    offers: impl Fn(&str, &str) -> bool,
    progress: &Progress,
) -> Result<Signed, Fault> {
    let image = find(remote)?;
    let (_, module) = contents(remote, &image.manifest, progress)?;
    let module = Module::hold(module, offers)?.digest();
    let mut attached = Vec::new();
    for referrer in referrers(remote, &image.digest, Attached::is_known)? {
        if let Some(kind) = referrer.attached() {
            referrer.document(remote, kind, &module, progress)?;
            attached.push((kind, referrer.digest));
        }
    }
    // The image last: where something fails before, it is not signed.
    let digests = attached.iter().map(|(_, digest)| digest);
    let digests = digests.chain([&image.digest]);
    let payloads = digests.map(|digest| Payload {
        digest: digest.clone(),
        reference: remote.target().repository(),
        optional: optional.clone(),
    });
    // A second time: somebody who signed meanwhile may have put their list over ours.
    for payload in payloads.clone().chain(payloads) {
        patiently_add(remote, key, &payload)?;
    }
    Ok(Signed {
        digest: image.digest,
        attached,
    })
}

/// Others may put their list there between reading it and writing it: then it is read again.
fn patiently_add(remote: &Remote, key: &SigningKey, payload: &Payload) -> Result<(), Fault> {
    for _ in 1..ATTEMPTS {
        match add(remote, key, payload) {
            Err(Fault::Changed { .. }) => {}
            done => return done,
        }
    }
    add(remote, key, payload)
}

/// Puts a signature beside those that are there, unless it is one of them. Earlier ones of the key that say
/// no more go: else signing each day would fill the place.
fn add(remote: &Remote, key: &SigningKey, payload: &Payload) -> Result<(), Fault> {
    let tag = tag(&payload.digest);
    let wrong = |why: &str| Fault::Refused(format!("the signatures under {tag}: {why}"));
    let bytes = payload.written()?;
    let signature = encoding::to_standard(&key.sign(&bytes)?);
    let mut layer = Descriptor::of(LAYER, &bytes);
    layer.annotations.insert(ANNOTATION.to_owned(), signature);
    let nobody: Progress = Arc::new(|_| ());
    let mut older = Vec::new();
    let (mut manifest, mut configuration) = match signatures(remote, &payload.digest)? {
        None => (
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}),
            json!({"architecture": "", "os": "", "config": {},
                "rootfs": {"type": "layers", "diff_ids": []}}),
        ),
        Some((there, _)) if there.layers.contains(&layer) => return Ok(()),
        Some((there, all)) => {
            let own = |signature: &Signature| is_older(key, payload, signature);
            let of_kind = there
                .layers
                .iter()
                .filter(|layer| layer.media_type == LAYER);
            for (layer, _) in of_kind.zip(&all).filter(|(_, it)| own(it)) {
                older.push(layer.clone());
            }
            if all.len().saturating_sub(older.len()) >= MOST_SIGNATURES {
                return Err(wrong(&format!(
                    "there are {MOST_SIGNATURES} by others, and with more than these none is verified"
                )));
            }
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
        for layer in &older {
            // One for each: another key may have signed the same.
            let mut listed = unpacked.iter();
            let place = listed.position(|digest| digest.as_str() == Some(layer.digest.as_str()));
            place.map(|place| unpacked.remove(place));
        }
        unpacked.push(layer.digest.as_str().into());
    }
    let configuration = written(&configuration)?;
    let layers = manifest.get_mut("layers").and_then(Value::as_array_mut);
    let layers = layers.ok_or_else(|| wrong("they are no image"))?;
    layers.retain(|it| !older.iter().any(|layer| is_of(it, layer)));
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

/// Whether the key made it, which signs the same bytes each time, and it says no more than what is signed
/// now.
fn is_older(key: &SigningKey, payload: &Payload, there: &Signature) -> bool {
    let signed = key.sign(&there.payload);
    signed.is_ok_and(|signed| signed == there.signature)
        && Payload::read(&there.payload).is_ok_and(|older| payload.replaces(&older))
}

/// A layer, as it stands in the manifest.
fn is_of(layer: &Value, descriptor: &Descriptor) -> bool {
    let there: Result<Descriptor, _> = serde_json::from_value(layer.clone());
    there.is_ok_and(|there| there == *descriptor)
}
