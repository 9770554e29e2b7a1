//! What a bundle says, put together: its manifest, then its modules and data, or what it changes.

use super::{
    Bundle, Content,
    fault::{Fault, shown},
    manifest::Manifest,
    merge::Merge,
    patch::{self, Patch},
    verify::{Kept, MANIFEST, PATCH, Verified, base},
    yaml,
};
use portcullis_rego::{Module, RegoVersion, Value};
use std::vec;

pub struct Parsing {
    bytes: Vec<u8>,
    files: vec::IntoIter<(String, Kept)>,
    signer: Option<String>,
    manifest: Manifest,
    modules: Vec<Module>,
    data: Value,
    merge: Option<Merge>,
    reading: Option<patch::Reading>,
    patch: Option<Patch>,
}

impl Parsing {
    pub fn new(verified: Verified, version: RegoVersion) -> Result<Parsing, Fault> {
        let Verified {
            bytes,
            files,
            signer,
        } = verified;
        let mut manifest = Manifest::absent(version);
        let mut reading = None;
        let mut others = Vec::with_capacity(files.len());
        for (name, kept) in files {
            match (&*name, kept) {
                (MANIFEST, Kept::Value(document)) => {
                    manifest = Manifest::read(&document, version)?;
                }
                (PATCH, Kept::Value(document)) => reading = Some(patch::Reading::new(&document)?),
                (_, kept) => others.push((name, kept)),
            }
        }
        if reading.is_some()
            && let Some((name, _)) = others.iter().find(|(name, _)| is_content(name))
        {
            return Err(Fault::parse(format!(
                "it has {} beside `{PATCH}`: a delta has nothing but changes",
                shown(name)
            )));
        }
        Ok(Parsing {
            bytes,
            files: others.into_iter(),
            signer,
            manifest,
            modules: Vec::new(),
            data: Value::new_object(),
            merge: None,
            reading,
            patch: None,
        })
    }

    /// One unit. The bundle, once it is whole.
    pub fn work(&mut self) -> Result<Option<Bundle>, Fault> {
        if let Some(reading) = &mut self.reading {
            if let Some(patch) = reading.work(&self.manifest)? {
                (self.patch, self.reading) = (Some(patch), None);
            }
            return Ok(None);
        }
        if let Some(merge) = &mut self.merge {
            if merge.work(&mut self.data)? {
                self.merge = None;
            }
            return Ok(None);
        }
        match self.files.next() {
            Some((name, kept)) => self.file(&name, kept).map(|()| None),
            None => Ok(Some(self.end())),
        }
    }

    fn file(&mut self, name: &str, kept: Kept) -> Result<(), Fault> {
        let wrong = |wrong: String| Fault::parse(format!("its file {} {wrong}", shown(name)));
        let value = match kept {
            Kept::Value(value) => value,
            Kept::Bytes(range) => {
                let bytes = self.bytes.get(range).unwrap_or_default();
                if name.ends_with(".rego") {
                    let text =
                        std::str::from_utf8(bytes).map_err(|_| wrong("is no UTF-8".into()))?;
                    return self.module(name, text.to_owned());
                }
                match base(name) {
                    "data.yaml" | "data.yml" => yaml::read(bytes).map_err(wrong)?,
                    // What OPA has beside Rego (`policy.wasm`, `plan.json`), and what nobody reads.
                    _ => return Ok(()),
                }
            }
        };
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        // OPA takes dots at the start of the path away.
        if folder.starts_with('.') {
            return Err(wrong("is data below a path that starts with a dot".into()));
        }
        let mut path: Vec<String> = match folder {
            "" => Vec::new(),
            folder => folder.split('/').map(str::to_owned).collect(),
        };
        self.manifest.check_data(&mut path, &value)?;
        self.merge = Some(Merge::new(name, &path, value, &mut self.data)?);
        Ok(())
    }

    fn module(&mut self, name: &str, text: String) -> Result<(), Fault> {
        let version = self.manifest.version_of(name)?;
        self.modules.push(Module {
            path: name.to_owned(),
            text,
            version: Some(version),
        });
        Ok(())
    }

    fn end(&mut self) -> Bundle {
        let content = match self.patch.take() {
            Some(patch) => Content::Delta(patch),
            None => Content::Snapshot {
                modules: std::mem::take(&mut self.modules),
                data: std::mem::replace(&mut self.data, Value::Null),
            },
        };
        let manifest = self.manifest.clone();
        Bundle {
            manifest,
            signer: self.signer.take(),
            content,
        }
    }
}

/// Whether OPA would find something in it.
fn is_content(name: &str) -> bool {
    name.ends_with(".rego")
        || matches!(
            base(name),
            "data.json" | "data.yaml" | "data.yml" | "policy.wasm" | "plan.json"
        )
}
