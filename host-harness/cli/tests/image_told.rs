//! What is said of keys, references and images that cannot be used: the cause, and nothing that is secret.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod support;

use portcullis_registry::Digest;
use serde_json::json;
use std::io::Write;
use support::{Folder, Ran, server::server};

const PRIVATE: &str = include_str!("../../registry/src/image/keys/ours.pem");
const PUBLIC: &str = include_str!("../../registry/src/image/keys/ours.pub");

const POLICY: &str = "package envoy.authz\n\ndefault allow := false\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("ci.pem", PRIVATE);
    folder.write("ci.pub", PUBLIC);
    folder
}

/// With nobody's credentials. `KEY` stands for a text with spaces and line breaks.
fn run(folder: &Folder, line: &str, key: &str) -> Ran {
    let words = line.split_whitespace().map(|word| word.replace("KEY", key));
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = folder
        .command(&words)
        .env("DOCKER_CONFIG", folder.path())
        .env_remove("COSIGN_PASSWORD")
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// One line, and one of what to do.
fn told(ran: &Ran, error: &str, hint: &str) {
    ran.refused(&format!("error: {error}"));
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("hint: ") && last.contains(hint),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_key_in_the_place_of_its_name_is_not_shown() {
    let folder = folder();
    folder.write("policies/authz.rego", POLICY);
    let made = run(&folder, "token --key dev.json --jwks", "");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let jwk = folder.read("dev.json").replace(['\n', ' '], "");
    let in_line: String = PRIVATE.lines().filter(|it| !it.starts_with('-')).collect();
    for line in [
        "image sign localhost:1/gate:v1 --key=KEY",
        "image sign localhost:1/gate:v1 --key KEY",
        "image sign localhost:1/gate:v1 --key=env:KEY",
        "image verify localhost:1/gate:v1 --key=KEY",
        "image verify localhost:1/gate:v1 --key KEY",
        "image pull localhost:1/gate:v1 -o out.wasm --key=env:KEY",
        "bundle build policies -o out.tar.gz --signing-key KEY --key-id ci",
        "bundle build policies -o out.tar.gz --signing-key=env:KEY --key-id ci",
        "token --key=KEY",
        "token --key KEY",
        "sign --key=KEY --algorithm ed25519 --key-id ci http://a.test/",
        "sign --secret-env=KEY --key-id ci http://a.test/",
        "keys hash --pepper-env=KEY",
    ] {
        for key in [PRIVATE, PRIVATE.trim_end(), &jwk, &in_line] {
            let ran = run(&folder, line, key);
            told(
                &ran,
                "the key itself was given, and a FILE or env:NAME is wanted",
                "put the key into a file",
            );
            assert!(!ran.stderr.contains(&in_line[20..40]), "{}", ran.stderr);
            assert!(!ran.stderr.contains("\"d\":"), "{}", ran.stderr);
        }
    }
    let files = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(files.count(), 4, "no file is made of a key's name");
    // A shared secret looks like nothing.
    let built = run(
        &folder,
        "bundle build policies -o b.tar.gz --revision 1",
        "",
    );
    assert_eq!(built.code, 0, "{}", built.stderr);
    for (line, wanted) in [
        (
            "bundle sign b.tar.gz -o out.tar.gz --key-id a --signing-alg HS256 --signing-key hunter2",
            "--signing-key: there is no such file",
        ),
        (
            "bundle verify b.tar.gz --verification-alg HS256 --verification-key hunter2",
            "--verification-key: there is no such file",
        ),
        (
            "sign --secret-env hunter2! --key-id ci http://a.test/",
            "what was given is no name of a variable",
        ),
        (
            "bundle sign b.tar.gz -o out.tar.gz --key-id a --signing-key env:hunter2!",
            "what was given is no name of a variable",
        ),
    ] {
        let ran = run(&folder, line, "");
        told(&ran, wanted, "is not shown");
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn a_reference_that_is_none_is_told_with_what_is_right() {
    let folder = folder();
    folder.write("junk/a", "a");
    let asked = [
        "push REF --image junk",
        "sign REF --key ci.pem",
        "verify REF --key ci.pub",
        "pull REF -o out.wasm",
        "inspect REF",
    ];
    for line in asked {
        let ask = |reference: &str| {
            let line = format!("image {}", line.replace("REF", reference));
            run(&folder, &line, "")
        };
        let ran = ask("user:hunter2@localhost:1/gates/x:1");
        let wanted = "`localhost:1/gates/x:1` has credentials before its registry";
        told(&ran, wanted, "`docker login localhost:1`");
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        let ran = ask("oci://localhost:1/gates/x:1");
        let wanted = "`oci://localhost:1/gates/x:1` begins with `oci://`";
        told(&ran, wanted, "leave out `oci://`: localhost:1/gates/x:1");
        let ran = ask("localhost:1/gates/X:1");
        told(
            &ran,
            "`localhost:1/gates/X:1` has a capital letter",
            "lower case: localhost:1/gates/x",
        );
        let ran = ask("localhost:1/gates/x");
        told(
            &ran,
            "`localhost:1/gates/x` has no tag",
            "a tag behind it, such as `:v1`",
        );
        assert!(!ran.stderr.contains("--tag"), "{}", ran.stderr);
        let ran = ask("localhost:1/gates/x y:1");
        assert!(!ran.stderr.contains("policies/authz"), "{}", ran.stderr);
    }
    let bundle = "bundle push ci.pub localhost:1/authz";
    told(
        &run(&folder, bundle, ""),
        "`localhost:1/authz` has no tag",
        "--tag",
    );
}

#[test]
fn a_key_that_signs_in_vain_is_told() {
    let folder = folder();
    const SHORT: &str = include_str!("../../registry/src/image/keys/rsa1024.pem");
    const ENCRYPTED: &str = include_str!("../../registry/src/image/keys/encrypted.pem");
    const OLDER: &str = include_str!("../../registry/src/image/keys/encrypted-sec1.pem");
    for (key, wanted, hint) in [
        (
            SHORT,
            "it is no RSA key of 2048 to 4096 bits",
            "RSA key (of 2048 to 4096 bits)",
        ),
        (ENCRYPTED, "a passphrase encrypts it", "openssl pkey"),
        (OLDER, "a passphrase encrypts it", "openssl pkey"),
    ] {
        folder.write("key.pem", key);
        let ran = run(&folder, "image sign localhost:1/gate:v1 --key key.pem", "");
        told(&ran, &format!("--key key.pem: the key: {wanted}"), hint);
    }
}

#[test]
fn what_is_no_image_on_disk_is_told() {
    let folder = folder();
    folder.write("junk/a", "a");
    folder.write("b.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\xff".repeat(100));
    folder.write("b.tar", b"\x1b[2J\xff".repeat(200));
    let no_file = "there is no such file or folder";
    for (line, wanted, hint) in [
        (
            "inspect image.tar",
            format!("image.tar: {no_file}"),
            "registry/repository:tag",
        ),
        (
            "inspect out/image.tar",
            format!("out/image.tar: {no_file}"),
            "registry",
        ),
        ("inspect ./image", format!("./image: {no_file}"), "registry"),
        ("inspect image", format!("image: {no_file}"), "registry"),
        (
            "inspect gate:v1",
            "`gate:v1` names no registry".into(),
            "such as",
        ),
        (
            "push localhost:1/x:1 --image junk",
            "junk: it is no OCI image layout: there is no oci-layout".into(),
            "an OCI image layout, as `portcullis image build -o` writes it",
        ),
        (
            "push localhost:1/x:1 --image b.tar.gz",
            "b.tar.gz: it is packed (gzip), and an archive of an image is not".into(),
            "an OCI image layout",
        ),
        (
            "push localhost:1/x:1 --image b.tar",
            "b.tar: it is no tar archive".into(),
            "an OCI image layout",
        ),
        (
            "push localhost:1/x:1 --image none.tar",
            "none.tar: No such file".into(),
            "an OCI image layout",
        ),
    ] {
        let ran = run(&folder, &format!("image {line}"), "");
        told(&ran, &wanted, hint);
        assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    }
}

#[test]
fn a_duration_and_a_folder_are_told_as_they_were_given() {
    let folder = folder();
    let line = "image verify localhost:1/x:1 --key ci.pub --max-age foo";
    let ran = run(&folder, line, "");
    ran.refused(
        "error: invalid value 'foo' for '--max-age <DURATION>': expected a duration such as 1h",
    );
    folder.write("gate.wasm", wat::parse_str(MODULE).unwrap());
    for output in ["none/image", "none/image.tar"] {
        let line = format!("image build --wasm gate.wasm -o {output}");
        let ran = run(&folder, &line, "");
        told(
            &ran,
            &format!("{output}: there is no folder `none`"),
            "to be there before",
        );
        let ran = run(&folder, &line.replace("none/", "ci.pub/"), "");
        assert!(
            ran.stderr.contains("`ci.pub` is no folder"),
            "{}",
            ran.stderr
        );
    }
}

/// A registry that has one bundle, as `bundle push` puts it there, and no signature of anything.
fn registry_of(bundle: Vec<u8>) -> String {
    let layer = Digest::of(&bundle);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(b"{}"), "size": 2,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer, "size": bundle.len(),
        }],
    })
    .to_string();
    let (url, _) = server(move |mut stream, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match path.rsplit('/').next().unwrap_or_default() {
            "" => ("200 OK", &b"{}"[..]),
            "v1" => ("200 OK", manifest.as_bytes()),
            digest if digest == layer.as_str() => ("200 OK", &*bundle),
            digest if digest == Digest::of(b"{}").as_str() => ("200 OK", &b"{}"[..]),
            _ => ("404 Not Found", &b"{}"[..]),
        };
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: {MANIFEST}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n"
        );
        let _ = stream.write_all(body);
    });
    url.trim_start_matches("http://").to_owned()
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn a_bundle_is_no_image_of_a_gate() {
    let folder = folder();
    folder.write("authz.rego", POLICY);
    let built = run(
        &folder,
        "bundle build authz.rego -o b.tar.gz --revision 1",
        "",
    );
    assert_eq!(built.code, 0, "{}", built.stderr);
    let host = registry_of(std::fs::read(folder.path().join("b.tar.gz")).unwrap());
    let reference = format!("{host}/policies/authz:v1");
    let wanted = format!("{reference}: it is a bundle of policies, and no image of a gate");
    for line in [
        "verify REF --key ci.pub",
        "pull REF -o out.wasm --key ci.pub",
        "pull REF -o out.wasm",
    ] {
        let line = format!("image {}", line.replace("REF", &reference));
        told(&run(&folder, &line, ""), &wanted, "`bundle verify`");
    }
    let ran = run(&folder, &format!("image sign {reference} --key ci.pem"), "");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("error: {wanted}")),
        "{}",
        ran.stderr
    );
    // It is shown as what it is.
    let shown = run(
        &folder,
        &format!("image inspect {reference} --format json"),
        "",
    )
    .json();
    assert_eq!(
        shown["refused"],
        "it is a bundle of policies, and no image of a gate"
    );
}

/// An Envoy would load it, and it does nothing.
const MODULE: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 0))"#;
