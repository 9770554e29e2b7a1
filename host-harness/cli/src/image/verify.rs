//! `portcullis image verify`: whether an image is what a key signed, and whole.

use super::{Format, Stopped};
use crate::{
    bundle::verification::public_key,
    failure::Failure,
    moment,
    registry::{Bar, failure, warn_of_plain},
    terminal,
};
use clap::{Args, ValueEnum};
use portcullis_registry::{
    Digest, Fault, Remote, Target,
    image::{Attached, Constraints, Layout, Manifest, Module, Proven, contents, find, verify},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Verify an image in a registry: its signature by a key, its bytes, what is attached to it
///
/// Exit code 0: it is what one of the keys signed; 1: it is not; 2: bad usage, such as the name of a bundle of
/// policies, or no answer.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image verify registry.example.com/gates/portcullis:v1 --key ci.pub
  portcullis image verify registry.example.com/gates/portcullis:v1 --key ci.pub \\
    --annotation env=production --max-age 90d --format json")]
pub struct Verify {
    #[command(flatten)]
    verification: Verification,
    /// How it is said what was verified
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Which image, and what must be true of it.
#[derive(Args)]
#[group(skip)]
pub struct Verification {
    #[command(flatten)]
    place: Place,
    /// A public key in PEM that may have signed it: a file, or `env:NAME` for a variable. May be repeated
    #[arg(long, value_name = "FILE|env:NAME")]
    key: Vec<String>,
    /// What the signature must say besides. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::pair, requires = "key")]
    annotation: Vec<(String, String)>,
    /// How old the signature may be, such as 90d; it must then say when it was made
    #[arg(long, value_name = "DURATION", value_parser = crate::moment::duration, requires = "key")]
    max_age: Option<Duration>,
    /// Take an SBOM or a provenance that none of the keys signed
    #[arg(long, requires = "key")]
    allow_unsigned_referrers: bool,
    /// What must be attached: without it whoever can push may take it away unseen. With commas
    /// between, or repeated
    #[arg(
        long,
        value_name = "KIND",
        value_enum,
        value_delimiter = ',',
        requires = "key"
    )]
    require: Vec<Required>,
}

/// What may be attached to an image.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Required {
    /// An SBOM
    Sbom,
    /// A provenance
    Provenance,
}

impl Required {
    fn kind(self) -> Attached {
        match self {
            Required::Sbom => Attached::Sbom,
            Required::Provenance => Attached::Provenance,
        }
    }
}

/// Where an image is.
#[derive(Args)]
#[group(skip)]
pub struct Place {
    /// The image: registry/repository:tag, or with @sha256:...
    #[arg(value_name = "REF")]
    reference: String,
    /// Without TLS [default: only where the registry is on this machine]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    plain_http: Option<bool>,
}

impl Place {
    /// Whether it is asked for by its digest, which nobody can move.
    pub(super) fn is_pinned(&self) -> bool {
        self.reference.contains('@')
    }

    /// As it was asked for.
    pub(super) fn name(&self) -> &str {
        &self.reference
    }

    pub(super) fn target(&self) -> Result<Target, Failure> {
        let target = Target::find(&self.reference, self.plain_http).map_err(failure)?;
        warn_of_plain(&target);
        Ok(target)
    }

    pub(super) fn open(&self) -> Result<(Target, Remote), Failure> {
        let target = self.target()?;
        let remote = Remote::to_pull(&target).map_err(failure)?;
        Ok((target, remote))
    }
}

/// An image that one of the keys signed, and whose bytes are those that were signed.
pub struct Verified {
    /// As it was asked for.
    pub reference: String,
    /// Of the manifest.
    pub digest: Digest,
    /// `host/repository@sha256:...`, which nobody can move.
    pub pinned: String,
    /// Whether the registry is on this machine.
    pub is_here: bool,
    /// Of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Of the module in it, where somebody looked.
    pub module: Option<Digest>,
}

impl Verification {
    pub fn is_asked(&self) -> bool {
        !self.key.is_empty()
    }

    /// Where the keys are.
    pub fn keys(&self) -> &[String] {
        &self.key
    }

