//! An image of a module: its blobs and its manifests, the same bytes for the same module and options.

use super::{
    Attached, CONFIGURATION, LAYER, Layout, Manifest, Module, WASM_CONFIGURATION, WASM_CONTENT,
    manifest::{Descriptor, written},
    pack,
};
use crate::{Digest, Fault};
use serde_json::json;
use std::collections::BTreeMap;

/// Annotations that follow from the module and its layout.
pub mod annotation {
    /// As Istio's documentation of the compat layout has it.
    pub const VARIANT: &str = "module.wasm.image/variant";
    /// The ABI, by the name of the export that says so.
    pub const ABI: &str = "portcullis.wasm.image/abi";
    /// The Envoys that have all that the module imports.
    pub const ENVOY: &str = "portcullis.wasm.image/envoy";
}

/// What an image is made with.
pub struct Making {
    pub layout: Layout,
    /// Of the manifest. Those of [`annotation`] are not among them.
    pub annotations: BTreeMap<String, String>,
    /// Documents to attach, with what they are.
    pub attached: Vec<(Attached, Vec<u8>)>,
}

/// All of an image, ready to be pushed or written down.
pub struct Image {
    pub manifest: Vec<u8>,
    /// Manifests whose subject is the image.
    pub referrers: Vec<Vec<u8>>,
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Image {
    /// # Errors
    /// What is to be attached is none, or about something else.
    pub fn build(module: &Module, making: Making) -> Result<Image, Fault> {
        let mut blobs = Blobs(BTreeMap::new());
        let (config, layers) = match making.layout {
            Layout::Oci => {
                let about = written(&json!({"abi": module.abi(), "type": "envoy_proxy"}))?;
                let layers = vec![
                    blobs.add(WASM_CONTENT, module.bytes().to_vec()),
                    blobs.add(WASM_CONFIGURATION, about),
                ];
                (configuration(&[Digest::of(module.bytes())])?, layers)
            }
            // Docker's own format is read and never written.
            Layout::Compat | Layout::Docker => {
                let packed = pack::pack(module.bytes())?;
                let config = configuration(&[Digest::of(&packed.tar)])?;
                (config, vec![blobs.add(LAYER, packed.layer)])
            }
        };
        let mut manifest = Manifest::new(blobs.add(CONFIGURATION, config), layers);
        manifest.annotations = making.annotations;
        let own = [
            (annotation::VARIANT, variant(making.layout)),
            (annotation::ABI, Some(module.abi().to_owned())),
            (annotation::ENVOY, Some(module.envoy())),
        ];
        for (name, value) in own {
            if let Some(value) = value {
                manifest.annotations.insert(name.to_owned(), value);
            }
        }
        let manifest = written(&manifest)?;
        let mut referrers = Vec::new();
        for (kind, document) in making.attached {
            kind.hold(&document, &module.digest())?;
            let image = Descriptor::of(super::MANIFEST, &manifest);
            referrers.push(kind.manifest(&document, image)?);
            blobs.add(kind.media_type(), document);
            blobs.add(super::EMPTY, Attached::configuration().to_vec());
        }
        Ok(Image {
            manifest,
            referrers,
            blobs: blobs.0,
        })
    }

    /// That of the manifest: what a mesh pins.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }
}

fn variant(layout: Layout) -> Option<String> {
    (layout == Layout::Compat).then(|| layout.name().to_owned())
}

struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl Blobs {
    fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::of(media_type, &bytes);
        self.0.insert(descriptor.digest.clone(), bytes);
        descriptor
    }
}

/// As engines read it (image-spec 1.1, config.md), of what is unpacked.
fn configuration(unpacked: &[Digest]) -> Result<Vec<u8>, Fault> {
    written(&json!({
        "architecture": "wasm", "os": "wasip1", "config": {},
        "rootfs": {"type": "layers", "diff_ids": unpacked},
    }))
}
