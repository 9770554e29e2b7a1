//! Bundles: policies and their data in one archive, as OPA makes and signs them, read in slices.
//! Nothing that a bundle says is used before its signature holds, and nothing of one that is refused.
//!
//! An archive is inflated (`archive`) and listed (`tape`), its signature verified (`signature`,
//! `verify`) with the digests of its files (`json` and `settle` have those of JSON), and what it says is
//! put together (`parse`).

mod archive;
mod digest;
mod fault;
mod json;
mod manifest;
mod merge;
mod parse;
mod patch;
mod settle;
mod signature;
mod tape;
mod verify;
mod yaml;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]
mod tests;

pub use digest::digest;
pub use fault::{Fault, Step};
pub use manifest::{Manifest, Order};
pub use patch::Patch;

use crate::crypto::{VerificationKey, Verifier};
use portcullis_rego::{Module, RegoVersion, Value};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// How large a bundle may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as it is fetched.
    pub packed: usize,
    /// Bytes of what it unpacks to.
    pub unpacked: usize,
    /// Unpacked to packed; past the first MiB.
    pub ratio: usize,
    /// Entries of the archive, folders and what describes a file included.
    pub entries: usize,
    /// Bytes of a file's path.
    pub path: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            packed: 16 * 1024 * 1024,
            unpacked: 64 * 1024 * 1024,
            ratio: 200,
            entries: 2_000,
            path: 255,
        }
    }
}

/// A key that may sign bundles.
pub struct Key {
    pub key: VerificationKey,
    /// What a signature's `scope` must be, where [`Verification::scope`] says none.
    pub scope: Option<String>,
}

/// How signatures are verified.
pub struct Verification {
    /// By their ids.
    pub keys: BTreeMap<String, Key>,
    /// The key that must have signed, whatever the signature says.
    pub key_id: Option<String>,
    /// What a signature's `scope` must be.
    pub scope: Option<String>,
    /// Whether a bundle without a signature is refused.
    pub required: bool,
    pub verifier: Verifier,
}

/// What a bundle is read by.
pub struct Rules {
    pub limits: Limits,
    /// Without it one that is signed is refused, as OPA does: a key was forgotten.
    pub verification: Option<Verification>,
    /// Whether such a one is read all the same: by those who look at bundles, and go by none.
    pub looks_only: bool,
    /// Of modules of which the bundle does not say.
    pub rego_version: RegoVersion,
}

/// A bundle that was read whole, and is what was signed where a signature was asked for. Its `Debug`
/// shows nothing of its data, which may be secret.
#[derive(Clone, Debug)]
pub struct Bundle {
    manifest: Manifest,
    signer: Option<String>,
    content: Content,
}

/// What is in a bundle.
#[derive(Clone)]
pub enum Content {
    /// All of it, instead of what was there before.
    Snapshot {
        /// Sorted by their paths.
        modules: Vec<Module>,
        /// An object.
        data: Value,
    },
    /// What changes of the data; the modules stay.
    Delta(Patch),
}

impl Bundle {
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The id of the key that signed it; `None` where no signature was verified.
    pub fn signer(&self) -> Option<&str> {
        self.signer.as_deref()
    }

    pub fn into_content(self) -> (Manifest, Content) {
        (self.manifest, self.content)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Snapshot { modules, .. } => {
                let paths = modules.iter().map(|module| &module.path);
                f.debug_list().entries(paths).finish()
            }
            Content::Delta(patch) => patch.fmt(f),
        }
    }
}

/// A bundle that is being read.
pub struct Reader {
    rules: Arc<Rules>,
    stage: Stage,
}

enum Stage {
    /// Not looked at yet: the constructor cannot fail.
    Packed(Vec<u8>),
    Inflate(Box<archive::Inflate>),
    List {
        bytes: Vec<u8>,
        tape: tape::Tape,
    },
    Verify(Box<verify::Verifying>),
    Parse(Box<parse::Parsing>),
    Over,
}

impl Reader {
    pub fn new(packed: Vec<u8>, rules: Arc<Rules>) -> Reader {
        Reader {
            rules,
            stage: Stage::Packed(packed),
        }
    }

    /// Goes on while `more` says so, which is asked before each unit; the bundle or what is wrong with
    /// it, once that is known, and once only.
    pub fn work(&mut self, more: &mut dyn FnMut() -> bool) -> Option<Result<Bundle, Fault>> {
        while more() {
            match self.unit() {
                Ok(None) => {}
                Ok(Some(bundle)) => return Some(Ok(bundle)),
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }

    /// Where it fails the stage is over: nothing goes on from half a step.
    fn unit(&mut self) -> Result<Option<Bundle>, Fault> {
        let rules = &*self.rules;
        let stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Packed(packed) => {
                Stage::Inflate(Box::new(archive::Inflate::new(packed, &rules.limits)?))
            }
            Stage::Inflate(mut inflate) => match inflate.work(&rules.limits)? {
                None => Stage::Inflate(inflate),
                Some(bytes) => Stage::List {
                    bytes,
                    tape: tape::Tape::default(),
                },
            },
            Stage::List { bytes, mut tape } => match tape.work(&bytes, &rules.limits)? {
                None => Stage::List { bytes, tape },
                Some(files) => {
                    Stage::Verify(Box::new(verify::Verifying::new(bytes, files, rules)?))
                }
            },
            Stage::Verify(mut verifying) => match verifying.work(rules)? {
                None => Stage::Verify(verifying),
                Some(verified) => {
                    Stage::Parse(Box::new(parse::Parsing::new(verified, rules.rego_version)?))
                }
            },
            Stage::Parse(mut parsing) => match parsing.work()? {
                None => Stage::Parse(parsing),
                Some(bundle) => return Ok(Some(bundle)),
            },
            Stage::Over => return Err(Fault::parse("it was read already")),
        };
        self.stage = stage;
        Ok(None)
    }
}
