//! What is signed of one file: for those who sign.

use super::{
    fault::{Fault, shown},
    json::{self, MAX_DEPTH},
    settle::Settling,
    verify::{MANIFEST, base},
    yaml,
};
use crate::crypto::Hasher;

/// The SHA-256 of a file, as a bundle's signature has it (OPA's `v1/bundle/hash.go`): of JSON and
/// YAML that OPA reads it is that of the canonical form, of everything else that of the bytes. 32 bytes.
///
/// # Errors
/// Where the file cannot be read, and a gate would refuse the bundle.
pub fn digest(name: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let wrong = |wrong: String| Fault::parse(format!("its file {} {wrong}", shown(name)));
    let mut hasher = Hasher::sha256();
    let mut values = usize::MAX;
    let tree = match base(name) {
        MANIFEST | "data.json" => {
            let mut reading = json::Reading::new(0..bytes.len(), MAX_DEPTH);
            loop {
                if let Some(tree) = reading.work(bytes, &mut values).map_err(wrong)? {
                    break tree;
                }
            }
        }
        "data.yaml" => yaml::read(bytes)
            .and_then(|value| yaml::tree(&value, &mut values))
            .map_err(wrong)?,
        _ => {
            hasher.update(bytes);
            return Ok(hasher.finish());
        }
    };
    let mut settling = Settling::new(tree, Some(hasher));
    loop {
        if let Some((_, digest)) = settling.work().map_err(wrong)? {
            return Ok(digest.unwrap_or_default());
        }
    }
}
