//! A signature as cosign keeps it (sigstore's `specs/SIGNATURE_SPEC.md`): an image under the tag
//! `sha256-<hex>.sig`, each of whose layers is what was signed, with the signature as its annotation.

use super::{
    MANIFEST, Manifest,
    fetch::blob,
    manifest::{Descriptor, parse, written},
};
use crate::{Digest, Fault, Progress, Remote, remote::shown};
use portcullis_crypto::encoding;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// Of what is signed, as cosign writes it, and as containers/image also reads it.
const KINDS: [&str; 2] = [
    "cosign container image signature",
    "atomic container signature",
];

/// Of the time, in what is signed.
pub const TIMESTAMP: &str = "timestamp";

/// Signatures of one manifest that are looked at, and bytes of what one of them signed.
pub const MOST_SIGNATURES: usize = 64;
const MOST_PAYLOAD: usize = 64 * 1024;

/// What a signature says, once its key is known to have signed it (containers/image's
/// `docs/containers-signature.5.md`).
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Of the manifest that was signed.
    pub digest: Digest,
    /// By what name. It is told, and not held against anything: images are copied.
    pub reference: String,
    pub optional: Map<String, Value>,
}

impl Payload {
    /// # Errors
    /// That it cannot be written.
    pub fn written(&self) -> Result<Vec<u8>, Fault> {
        written(&json!({
            "critical": {
                "identity": {"docker-reference": self.reference},
                "image": {"docker-manifest-digest": self.digest},
                "type": KINDS[0],
            },
            "optional": self.optional,
        }))
    }

    /// # Errors
    /// What it lacks.
    pub fn read(bytes: &[u8]) -> Result<Payload, String> {
        let document: Value = parse(bytes)?;
        let text = |path: &str| document.pointer(path).and_then(Value::as_str);
        let kind = text("/critical/type").unwrap_or_default();
        if !KINDS.contains(&kind) {
            return Err(format!("its `critical.type` is `{}`", shown(kind)));
        }
        let digest = text("/critical/image/docker-manifest-digest").unwrap_or_default();
        let reference = text("/critical/identity/docker-reference")
            .ok_or("it has no `critical.identity.docker-reference`")?;
        let optional = match document.get("optional") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(optional)) => optional.clone(),
            Some(_) => return Err("its `optional` is no object".into()),
        };
        Ok(Payload {
            digest: Digest::try_from(digest.to_owned())
                .map_err(|why| format!("its `docker-manifest-digest`: {why}"))?,
            reference: reference.to_owned(),
            optional,
        })
    }

    /// Seconds since 1970, where it says when it was made.
    pub fn timestamp(&self) -> Option<u64> {
        self.optional.get(TIMESTAMP)?.as_u64()
    }

    /// Whether it says all that another one says, and when as well where that one does.
    pub fn replaces(&self, other: &Payload) -> bool {
        let untimed = |payload: &Payload| {
            let mut payload = payload.clone();
            payload.optional.remove(TIMESTAMP);
            payload
        };
        let is_timed = |payload: &Payload| payload.optional.contains_key(TIMESTAMP);
        untimed(self) == untimed(other) && (is_timed(self) || !is_timed(other))
    }
}

/// A signature that is there: nothing of it is proven.
pub struct Signature {
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
}

/// The signatures of a manifest, and the image they are in: none where there is no such image.
///
/// # Errors
/// Where what is there is not whole.
pub fn signatures(
    remote: &Remote,
    signed: &Digest,
) -> Result<Option<(Manifest, Vec<Signature>)>, Fault> {
    let tag = tag(signed);
    let Some(found) = remote.manifest(&tag, &[MANIFEST])? else {
        return Ok(None);
    };
    let wrong = |why: String| Fault::Refused(format!("the signatures under {tag}: {why}"));
    let told = |fault: Fault| match fault {
        Fault::Refused(why) => wrong(why),
        other => other,
    };
    let manifest = Manifest::read(&found.bytes, &found.media_type).map_err(told)?;
    // What else stands there is no signature of this kind.
    let layers = manifest.layers.iter();
    let layers = layers.filter(|layer| layer.media_type == LAYER);
    if layers.clone().count() > MOST_SIGNATURES {
        return Err(wrong(format!("there are more than {MOST_SIGNATURES}")));
    }
    let nobody: Progress = Arc::new(|_| ());
    let read = |layer: &Descriptor| {
        let signature = layer.annotations.get(ANNOTATION);
        let signature = signature.ok_or_else(|| wrong("a layer has no signature".into()))?;
        Ok(Signature {
            payload: blob(remote, layer, MOST_PAYLOAD, &nobody).map_err(told)?,
            signature: encoding::standard(signature.as_bytes())
                .map_err(|_| wrong("one is no base64".into()))?,
        })
    };
    let all: Result<Vec<Signature>, Fault> = layers.map(read).collect();
    all.map(|all| Some((manifest, all)))
}