    /// What must be true besides, and how the registry is reached, as arguments again.
    pub fn told(&self) -> Vec<String> {
        // By name, so that no constraint to come is left out.
        let Verification {
            place: Place {
                reference: _,
                plain_http,
            },
            key: _,
            annotation,
            max_age,
            allow_unsigned_referrers,
            require,
        } = self;
        let mut told = Vec::new();
        for (name, value) in annotation {
            told.extend(["--annotation".to_owned(), format!("{name}={value}")]);
        }
        if let Some(age) = max_age {
            // humantime would write 90 days as months and a rest.
            told.extend(["--max-age".to_owned(), format!("{}s", age.as_secs())]);
        }
        if *allow_unsigned_referrers {
            told.push("--allow-unsigned-referrers".to_owned());
        }
        for required in require {
            let name = required.kind().name().to_lowercase();
            told.extend(["--require".to_owned(), name]);
        }
        told.extend(plain_http.map(|plain| format!("--plain-http={plain}")));
        told
    }

    /// `Ok(Err(refusal))`: the image is not what was asked for, which is exit code 1.
    ///
    /// # Errors
    /// What was asked cannot be used, or the registry does not answer: exit code 2.
    pub fn verify(&self) -> Result<Result<Verified, Failure>, Failure> {
        let proven = self.prove();
        told(proven.map(|(target, proven)| {
            let module = Digest::of(proven.module());
            Verified::of(&target, proven.digest(), proven.manifest()).with(module)
        }))
    }

    /// The image as it is, whoever made it: whole, and one that a mesh takes, but no more is known of it.
    /// The answer is as [`Verification::verify`] gives it.
    ///
    /// # Errors
    /// What was asked cannot be used, or the registry does not answer.
    pub fn unverified(&self) -> Result<Result<Verified, Failure>, Failure> {
        let taken = self.take();
        told(taken.map(|(target, taken)| {
            let module = Digest::of(&taken.module);
            Verified::of(&target, &taken.digest, &taken.manifest).with(module)
        }))
    }

    /// The image of a digest, which nobody looked at. `None` where the reference has a tag alone.
    ///
    /// # Errors
    /// Where it is no reference.
    pub fn by_digest(&self) -> Result<Option<Verified>, Failure> {
        let target = self.place.target()?;
        let name = target.name();
        let digest = name.rsplit_once('@').map(|(_, digest)| digest.to_owned());
        let digest = digest.and_then(|digest| Digest::try_from(digest).ok());
        Ok(digest.map(|digest| Verified {
            pinned: target.pinned(digest.as_str()),
            is_here: target.is_loopback(),
            reference: name.clone(),
            digest,
            annotations: BTreeMap::new(),
            module: None,
        }))
    }

    /// What is there, without a look at who made it.
    pub(super) fn take(&self) -> Result<(Target, Taken), Stopped> {
        let (target, remote) = self.place.open()?;
        let bar = Bar::of(None);
        let taken = find(&remote).and_then(|found| {
            let (layout, module) = contents(&remote, &found.manifest, &bar.progress())?;
            let module = Module::hold(module, portcullis_host::is_known)?;
            Ok(Taken {
                digest: found.digest,
                manifest: found.manifest,
                layout,
                module: module.bytes().to_vec(),
            })
        });
        bar.clear();
        match taken {
            Ok(taken) => Ok((target, taken)),
            Err(fault) => Err(Stopped::at(self.place.name())(fault)),
        }
    }

    pub(super) fn prove(&self) -> Result<(Target, Proven), Stopped> {
        let constraints = self.constraints()?;
        let (target, remote) = self.place.open()?;
        let bar = Bar::of(None);
        let proven = verify(&remote, &constraints, &bar.progress());
        bar.clear();
        let proven = proven.and_then(|proven| {
            self.hold(&proven)?;
            Ok(proven)
        });
        let proven = proven.map_err(Stopped::at(self.place.name()))?;
        let signed = &proven.signed().reference;
        if *signed != target.repository() {
            terminal::warn(&format!(
                "it is signed as {}: a copy of that image, or that one for this one",
                signed.escape_debug()
            ));
        }
        Ok((target, proven))
    }

