//! What is emitted: resources, and what whoever applies them should know.

use serde_json::Value;

/// An image that manifests can name so that nobody can move it.
pub struct Image {
    /// `host/repository@sha256:...`.
    pub pinned: String,
    /// Of the manifest, in hex.
    pub sha256: String,
    /// Of the module in it, where somebody looked.
    pub module: Option<String>,
    /// By which keys it was verified, and what else was asked of it: arguments. Without a key, none was.
    pub verification: Vec<String>,
}

/// For one target.
#[derive(Default)]
pub struct Emitted {
    pub manifests: Vec<Manifest>,
    /// What the target cannot do, or does otherwise than one might think; each some sentences.
    pub warnings: Vec<String>,
    /// How secrets come into the proxy's environment: lines of a manifest. Empty where there are none.
    pub secrets: Vec<String>,
    /// What to run, in order.
    pub commands: Vec<String>,
}

/// One resource, in a file of its own.
pub struct Manifest {
    /// Of the file.
    pub name: String,
    pub value: Value,
    /// Why it is what it is, for whoever reads it.
    pub about: String,
}