/// Where the signatures of a manifest are.
pub fn tag(signed: &Digest) -> String {
    format!("{}.sig", signed.as_tag())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn payload() -> Payload {
        Payload {
            digest: Digest::of(b"manifest"),
            reference: "registry.example.com/gates/portcullis".into(),
            optional: Map::from_iter([("env".to_owned(), json!("production"))]),
        }
    }

    #[test]
    fn what_is_signed_is_as_cosign_writes_it() {
        let text = String::from_utf8(payload().written().unwrap()).unwrap();
        let digest = Digest::of(b"manifest");
        assert_eq!(
            text,
            format!(
                "{{\"critical\":{{\"identity\":{{\"docker-reference\":\
                 \"registry.example.com/gates/portcullis\"}},\"image\":{{\"docker-manifest-digest\":\
                 \"{digest}\"}},\"type\":\"cosign container image signature\"}},\
                 \"optional\":{{\"env\":\"production\"}}}}"
            )
        );
        assert_eq!(Payload::read(text.as_bytes()), Ok(payload()));
        assert_eq!(tag(&digest), format!("sha256-{}.sig", digest.hex()));
    }

    #[test]
    fn every_critical_part_is_needed() {
        let whole: Value = serde_json::from_slice(&payload().written().unwrap()).unwrap();
        let null = {
            let mut null = whole.clone();
            null["optional"] = Value::Null;
            null
        };
        let read = Payload::read(null.to_string().as_bytes()).unwrap();
        assert!(read.optional.is_empty());
        for (path, value) in [
            ("/critical/type", json!("another signature")),
            ("/critical/type", Value::Null),
            ("/critical/image/docker-manifest-digest", json!("sha256:00")),
            ("/critical/image", Value::Null),
            ("/critical/identity", json!({})),
            ("/critical", json!([])),
            ("/optional", json!("env")),
        ] {
            let mut other = whole.clone();
            *other.pointer_mut(path).unwrap() = value;
            assert!(
                Payload::read(other.to_string().as_bytes()).is_err(),
                "{path}"
            );
        }
    }

    #[test]
    fn a_timestamp_is_a_number_of_seconds() {
        let at = |timestamp: Value| {
            let mut payload = payload();
            payload.optional.insert("timestamp".into(), timestamp);
            payload.timestamp()
        };
        assert_eq!(at(json!(1_800_000_000)), Some(1_800_000_000));
        for other in [json!("1800000000"), json!(-1), json!(1.5), Value::Null] {
            assert_eq!(at(other), None);
        }
    }

    #[test]
    fn a_signature_that_says_less_replaces_none() {
        let at = |timestamp: Option<u64>, env: &str| {
            let mut payload = payload();
            payload.optional.insert("env".into(), env.into());
            if let Some(timestamp) = timestamp {
                payload.optional.insert(TIMESTAMP.into(), timestamp.into());
            }
            payload
        };
        for (new, old, wanted) in [
            ((Some(2), "a"), (Some(1), "a"), true),
            ((Some(2), "a"), (None, "a"), true),
            ((None, "a"), (None, "a"), true),
            ((None, "a"), (Some(1), "a"), false),
            ((Some(2), "a"), (Some(1), "b"), false),
        ] {
            let replaces = at(new.0, new.1).replaces(&at(old.0, old.1));
            assert_eq!(replaces, wanted, "{new:?} {old:?}");
        }
        let elsewhere = Payload {
            reference: "registry.example.com/copy".into(),
            ..payload()
        };
        assert!(!payload().replaces(&elsewhere));
    }
}
