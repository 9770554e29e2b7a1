//! Makes bundles, good ones and others.

use super::super::*;
use crate::crypto::{Algorithm, Material, hmac_sha256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value as Json, json};
use std::io::Write as _;
use tar::{EntryType, Header};

pub const SECRET: &[u8] = b"a secret of thirty-two bytes....";

/// One entry of an archive, whatever its name and kind.
pub fn entry(kind: EntryType, name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub fn file(name: &str, content: &str) -> Vec<u8> {
    entry(EntryType::Regular, name.as_bytes(), content.as_bytes())
}

pub fn tape(files: &[(&str, &str)]) -> Vec<u8> {
    ended(
        files
            .iter()
            .flat_map(|(name, content)| file(name, content))
            .collect(),
    )
}

pub fn ended(mut tape: Vec<u8>) -> Vec<u8> {
    tape.resize(tape.len() + 1024, 0);
    tape
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn bundle(files: &[(&str, &str)]) -> Vec<u8> {
    gzip(&tape(files))
}

/// With the signature that OPA would make of them.
pub fn signed(files: &[(&str, &str)]) -> Vec<u8> {
    gzip(&signed_tape(files))
}

pub fn signed_tape(files: &[(&str, &str)]) -> Vec<u8> {
    let signature = signature(&claims(files));
    let mut files = files.to_vec();
    files.push(("/.signatures.json", &signature));
    tape(&files)
}

pub fn claims(files: &[(&str, &str)]) -> Json {
    let files: Vec<Json> = files
        .iter()
        .map(|(name, content)| {
            let name = name.trim_start_matches('/');
            json!({"name": name, "hash": hash(name, content), "algorithm": "SHA-256"})
        })
        .collect();
    json!({"files": files, "iat": 1_592_248_027, "iss": "JWTService"})
}

/// `serde_json` sorts members, keeps numbers as they are written, and escapes as Go does but for two
/// separators that no test here has.
fn hash(name: &str, content: &str) -> String {
    let structured = name.ends_with("data.json") || name == ".manifest";
    let text = match structured {
        true => serde_json::from_str::<Json>(content).unwrap().to_string(),
        false => content.to_owned(),
    };
    base16ct::lower::encode_string(&crate::crypto::sha256(text.as_bytes()))
}

pub fn signature(claims: &Json) -> String {
    json!({"signatures": [token(&json!({"alg": "HS256", "kid": "ci"}), claims)]}).to_string()
}

pub fn token(header: &Json, claims: &Json) -> String {
    let encode = |part: &Json| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mac = hmac_sha256(SECRET, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

pub fn verification() -> Verification {
    let key = VerificationKey::new(Algorithm::HS256, &Material::Octets(SECRET)).unwrap();
    Verification {
        keys: BTreeMap::from([("ci".to_owned(), Key { key, scope: None })]),
        key_id: None,
        scope: None,
        required: true,
        verifier: Verifier::default(),
    }
}

pub fn rules() -> Rules {
    Rules {
        limits: Limits::default(),
        verification: None,
        looks_only: false,
        rego_version: RegoVersion::V1,
    }
}

pub fn verifying() -> Rules {
    Rules {
        verification: Some(verification()),
        ..rules()
    }
}

pub fn read(packed: Vec<u8>, rules: Rules) -> Result<Bundle, Fault> {
    to_end(Reader::new(packed, Arc::new(rules)))
}

/// From what it unpacks to.
pub fn read_tape(bytes: Vec<u8>, rules: &Arc<Rules>) -> Result<Bundle, Fault> {
    let tape = tape::Tape::default();
    to_end(Reader {
        rules: Arc::clone(rules),
        stage: Stage::List { bytes, tape },
    })
}

fn to_end(mut reader: Reader) -> Result<Bundle, Fault> {
    let mut units = 0;
    let read = reader.work(&mut || {
        units += 1;
        units < 10_000_000
    });
    read.expect("it does not end")
}

pub fn data(bundle: &Bundle) -> Json {
    match &bundle.content {
        Content::Snapshot { data, .. } => portcullis_rego::value::to_json(data),
        Content::Delta(_) => panic!("a delta"),
    }
}

/// The fault of each, by its step and a part of its words.
pub fn refused(cases: Vec<(&str, Vec<u8>, Rules, Step, &str)>) {
    for (name, packed, rules, step, words) in cases {
        match read(packed, rules) {
            Ok(_) => panic!("{name}: it was taken"),
            Err(fault) => {
                assert!(fault.what.contains(words), "{name}: {fault}");
                assert_eq!(fault.step, step, "{name}: {fault}");
            }
        }
    }
}

pub const FILES: &[(&str, &str)] = &[
    ("/data.json", r#"{"b": 1.0, "a": [2]}"#),
    (
        "/.manifest",
        r#"{"revision": "7", "metadata": {"portcullis": {"sequence": 7}}}"#,
    ),
    ("/authz/p.rego", "package authz"),
    ("/policy.wasm", "\0asm"),
];

pub fn with(signatures: &str) -> Vec<u8> {
    let mut files = FILES.to_vec();
    files.push(("/.signatures.json", signatures));
    bundle(&files)
}

/// The claims with a change.
pub fn claiming(change: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut claims = claims(FILES);
    change(&mut claims);
    with(&signature(&claims))
}

pub fn changing(change: impl FnOnce(&mut Verification)) -> Rules {
    let mut verification = verification();
    change(&mut verification);
    Rules {
        verification: Some(verification),
        ..rules()
    }
}
