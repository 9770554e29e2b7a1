//! Every file is signed, and every signed file is there.

use super::{super::*, build::*};
use serde_json::Value as Json;

#[test]
fn every_file_is_signed_and_every_signed_file_is_there() {
    let step = Step::Verify;
    let first =
        |name: &'static str, value: Json| claiming(move |claims| claims["files"][0][name] = value);
    let sha384 = |claims: &mut Json| {
        let text = br#"{"a":[2],"b":1.0}"#;
        let mut hasher = crate::crypto::Hasher::sha384();
        hasher.update(text);
        claims["files"][0]["algorithm"] = "SHA-384".into();
        claims["files"][0]["hash"] = base16ct::upper::encode_string(&hasher.finish()).into();
    };
    read(claiming(sha384), verifying()).unwrap();
    let mut more = FILES.to_vec();
    more.push(("/extra.txt", "nobody reads it"));
    let of_fewer = signature(&claims(FILES));
    more.push(("/.signatures.json", &of_fewer));
    let other = |at: usize, content: &'static str| {
        let mut files = FILES.to_vec();
        files[at].1 = content;
        let signature = signature(&claims(FILES));
        files.push(("/.signatures.json", &signature));
        bundle(&files)
    };
    let gone = |at: usize| {
        let mut files = FILES.to_vec();
        files.remove(at);
        let signature = signature(&claims(FILES));
        files.push(("/.signatures.json", &signature));
        bundle(&files)
    };
    let by = |name: &str| first("algorithm", name.into());
    refused(vec![
        (
            "a file more",
            bundle(&more),
            verifying(),
            step,
            "`extra.txt` is not signed",
        ),
        (
            "data gone",
            gone(0),
            verifying(),
            step,
            "`data.json` is signed, and not there",
        ),
        (
            "a manifest gone",
            gone(1),
            verifying(),
            step,
            "`.manifest` is signed, and not there",
        ),
        (
            "a module gone",
            gone(2),
            verifying(),
            step,
            "`authz/p.rego` is signed, and not there",
        ),
        (
            "a plan gone",
            gone(3),
            verifying(),
            step,
            "`policy.wasm` is signed, and not there",
        ),
        (
            "other data",
            other(0, r#"{"b": 1.0, "a": [3]}"#),
            verifying(),
            step,
            "`data.json` is not what was signed",
        ),
        (
            "the same number in other words",
            other(0, r#"{"b": 1, "a": [2]}"#),
            verifying(),
            step,
            "`data.json` is not what was signed",
        ),
        (
            "data that is none",
            other(0, "{"),
            verifying(),
            step,
            "`data.json` is no JSON",
        ),
        (
            "data with a member twice",
            other(0, r#"{"b": 1.0, "a": [2], "a": [2]}"#),
            verifying(),
            step,
            "`a` twice",
        ),
        (
            "another manifest",
            other(1, "{}"),
            verifying(),
            step,
            "`.manifest` is not what was signed",
        ),
        (
            "another module",
            other(2, "package authz "),
            verifying(),
            step,
            "`authz/p.rego` is not what was signed",
        ),
        (
            "a module that became empty",
            other(2, ""),
            verifying(),
            step,
            "`authz/p.rego` is not what was signed",
        ),
        (
            "another plan",
            other(3, "\0asn"),
            verifying(),
            step,
            "`policy.wasm` is not what was signed",
        ),
        ("MD5", by("MD5"), verifying(), step, "by `MD5`; SHA-256"),
        (
            "SHA-1",
            by("SHA-1"),
            verifying(),
            step,
            "by `SHA-1`; SHA-256",
        ),
        ("SHA-224", by("SHA-224"), verifying(), step, "by `SHA-224`"),
        (
            "SHA-512-256",
            by("SHA-512-256"),
            verifying(),
            step,
            "by `SHA-512-256`",
        ),
        (
            "in small letters",
            by("sha256"),
            verifying(),
            step,
            "by `sha256`",
        ),
        (
            "no algorithm",
            first("algorithm", Json::Null),
            verifying(),
            step,
            "no `algorithm`",
        ),
        (
            "another algorithm",
            by("SHA-512"),
            verifying(),
            step,
            "not what was signed",
        ),
        (
            "no name",
            first("name", Json::Null),
            verifying(),
            step,
            "without a `name`",
        ),
        (
            "a name with a slash",
            first("name", "/data.json".into()),
            verifying(),
            step,
            "not signed",
        ),
        (
            "a name twice",
            first("name", ".manifest".into()),
            verifying(),
            step,
            "`.manifest` twice",
        ),
        (
            "no digest",
            first("hash", Json::Null),
            verifying(),
            step,
            "no digest of `data.json`",
        ),
        (
            "a digest in no hex",
            first("hash", "zz".into()),
            verifying(),
            step,
            "no digest of `data.json`",
        ),
        (
            "a short digest",
            first("hash", "".into()),
            verifying(),
            step,
            "not what was signed",
        ),
        (
            "no object",
            claiming(|claims| claims["files"][0] = "data.json".into()),
            verifying(),
            step,
            "without a `name`",
        ),
    ]);
}
