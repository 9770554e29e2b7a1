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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::digest;
    use crate::crypto::sha256;

    #[test]
    fn what_is_hashed_of_a_file() {
        // The first one is of OPA's own tests (`v1/bundle/hash_test.go`).
        let map = r#"{"key2":{"c":123.45678911111111111111111111111111111111111111111111111,"b":1,"a":0},
            "key1":["element1","element2"]}"#;
        let form = r#"{"key1":["element1","element2"],"key2":{"a":0,"b":1,"c":123.45678911111111111111111111111111111111111111111111111}}"#;
        let cases = [
            ("data.json", map, form),
            ("a/b/data.json", "[ 1E5, \"<\\u003e\" ]\n", "[1E5,\"<>\"]"),
            (
                ".manifest",
                "{ \"revision\" : \"é\\u2028\" }",
                "{\"revision\":\"é\\u2028\"}",
            ),
            ("data.yaml", "b: 1\na: [x]\n", r#"{"a":["x"],"b":1}"#),
            ("patch.json", "{ }", "{ }"),
            ("data.yml", "b:   1\n", "b:   1\n"),
            ("other.json", "{ }\n", "{ }\n"),
            ("authz.rego", "package a\n", "package a\n"),
        ];
        for (name, content, hashed) in cases {
            let found = digest(name, content.as_bytes()).unwrap();
            assert_eq!(found, sha256(hashed.as_bytes()), "{name}");
        }
        for (name, content) in [("data.json", "{"), (".manifest", ""), ("data.yaml", "a: [")] {
            assert!(digest(name, content.as_bytes()).is_err(), "{name}");
        }
    }
}