    /// What is wanted of an image besides that a key signed it.
    fn hold(&self, proven: &Proven) -> Result<(), Fault> {
        Module::hold(proven.module().to_vec(), portcullis_host::is_known)?;
        for required in &self.require {
            let required = required.kind();
            let mut attached = proven.attached().iter();
            if !attached.any(|(kind, ..)| *kind == required) {
                return Err(Fault::Refused(format!(
                    "it has no {}, and --require wants one",
                    required.name()
                )));
            }
        }
        Ok(())
    }

    fn constraints(&self) -> Result<Constraints, Failure> {
        if !self.is_asked() {
            return Err(Failure::new("there is no --key").hint(
                "the signer's public key in PEM: FILE, or env:NAME for a variable; `image inspect` \
                 shows an image without one",
            ));
        }
        let key = |place: &String| {
            let content = crate::place::content(place)?;
            let key = public_key(&content, &portcullis_registry::image::KEYS, "--key", place)?;
            Ok((place.clone(), key))
        };
        let keys: Result<Vec<_>, Failure> = self.key.iter().map(key).collect();
        Ok(Constraints {
            keys: keys?,
            annotations: self.annotation.clone(),
            max_age: self.max_age,
            now: moment::now(),
            allow_unsigned_referrers: self.allow_unsigned_referrers,
        })
    }
}

/// An image that is whole, and one that a mesh takes.
pub(super) struct Taken {
    pub digest: Digest,
    manifest: Manifest,
    pub layout: Layout,
    pub module: Vec<u8>,
}

impl Verified {
    fn of(target: &Target, digest: &Digest, manifest: &Manifest) -> Verified {
        Verified {
            reference: target.name(),
            digest: digest.clone(),
            pinned: target.pinned(digest.as_str()),
            is_here: target.is_loopback(),
            annotations: manifest.annotations.clone(),
            module: None,
        }
    }

    fn with(self, module: Digest) -> Verified {
        Verified {
            module: Some(module),
            ..self
        }
    }
}

fn told<T>(done: Result<T, Stopped>) -> Result<Result<T, Failure>, Failure> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(Stopped::Refused(refusal)) => Ok(Err(refusal)),
        Err(Stopped::Failed(failure)) => Err(failure),
    }
}

/// That there is none is said too: it may have been taken away.
fn words_of(proven: &Proven, kind: Attached) -> String {
    let attached = proven.attached().iter();
    let own = attached.filter(|(other, ..)| *other == kind);
    let words = own.map(|(_, _, is_signed)| {
        let how = if *is_signed { "signed" } else { "NOT signed" };
        format!("{} {how}", kind.name())
    });
    let words: Vec<String> = words.collect();
    match words.is_empty() {
        true => format!("no {}", kind.name()),
        false => words.join(", "),
    }
}

impl Verify {
    pub fn run(self) -> Result<(), Stopped> {
        let (target, proven) = self.verification.prove()?;
        let verified = Verified::of(&target, proven.digest(), proven.manifest());
        terminal::print(&match self.format {
            Format::Text => {
                let lines = Attached::ALL.map(|kind| words_of(&proven, kind));
                format!(
                    "{}: verified, the key {} signed it; layout {}, {}",
                    verified.pinned,
                    proven.signer(),
                    proven.layout().name(),
                    lines.join(", ")
                )
            }
            Format::Json => {
                let attached = proven.attached().iter();
                let attached: Vec<_> = attached
                    .map(|(kind, digest, is_signed)| {
                        json!({"kind": kind.name(), "digest": digest, "signed": is_signed})
                    })
                    .collect();
                let signed = proven.signed();
                format!(
                    "{:#}",
                    json!({
                        "reference": verified.reference, "digest": verified.digest,
                        "pinned": verified.pinned, "annotations": verified.annotations,
                        "verified": true, "layout": proven.layout().name(), "key": proven.signer(),
                        "signed": {"reference": signed.reference, "optional": signed.optional},
                        "attached": attached,
                    })
                )
            }
        })?;
        Ok(())
    }
}
