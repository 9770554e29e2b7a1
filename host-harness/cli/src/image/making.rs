//! What an image is made of, as `build` and `push` are told.

use super::Stopped;
use crate::{failure::Failure, module};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use portcullis_registry::image::{self, Attached, Image, MOST_JSON, MOST_WASM, Module, annotation};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

#[derive(Args)]
#[group(skip)]
pub struct Making {
    /// The module [default: PORTCULLIS_WASM, or the one beside the command]
    #[arg(long, value_name = "FILE")]
    pub wasm: Option<PathBuf>,
    /// How the module lies in the image
    #[arg(long, value_enum, default_value_t = Layout::Compat)]
    layout: Layout,
    /// A CycloneDX document in JSON to attach
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// An in-toto statement about the module to attach [default: one of what these options say]
    #[arg(long, value_name = "FILE")]
    provenance: Option<PathBuf>,
    /// Where its source is
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// The commit that it was built from
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    /// Its version
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Its licence, as an SPDX expression
    #[arg(long, value_name = "SPDX", default_value = "Apache-2.0")]
    license: String,
    /// What people call it
    #[arg(long, default_value = "portcullis")]
    title: String,
    /// Who built it, as the provenance names them
    #[arg(long, value_name = "URI", default_value = concat!("urn:portcullis:command:", env!("CARGO_PKG_VERSION")))]
    builder: String,
    /// An annotation of the manifest besides. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::pair)]
    annotation: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// plugin.wasm in a packed layer: every registry, engine and mesh takes it
    Compat,
    /// The module as a layer of its own type, and one that describes it
    Oci,
}

/// An image, and the module in it.
pub struct Made {
    pub image: Image,
    pub module: Module,
}

impl Making {
    /// The same image for the same files and options, whenever and wherever: a time is in it only where
    /// SOURCE_DATE_EPOCH says one (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub fn make(&self) -> Result<Made, Stopped> {
        let file = module::find(self.wasm.as_deref())?;
        let module = read_module(&file, read(&file, MOST_WASM)?)?;
        let time = source_date()?;
        let mut attached = Vec::new();
        if let Some(file) = &self.sbom {
            attached.push((Attached::Sbom, document(Attached::Sbom, file, &module)?));
        }
        let statement = match &self.provenance {
            Some(file) => document(Attached::Provenance, file, &module)?,
            None => self
                .known(time.clone())
                .statement(&module.digest())
                .map_err(Stopped::at(file.display()))?,
        };
        attached.push((Attached::Provenance, statement));
        let layout = match self.layout {
            Layout::Compat => image::Layout::Compat,
            Layout::Oci => image::Layout::Oci,
        };
        let making = image::Making {
            layout,
            annotations: self.annotations(time)?,
            attached,
        };
        let image = Image::build(&module, making).map_err(Stopped::at(file.display()))?;
        Ok(Made { image, module })
    }

    /// What a layout on disk calls it.
    pub fn name(&self) -> &str {
        self.version.as_deref().unwrap_or("latest")
    }

    fn known(&self, finished: Option<String>) -> image::Provenance {
        image::Provenance {
            source: self.source.clone(),
            revision: self.revision.clone(),
            version: self.version.clone(),
            builder: self.builder.clone(),
            finished,
        }
    }

    /// By the names that OCI has for them (image-spec 1.1, annotations.md).
    fn annotations(&self, time: Option<String>) -> Result<BTreeMap<String, String>, Failure> {
        let known = [
            ("title", Some(&self.title)),
            ("licenses", Some(&self.license)),
            ("source", self.source.as_ref()),
            ("revision", self.revision.as_ref()),
            ("version", self.version.as_ref()),
            ("created", time.as_ref()),
        ];
        let known = known.into_iter().filter_map(|(name, value)| {
            let name = format!("org.opencontainers.image.{name}");
            Some((name, value?.clone()))
        });
        let mut annotations: BTreeMap<String, String> = known.collect();
        let own = [annotation::VARIANT, annotation::ABI, annotation::ENVOY];
        for (name, value) in &self.annotation {
            if own.contains(&&**name) || annotations.contains_key(name) {
                return Err(
                    Failure::new(format!("--annotation {name}: it has one already"))
                        .hint("an option has it, or it follows from the module"),
                );
            }
            annotations.insert(name.clone(), value.clone());
        }
        Ok(annotations)
    }
}

/// A module that some Envoy can run.
pub fn read_module(file: &Path, bytes: Vec<u8>) -> Result<Module, Stopped> {
    Module::read(bytes, portcullis_host::is_known).map_err(Stopped::at(file.display()))
}

/// What is to be attached, looked at while it is known which file it is.
fn document(kind: Attached, file: &Path, module: &Module) -> Result<Vec<u8>, Stopped> {
    let document = read(file, MOST_JSON)?;
    kind.hold(&document, &module.digest())
        .map_err(Stopped::at(file.display()))?;
    Ok(document)
}

fn read(file: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let wrong = |error: io::Error| Failure::io(file.display(), &error);
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let opened = File::open(file).map_err(wrong)?;
    opened.take(limit).read_to_end(&mut bytes).map_err(wrong)?;
    match bytes.len() > most {
        true => Err(Failure::new(format!(
            "{}: it is longer than {most} bytes",
            file.display()
        ))
        .hint("no mesh or registry takes more")),
        false => Ok(bytes),
    }
}

/// RFC 3339.
fn source_date() -> Result<Option<String>, Failure> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    let Some(text) = crate::secrets::environment(NAME) else {
        return Ok(None);
    };
    let seconds: Option<i64> = text.parse().ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = time.ok_or_else(|| {
        Failure::new(format!("{NAME} is no number of seconds since 1970"))
            .hint("`git log -1 --format=%ct` prints one")
    })?;
    Ok(Some(time.to_string()))
}
