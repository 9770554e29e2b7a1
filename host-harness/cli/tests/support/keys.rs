//! Folders with API keys, and what the gate makes of those.
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::Folder;
use serde_json::{Value, json};

pub const POLICY: &str =
    "policy: {modules: {a.rego: \"package envoy.authz\\n\\nallow := true\"}}\n";
pub const LATER: &str = "2100-01-01T00:00:00Z";

/// A folder with a key in `old.key`, whose record `gate.yaml` has with more fields.
pub fn folder_with(more: &str) -> Folder {
    let folder = Folder::new();
    let record = made(
        &folder,
        "old.key",
        &["--id", "acme-2026-01", "--scope", "orders:read"],
    );
    let hash = record["hash"].as_str().unwrap();
    folder.write(
        "gate.yaml",
        format!(
            "# ours\n{POLICY}api_keys:\n  keys:\n    - id: acme-2026-01 # the shop\n      \
             hash: \"{hash}\"\n      subject: acme\n      scopes: [\"orders:read\"]\n{more}\n"
        ),
    );
    folder
}

/// A new key in a file of its own; its record.
pub fn made(folder: &Folder, file: &str, more: &[&str]) -> Value {
    let arguments = [
        "keys",
        "new",
        "--subject",
        "acme",
        "--key-file",
        file,
        "--format",
        "json",
    ];
    folder.run(&[&arguments, more].concat()).json()["record"].clone()
}

/// What the gate proves of a request with a key.
pub fn verified(folder: &Folder, file: &str) -> Value {
    let key = folder.read(file);
    folder.write(
        "r.http",
        format!("GET / HTTP/1.1\nhost: x\nx-api-key: {}\n\n", key.trim()),
    );
    let ran = folder.run(&["input", "--config", "gate.yaml", "--request", "r.http"]);
    match ran.code {
        0 => ran.json()["verified"]["api_key"].clone(),
        _ => json!(ran.stderr),
    }
}
