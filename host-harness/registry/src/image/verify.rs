//! Whether an image is what a key signed, all of it: the manifest by the signature, every blob by the
//! manifest, and so what is attached to it. Without a key, or without a signature, nothing is verified.

use super::{
    Attached, Layout, Manifest, contents, find,
    referrers::referrers,
    signature::{Payload, Signature, signatures},
};
use crate::{Digest, Fault, Progress, Remote};
use portcullis_crypto::{VerificationKey, sigstore};
use serde_json::Value;
use std::time::Duration;

/// What must be true of a signature.
pub struct Constraints {
    /// One of which must have signed, by their names.
    pub keys: Vec<(String, VerificationKey)>,
    /// What it must say besides.
    pub annotations: Vec<(String, String)>,
    /// How old it may be.
    pub max_age: Option<Duration>,
    /// Since 1970.
    pub now: Duration,
    /// Whether an SBOM or a provenance counts that none of the keys signed.
    pub allow_unsigned_referrers: bool,
}

/// An image that one of the keys signed, and whose bytes are those that were signed.
pub struct Proven {
    digest: Digest,
    manifest: Manifest,
    layout: Layout,
    module: Vec<u8>,
    signer: String,
    signed: Payload,
    attached: Vec<(Attached, Digest, bool)>,
}

impl Proven {
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn module(&self) -> &[u8] {
        &self.module
    }

    /// The name of the key.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// What its signature says.
    pub fn signed(&self) -> &Payload {
        &self.signed
    }

    /// What is attached, by the digests of their manifests, and whether one of the keys signed it.
    pub fn attached(&self) -> &[(Attached, Digest, bool)] {
        &self.attached
    }
}

/// How far a clock may be behind that of who signed.
const LEEWAY: Duration = Duration::from_secs(60);

/// # Errors
/// Why it is not verified, or why that could not be found out.
pub fn verify(
    remote: &Remote,
    constraints: &Constraints,
    progress: &Progress,
) -> Result<Proven, Fault> {
    let image = find(remote)?;
    let signed = constraints.hold(remote, &image.digest, "the image");
    let (signer, signed) = signed.map_err(|fault| {
        // Who asks for a bundle is told so, rather than that nobody signed it: its signature is inside.
        match is_like_bundle(&image.manifest) && is_bundle(remote, &image.manifest, progress) {
            true => Fault::Bundle,
            false => fault,
        }
    })?;
    let (layout, module) = contents(remote, &image.manifest, progress)?;
    let module_digest = Digest::of(&module);
    let mut attached = Vec::new();
    for referrer in referrers(remote, &image.digest, Attached::is_known)? {
        let Some(kind) = referrer.attached() else {
            continue;
        };
        let what = format!("the {}", kind.name());
        let is_signed = match constraints.hold(remote, &referrer.digest, &what) {
            Ok(_) => true,
            Err(Fault::Refused(_)) if constraints.allow_unsigned_referrers => false,
            Err(fault) => return Err(fault),
        };
        referrer.document(remote, kind, &module_digest, progress)?;
        attached.push((kind, referrer.digest, is_signed));
    }
    Ok(Proven {
        digest: image.digest,
        manifest: image.manifest,
        layout,
        module,
        signer,
        signed,
        attached,
    })
}

/// By the configuration that `bundle push` and OPA's documentation give it, which says nothing.
fn is_like_bundle(manifest: &Manifest) -> bool {
    manifest.config.digest == Digest::of(b"{}") && manifest.layers.len() == 1
}

fn is_bundle(remote: &Remote, manifest: &Manifest, progress: &Progress) -> bool {
    matches!(contents(remote, manifest, progress), Err(Fault::Bundle))
}

impl Constraints {
    /// The key that signed a manifest, and what it signed: at least one signature of at least one key
    /// must hold.
    fn hold(
        &self,
        remote: &Remote,
        digest: &Digest,
        what: &str,
    ) -> Result<(String, Payload), Fault> {
        let found = signatures(remote, digest)?;
        let all = found.map(|(_, all)| all).unwrap_or_default();
        self.choose(&all, digest)
            .map_err(|why| Fault::Refused(format!("{what} {digest} {why}")))
    }

    fn choose(
        &self,
        signatures: &[Signature],
        digest: &Digest,
    ) -> Result<(String, Payload), String> {
        if signatures.is_empty() {
            return Err("is not signed".into());
        }
        let mut why = None;
        for signature in signatures {
            for (name, key) in &self.keys {
                let signed = sigstore::verify(key, &signature.payload, &signature.signature);
                if signed.is_err() {
                    continue;
                }
                match self.judge(&signature.payload, digest) {
                    Ok(payload) => return Ok((name.clone(), payload)),
                    // The newest stands last.
                    Err(wrong) => why = Some(wrong),
                }
            }
        }
        Err(why.unwrap_or_else(|| {
            let keys = match &*self.keys {
                [(name, _)] => format!("by the key {name}"),
                keys => format!("by any of the {} keys", keys.len()),
            };
            format!(
                "is not signed {keys}: none of its signatures ({}) is",
                signatures.len()
            )
        }))
    }

