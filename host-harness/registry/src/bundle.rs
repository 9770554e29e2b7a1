//! Bundles in registries (OCI Distribution Specification 1.1), in the layout that OPA's downloader
//! takes: a manifest whose first layer of the type of a bundle is the bundle (OPA's
//! `v1/download/oci_download.go`).

use crate::{
    Fault, Progress, Target,
    image::{CONFIGURATION, LAYER, MANIFEST},
    remote::Remote,
};
use bytes::Bytes;
use serde_json::json;

/// Of a configuration that nobody reads, as `policy` of opcr.io and OPA's own documentation have it.
const EMPTY: &[u8] = b"{}";

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Of the manifest: `sha256:` and hex.
    pub digest: String,
    /// Of the bundle.
    pub layer: String,
}

/// Pushes a bundle, and asks the registry whether it has it. The manifest follows from the bundle alone:
/// the same bundle has the same digest in every registry.
///
/// # Errors
/// Where the registry cannot be reached, wants other credentials, refuses, or has something else
/// afterwards.
pub fn push(bundle: Vec<u8>, target: &Target, progress: &Progress) -> Result<Pushed, Fault> {
    let remote = Remote::to_push(target)?;
    let size = bundle.len();
    let layer = remote.push_blob(&Bytes::from(bundle), progress)?;
    let configuration = remote.push_blob(&Bytes::from_static(EMPTY), progress)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIGURATION, "digest": configuration, "size": EMPTY.len()},
        "layers": [{"mediaType": LAYER, "digest": layer, "size": size}],
    })
    .to_string();
    let digest = remote.push_manifest(target.own_name(), manifest.as_bytes(), MANIFEST)?;
    Ok(Pushed {
        digest: digest.to_string(),
        layer: layer.to_string(),
    })
}
