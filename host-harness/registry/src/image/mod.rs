//! The module as an OCI image (OCI Image Specification 1.1), in the layouts that Istio and Envoy Gateway
//! pull: built, pushed and pulled, with what is attached to it, and signed as cosign signs.

mod attached;
mod build;
mod fetch;
mod key;
mod layout;
mod manifest;
mod module;
mod pack;
mod push;
mod referrers;
mod sign;
mod signature;
mod stored;
mod verify;

pub use attached::{Attached, Provenance};
pub use build::{Image, Making, annotation};
pub use fetch::{Fetched, contents, find, unpacked};
pub use key::SigningKey;
pub use layout::Layout;
pub use manifest::Manifest;
pub use module::Module;
pub use push::{Sent, push};
pub use referrers::{Referrer, referrers};
pub use sign::{Signed, sign};
pub use signature::{Payload, Signature, signatures};
pub use stored::{Files, archive, read, write};
pub use verify::{Constraints, Proven, verify};

/// What a key that verifies may be for: one for each kind.
pub use portcullis_crypto::sigstore::ALGORITHMS as KEYS;

/// Of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Of a list of manifests.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Of a configuration as container engines read it.
pub const CONFIGURATION: &str = "application/vnd.oci.image.config.v1+json";
/// Of a layer that is a packed tar archive.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What Docker's own format calls the same things; Istio takes it too.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Of the module as it is, and of what a host may read about it.
const WASM_CONTENT: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const WASM_CONFIGURATION: &str = "application/vnd.module.wasm.config.v1+json";
/// Of a configuration that is not there (image-spec 1.1, "Guidance for an Empty Descriptor").
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The file in a layer that hosts look for.
pub const PLUGIN: &str = "plugin.wasm";
/// Bytes of a module: Istio and Envoy Gateway read no more.
pub const MOST_WASM: usize = 256 * 1024 * 1024;
/// Bytes of a configuration, an SBOM or a provenance.
pub const MOST_JSON: usize = 16 * 1024 * 1024;
