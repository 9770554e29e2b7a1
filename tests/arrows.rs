//! Who may depend on whom: the arrows between the rooms, and the dependencies that only one room has.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every crate of ours with those of ours it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("portcullis-crypto", &[]),
    ("portcullis-rego", &["portcullis-crypto"]),
    (
        "portcullis-engine",
        &["portcullis-crypto", "portcullis-rego"],
    ),
    ("portcullis-filter", &["portcullis-engine"]),
    ("portcullis-host", &[]),
    // To sign and verify images.
    ("portcullis-registry", &["portcullis-crypto"]),
    (
        "portcullis-gatefile",
        &["portcullis-engine", "portcullis-rego"],
    ),
    (
        "portcullis-runner",
        &[
            "portcullis-engine",
            "portcullis-gatefile",
            "portcullis-host",
        ],
    ),
    (
        "portcullis-cli",
        &[
            // To sign bundles with every algorithm that a key set may have.
            "portcullis-crypto",
            "portcullis-engine",
            "portcullis-gatefile",
            "portcullis-host",
            "portcullis-registry",
            "portcullis-rego",
            "portcullis-runner",
        ],
    ),
    (
        "portcullis-tests",
        &[
            "portcullis-crypto",
            "portcullis-engine",
            "portcullis-gatefile",
            "portcullis-host",
            "portcullis-rego",
            "portcullis-runner",
        ],
    ),
];

/// Crates from elsewhere, and who alone may name them.
const ONLY: &[(&str, &[&str])] = &[
    ("regorus", &["portcullis-rego"]),
    ("proxy-wasm", &["portcullis-filter"]),
    ("wasmtime", &["portcullis-host"]),
    // Algorithms.
    ("rsa", &["portcullis-crypto"]),
    ("p256", &["portcullis-crypto"]),
    ("p384", &["portcullis-crypto"]),
    // The other one makes keys for tests, which jwt-simple does of every other kind.
    ("p521", &["portcullis-crypto", "portcullis-runner"]),
    // The second signs the tokens of a test; the third verifies what the gate signs, as others do.
    (
        "ed25519-dalek",
        &["portcullis-crypto", "portcullis-engine", "portcullis-tests"],
    ),
    ("hmac", &["portcullis-crypto"]),
    ("md-5", &["portcullis-crypto"]),
    ("sha1", &["portcullis-crypto"]),
    ("poly1305", &["portcullis-crypto"]),
    ("salsa20", &["portcullis-crypto"]),
    ("scrypt", &["portcullis-crypto"]),
    ("ring", &["portcullis-host"]),
    ("oci-client", &["portcullis-registry"]),
    ("docker_credential", &["portcullis-registry"]),
    ("reqwest", &["portcullis-registry"]),
    ("wasmparser", &["portcullis-registry"]),
    ("sfv", &["portcullis-engine", "portcullis-tests"]),
];

#[test]
fn each_room_depends_only_on_the_rooms_below_it() {
    let found = ours();
    let known: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, dependencies) in &found {
        let allowed = known
            .get(&**name)
            .unwrap_or_else(|| panic!("the crate `{name}` is new: say here what it may depend on"));
        for dependency in dependencies
            .iter()
            .filter(|dependency| found.contains_key(*dependency))
        {
            assert!(
                allowed.contains(&&**dependency),
                "`{name}` may not depend on `{dependency}`"
            );
        }
    }
    assert_eq!(
        found.len(),
        known.len(),
        "a crate that is listed here is gone"
    );
}

#[test]
fn each_danger_has_one_room() {
    let found = ours();
    for (crate_name, owners) in ONLY {
        let users: BTreeSet<&str> = found
            .iter()
            .filter(|(_, dependencies)| dependencies.contains(*crate_name))
            .map(|(name, _)| &**name)
            .collect();
        assert_eq!(users, owners.iter().copied().collect(), "`{crate_name}`");
    }
}

/// The workspace's crates with the names of everything each depends on, tests included.
fn ours() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(portcullis_tests::root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            (
                text(&package["name"]),
                dependencies.iter().map(|it| text(&it["name"])).collect(),
            )
        })
        .collect()
}