    /// What a key has signed, against what is wanted.
    fn judge(&self, payload: &[u8], digest: &Digest) -> Result<Payload, String> {
        let payload = Payload::read(payload)
            .map_err(|why| format!("has a signature that is no image's: {why}"))?;
        if payload.digest != *digest {
            return Err(format!(
                "has a stale signature: it is of the manifest {}",
                payload.digest
            ));
        }
        for (name, wanted) in &self.annotations {
            match payload.optional.get(name) {
                Some(Value::String(found)) if found == wanted => {}
                Some(found) => {
                    let json = found.to_string();
                    let found = crate::remote::shown(found.as_str().unwrap_or(&json));
                    return Err(format!(
                        "is signed with `{name}` of `{found}`, and not `{wanted}`"
                    ));
                }
                None => return Err(format!("is signed without `{name}`")),
            }
        }
        if let Some(max_age) = self.max_age {
            let made = payload.timestamp().map(Duration::from_secs);
            let made = made.ok_or("is signed without saying when, and --max-age is wanted")?;
            if made > self.now.saturating_add(LEEWAY) {
                return Err("is signed at a time that is yet to come".into());
            }
            let age = self.now.saturating_sub(made);
            if age > max_age {
                return Err(format!(
                    "has a stale signature: it is {} s old, and may be {} s",
                    age.as_secs(),
                    max_age.as_secs()
                ));
            }
        }
        Ok(payload)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::image::SigningKey;
    use portcullis_crypto::Algorithm;
    use serde_json::{Map, json};

    const OWN: &str = include_str!("keys/ours.pem");
    const OWN_PUBLIC: &str = include_str!("keys/ours.pub");
    const OTHER: &str = include_str!("keys/theirs.pem");
    const NOW: u64 = 1_800_000_000;

    fn constraints() -> Constraints {
        let key = VerificationKey::from_pem(Algorithm::ES256, OWN_PUBLIC).unwrap();
        Constraints {
            keys: vec![("ours.pub".into(), key)],
            annotations: Vec::new(),
            max_age: None,
            now: Duration::from_secs(NOW),
            allow_unsigned_referrers: false,
        }
    }

    fn signed(key: &str, digest: &Digest, optional: Value) -> Signature {
        let optional: Map<String, Value> = serde_json::from_value(optional).unwrap();
        let payload = Payload {
            digest: digest.clone(),
            reference: "registry.example.com/gate".into(),
            optional,
        };
        let payload = payload.written().unwrap();
        let key = SigningKey::read(key.as_bytes(), || Ok(Vec::new())).unwrap_or_else(|_| panic!());
        Signature {
            signature: key.sign(&payload).unwrap(),
            payload,
        }
    }

    #[test]
    fn one_signature_of_one_key_must_hold() {
        let (ours, stale) = (Digest::of(b"ours"), Digest::of(b"stale"));
        let by = |key, digest: &Digest| signed(key, digest, json!({}));
        let mut changed = by(OWN, &ours);
        changed.payload = by(OWN, &stale).payload;
        let cases: [(&str, Vec<Signature>, &str); 7] = [
            ("none", vec![], "is not signed"),
            ("ours", vec![by(OWN, &ours)], ""),
            (
                "others beside it",
                vec![by(OTHER, &ours), by(OWN, &stale), by(OWN, &ours)],
                "",
            ),
            (
                "another's",
                vec![by(OTHER, &ours)],
                "not signed by the key ours.pub",
            ),
            (
                "an old one",
                vec![by(OWN, &stale)],
                "stale signature: it is of the manifest",
            ),
            (
                "both",
                vec![by(OTHER, &ours), by(OWN, &stale)],
                "stale signature",
            ),
            (
                "another payload",
                vec![changed],
                "none of its signatures (1) is",
            ),
        ];
        for (name, signatures, wanted) in cases {
            match constraints().choose(&signatures, &ours) {
                Ok((signer, payload)) => {
                    assert_eq!((&*signer, &payload.digest, wanted), ("ours.pub", &ours, ""));
                }
                Err(why) => assert!(!wanted.is_empty() && why.contains(wanted), "{name}: {why}"),
            }
        }
        let nobody = Constraints {
            keys: Vec::new(),
            ..constraints()
        };
        assert!(nobody.choose(&[by(OWN, &ours)], &ours).is_err());
    }

    #[test]
    fn what_is_wanted_must_be_signed() {
        let digest = Digest::of(b"ours");
        let cases = [
            (json!({"env": "production"}), None, ""),
            (
                json!({"env": "staging"}),
                None,
                "`env` of `staging`, and not `production`",
            ),
            (json!({}), None, "without `env`"),
            (json!({"env": ["production"]}), None, "and not `production`"),
            (
                json!({"env": "production"}),
                Some(60),
                "without saying when",
            ),
            (
                json!({"env": "production", "timestamp": NOW - 60}),
                Some(60),
                "",
            ),
            (
                json!({"env": "production", "timestamp": NOW - 61}),
                Some(60),
                "it is 61 s old",
            ),
            (
                json!({"env": "production", "timestamp": NOW + 61}),
                Some(60),
                "yet to come",
            ),
            (
                json!({"env": "production", "timestamp": "now"}),
                Some(60),
                "without saying when",
            ),
        ];
        for (optional, max_age, wanted) in cases {
            let constraints = Constraints {
                annotations: vec![("env".into(), "production".into())],
                max_age: max_age.map(Duration::from_secs),
                ..constraints()
            };
            let signature = signed(OWN, &digest, optional.clone());
            match constraints.choose(&[signature], &digest) {
                Ok(_) => assert_eq!(wanted, "", "{optional}"),
                Err(why) => assert!(!wanted.is_empty() && why.contains(wanted), "{why}"),
            }
        }
    }

    #[test]
    fn what_a_key_signed_must_be_an_images() {
        let key = SigningKey::read(OWN.as_bytes(), || Ok(Vec::new())).unwrap_or_else(|_| panic!());
        let payload = json!({"critical": {"type": "something else"}}).to_string();
        let signature = Signature {
            signature: key.sign(payload.as_bytes()).unwrap(),
            payload: payload.into_bytes(),
        };
        let why = constraints()
            .choose(&[signature], &Digest::of(b""))
            .unwrap_err();
        assert!(why.contains("no image's"), "{why}");
    }
}
