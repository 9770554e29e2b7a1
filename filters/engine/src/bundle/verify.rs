//! The files of a bundle, each held against what its signature says of it. JSON is read for that, for
//! its canonical form is what is signed; where no signature is verified it is read all the same, and
//! nothing is hashed.

use super::{
    Rules, Verification,
    fault::{Fault, Step, shown},
    json::{self, MAX_DEPTH, Node},
    manifest, patch,
    settle::Settling,
    signature::{self, Signed, Signer},
    tape::Files,
    yaml,
};
use crate::crypto::Hasher;
use portcullis_rego::Value;
use std::{
    collections::{BTreeMap, btree_map},
    ops::Range,
    sync::Arc,
    vec,
};

pub const SIGNATURES: &str = ".signatures.json";
pub const MANIFEST: &str = ".manifest";
pub const PATCH: &str = "patch.json";

/// Bytes hashed in a unit.
const SLICE: usize = 64 * 1024;
/// Files of a signature in a unit.
const CLAIMS: usize = 64;
/// A value takes some 40 bytes; a text of nothing but `1,1,1` would make twenty times its size.
const BYTES_PER_VALUE: usize = 16;
/// Of the signature's document, for each file that there may be.
const SIGNATURE_PER_ENTRY: usize = 1024;

/// What the files are, by their names.
pub enum Kept {
    Value(Value),
    /// As it stands in the archive.
    Bytes(Range<usize>),
}

/// Files that are what was signed, or of which nobody asked.
pub struct Verified {
    pub bytes: Vec<u8>,
    pub files: Vec<(String, Kept)>,
    pub signer: Option<String>,
}

pub struct Verifying {
    bytes: Vec<u8>,
    files: Files,
    /// How many more values there may be.
    values: usize,
    signer: Option<Signer>,
    signed: Option<BTreeMap<String, Signed>>,
    kept: Vec<(String, Kept)>,
    stage: Stage,
}

enum Stage {
    /// `.signatures.json`.
    Token(json::Reading),
    /// What the token says, which nobody has proven where there is no signer yet.
    Claims {
        token: Arc<str>,
        claims: Vec<u8>,
        reading: json::Reading,
    },
    Claimed(vec::IntoIter<Node>),
    Files(btree_map::IntoIter<String, Range<usize>>),
    File {
        rest: btree_map::IntoIter<String, Range<usize>>,
        name: String,
        file: Box<File>,
    },
    Over,
}

/// One file on its way.
enum File {
    Read(json::Reading, Option<Hasher>),
    Settle(Settling),
    Hash {
        all: Range<usize>,
        rest: Range<usize>,
        hasher: Hasher,
    },
}

impl Verifying {
    pub fn new(bytes: Vec<u8>, mut files: Files, rules: &Rules) -> Result<Verifying, Fault> {
        for name in files.keys() {
            at_home(name)?;
        }
        let signatures = files.remove(SIGNATURES);
        let stage = match (&rules.verification, signatures) {
            (None, Some(_)) if !rules.looks_only => {
                return Err(Fault::verify(
                    "it is signed, and there is no key to verify it with; `verification` takes one",
                ));
            }
            (None, _) => Stage::Files(std::mem::take(&mut files).into_iter()),
            (Some(verification), None) if verification.required => {
                return Err(Fault::verify(
                    "it is not signed: it has no `.signatures.json`",
                ));
            }
            (Some(_), None) => Stage::Files(std::mem::take(&mut files).into_iter()),
            (Some(_), Some(range)) => {
                let most = rules.limits.entries.saturating_mul(SIGNATURE_PER_ENTRY);
                if range.len() > most.saturating_add(SIGNATURE_PER_ENTRY) {
                    let why = format!("its `.signatures.json` is of more than {most} bytes");
                    return Err(Fault::verify(why));
                }
                Stage::Token(json::Reading::new(range, MAX_DEPTH))
            }
        };
        let values = rules.limits.unpacked / BYTES_PER_VALUE;
        Ok(Verifying {
            values: values.max(1),
            bytes,
            files,
            signer: None,
            signed: None,
            kept: Vec::new(),
            stage,
        })
    }

    /// One unit. The files, once they all hold.
    pub fn work(&mut self, rules: &Rules) -> Result<Option<Verified>, Fault> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        self.stage = match (stage, &rules.verification) {
            (Stage::Files(files), _) => match self.next(files)? {
                Some(stage) => stage,
                None => return self.end().map(Some),
            },
            (Stage::File { rest, name, file }, _) => self.file(rest, name, *file)?,
            (Stage::Token(reading), Some(verification)) => self.token(reading, verification)?,
            (
                Stage::Claims {
                    token,
                    claims,
                    reading,
                },
                Some(verification),
            ) => self.claims(token, claims, reading, verification)?,
            (Stage::Claimed(items), _) => self.claimed(items)?,
            (Stage::Token(_) | Stage::Claims { .. } | Stage::Over, _) => {
                return Err(Fault::verify("it was read already"));
            }
        };
        Ok(None)
    }

    fn token(
        &mut self,
        mut reading: json::Reading,
        verification: &Verification,
    ) -> Result<Stage, Fault> {
        let read = reading.work(&self.bytes, &mut self.values);
        let read = read.map_err(|wrong| Fault::verify(format!("`{SIGNATURES}` {wrong}")))?;
        let Some(document) = read else {
            return Ok(Stage::Token(reading));
        };
        let token = Arc::clone(signature::token(&document)?);
        let (signer, claims) = signature::open(&token, verification)?;
        self.signer = signer;
        let reading = json::Reading::new(0..claims.len(), MAX_DEPTH);
        Ok(Stage::Claims {
            token,
            claims,
            reading,
        })
    }

    fn claims(
        &mut self,
        token: Arc<str>,
        claims: Vec<u8>,
        mut reading: json::Reading,
        verification: &Verification,
    ) -> Result<Stage, Fault> {
        let read = reading.work(&claims, &mut self.values);
        let read =
            read.map_err(|wrong| Fault::verify(format!("its signature's payload {wrong}")))?;
        let Some(document) = read else {
            return Ok(Stage::Claims {
                token,
                claims,
                reading,
            });
        };
        let signer = match self.signer.take() {
            Some(signer) => signer,
            None => signature::verify(&token, &signature::claimed(&document)?, verification)?,
        };
        let files = signature::files(document, &signer)?;
        self.signer = Some(signer);
        self.signed = Some(BTreeMap::new());
        Ok(Stage::Claimed(files.into_iter()))
    }

    fn claimed(&mut self, mut items: vec::IntoIter<Node>) -> Result<Stage, Fault> {
        let signed = self.signed.get_or_insert_default();
        for _ in 0..CLAIMS {
            match items.next() {
                Some(item) => signature::file(&item, signed)?,
                None => return Ok(Stage::Files(std::mem::take(&mut self.files).into_iter())),
            }
        }
        Ok(Stage::Claimed(items))
    }

    /// The next file's first unit.
    fn next(
        &mut self,
        mut rest: btree_map::IntoIter<String, Range<usize>>,
    ) -> Result<Option<Stage>, Fault> {
        let Some((name, range)) = rest.next() else {
            return Ok(None);
        };
        let hasher = match &self.signed {
            None => None,
            Some(signed) => Some(
                signed
                    .get(&name)
                    .ok_or_else(|| {
                        let why = format!("its file {} is not signed", shown(&name));
                        Fault::verify(why)
                    })?
                    .hasher(),
            ),
        };
        let base = base(&name);
        let file = match (base, hasher) {
            (MANIFEST, _) if range.len() > manifest::MAX_BYTES => {
                let why = format!(
                    "its `{MANIFEST}` is of more than {} bytes",
                    manifest::MAX_BYTES
                );
                return Err(Fault::at(self.step(), why));
            }
            (MANIFEST | "data.json", hasher) => {
                let depth = MAX_DEPTH.saturating_sub(name.matches('/').count());
                File::Read(json::Reading::new(range, depth), hasher)
            }
            ("data.yaml", Some(hasher)) => {
                let bytes = self.bytes.get(range).unwrap_or_default();
                // What aliases repeat is no more than the text could have said.
                let mut most = bytes.len().min(self.values);
                let read = yaml::read(bytes)
                    .and_then(|value| yaml::tree(&value, &mut most))
                    .map_err(|wrong| self.wrong(&name, &wrong))?;
                File::Settle(Settling::new(read, Some(hasher)))
            }
            (_, Some(hasher)) => File::Hash {
                all: range.clone(),
                rest: range,
                hasher,
            },
            (PATCH, None) => File::Read(patch_reading(range), None),
            (_, None) => {
                self.kept.push((name, Kept::Bytes(range)));
                return Ok(Some(Stage::Files(rest)));
            }
        };
        let file = Box::new(file);
        Ok(Some(Stage::File { rest, name, file }))
    }

    fn file(
        &mut self,
        rest: btree_map::IntoIter<String, Range<usize>>,
        name: String,
        file: File,
    ) -> Result<Stage, Fault> {
        let file = match file {
            File::Read(mut reading, hasher) => match reading.work(&self.bytes, &mut self.values) {
                Ok(None) => File::Read(reading, hasher),
                Ok(Some(tree)) => File::Settle(Settling::new(tree, hasher)),
                Err(wrong) => return Err(self.wrong(&name, &wrong)),
            },
            File::Settle(mut settling) => match settling.work() {
                Ok(None) => File::Settle(settling),
                Ok(Some((value, digest))) => {
                    if let Some(digest) = digest {
                        self.hold(&name, &digest)?;
                    }
                    self.kept.push((name, Kept::Value(value)));
                    return Ok(Stage::Files(rest));
                }
                Err(wrong) => return Err(self.wrong(&name, &wrong)),
            },
            File::Hash {
                all,
                rest: mut left,
                mut hasher,
            } => {
                let end = left.start.saturating_add(SLICE).min(left.end);
                hasher.update(self.bytes.get(left.start..end).unwrap_or_default());
                left.start = end;
                if left.is_empty() {
                    self.hold(&name, &hasher.finish())?;
                    // Only now, for what is signed of it is its bytes.
                    if name == PATCH {
                        let file = Box::new(File::Read(patch_reading(all), None));
                        return Ok(Stage::File { rest, name, file });
                    }
                    self.kept.push((name, Kept::Bytes(all)));
                    return Ok(Stage::Files(rest));
                }
                File::Hash {
                    all,
                    rest: left,
                    hasher,
                }
            }
        };
        let file = Box::new(file);
        Ok(Stage::File { rest, name, file })
    }

    /// A file's digest against the signed one, which is used up.
    fn hold(&mut self, name: &str, digest: &[u8]) -> Result<(), Fault> {
        let signed = self.signed.as_mut().and_then(|signed| signed.remove(name));
        match signed {
            Some(signed) if signed.is(digest) => Ok(()),
            _ => Err(Fault::verify(format!(
                "its file {} is not what was signed: its digest is another",
                shown(name)
            ))),
        }
    }

    fn end(&mut self) -> Result<Verified, Fault> {
        if let Some((name, _)) = self.signed.as_ref().and_then(BTreeMap::first_key_value) {
            let why = format!("its file {} is signed, and not there", shown(name));
            return Err(Fault::verify(why));
        }
        Ok(Verified {
            bytes: std::mem::take(&mut self.bytes),
            files: std::mem::take(&mut self.kept),
            signer: self.signer.take().map(|signer| signer.key_id),
        })
    }

    fn wrong(&self, name: &str, wrong: &str) -> Fault {
        let step = match name {
            // Its digest holds before it is read.
            PATCH => Step::Parse,
            _ => self.step(),
        };
        Fault::at(step, format!("its file {} {wrong}", shown(name)))
    }

    /// What a file cannot be read for.
    fn step(&self) -> Step {
        match self.signed {
            Some(_) => Step::Verify,
            None => Step::Parse,
        }
    }
}

fn patch_reading(range: Range<usize>) -> json::Reading {
    json::Reading::new(range, MAX_DEPTH.saturating_sub(patch::MAX_STEPS))
}

/// The last segment of a name.
pub fn base(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, base)| base)
}

/// OPA knows some files by the end of their names: one that is not where it belongs would be one to
/// it, and none to others.
fn at_home(name: &str) -> Result<(), Fault> {
    let home = if name.ends_with(MANIFEST) {
        MANIFEST
    } else if name.ends_with("signatures.json") {
        SIGNATURES
    } else if base(name) == PATCH {
        PATCH
    } else {
        return Ok(());
    };
    match name == home {
        true => Ok(()),
        false => Err(Fault::unpack(format!(
            "its file {} could be taken for `{home}`, which stands at the root of a bundle",
            shown(name)
        ))),
    }
}
