//! `portcullis image inspect`: what an image is, and whether a mesh takes it.

use super::{Format, Stopped, making::read_module, verify::Place};
use crate::{failure::Failure, registry::Bar, terminal};
use clap::Args;
use portcullis_registry::{
    Digest, Fault, Remote,
    image::{
        Layout, MANIFEST, Manifest, Payload, Referrer, Signature, contents, find, read, referrers,
        signatures, unpacked,
    },
};
use serde_json::{Value, json};
use std::{fmt::Write as _, path::Path};

/// Show what an image is: its layout, its module, what is attached to it, who says they signed it
///
/// Exit code 0: it is shown, even where `refused` says why no mesh takes it; 2: there is none, or no answer.
/// What is said of signatures is what they say themselves: `image verify` verifies them.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image inspect registry.example.com/gates/portcullis:v1
  portcullis image inspect image.tar --format json")]
pub struct Inspect {
    /// An image in a registry, or one that `image build` made: a folder or an archive
    #[command(flatten)]
    place: Place,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What is shown.
struct Report {
    name: String,
    digest: Digest,
    manifest: Manifest,
    contents: Result<(Layout, Vec<u8>), Fault>,
    referrers: Vec<Value>,
    signatures: Vec<Value>,
}

impl Inspect {
    pub fn run(self) -> Result<(), Stopped> {
        let name = self.place.name().to_owned();
        let path = Path::new(&name);
        let report = match path.exists() {
            true => on_disk(path)?,
            false if is_of_disk(&name) => {
                return Err(
                    Failure::new(format!("{name}: there is no such file or folder"))
                        .hint("an image in a registry is registry/repository:tag")
                        .into(),
                );
            }
            false => {
                let (target, remote) = self.place.open()?;
                let bar = Bar::of(None);
                let report = in_registry(&target.name(), &remote, &bar);
                bar.clear();
                report.map_err(Stopped::at(&name))?
            }
        };
        let report = report.written();
        terminal::print(&match self.format {
            Format::Json => format!("{report:#}"),
            Format::Text => text(&report),
        })?;
        Ok(())
    }
}

/// Whether a name is a path's: a registry's has a slash, and a tag or a digest.
fn is_of_disk(name: &str) -> bool {
    let is_archive = [".tar", ".tar.gz", ".tgz"]
        .iter()
        .any(|end| name.ends_with(end));
    name.starts_with(['.', '/'])
        || (is_archive && !name.contains(':'))
        || !name.contains(['/', ':'])
}

fn on_disk(path: &Path) -> Result<Report, Stopped> {
    let image = read(path).map_err(Stopped::at(path.display()))?;
    let referrers: Result<Vec<Value>, Fault> = image
        .referrers
        .iter()
        .map(|bytes| {
            let manifest = Manifest::read(bytes, MANIFEST)?;
            let referrer = Referrer {
                digest: Digest::of(bytes),
                manifest,
            };
            Ok(of_referrer(&referrer, &[]))
        })
        .collect();
    Ok(Report {
        name: path.display().to_string(),
        digest: image.digest(),
        manifest: Manifest::read(&image.manifest, "").map_err(Stopped::at(path.display()))?,
        contents: unpacked(&image).map(|(_, layout, module)| (layout, module)),
        referrers: referrers.map_err(Stopped::at(path.display()))?,
        signatures: Vec::new(),
    })
}

fn in_registry(name: &str, remote: &Remote, bar: &Bar) -> Result<Report, Fault> {
    let found = find(remote)?;
    let said = |digest: &Digest| {
        let all = signatures(remote, digest)?.map(|(_, all)| all);
        let all = all.unwrap_or_default();
        Ok(all.iter().map(of_signature).collect::<Vec<Value>>())
    };
    let attached: Result<Vec<Value>, Fault> = referrers(remote, &found.digest, |_| true)?
        .iter()
        .map(|referrer| Ok(of_referrer(referrer, &said(&referrer.digest)?)))
        .collect();
    Ok(Report {
        name: name.to_owned(),
        // What is not whole, or not for a mesh, is shown as far as it goes.
        contents: match contents(remote, &found.manifest, &bar.progress()) {
            Err(fault) if !fault.is_of_content() => return Err(fault),
            contents => contents,
        },
        referrers: attached?,
        signatures: said(&found.digest)?,
        digest: found.digest,
        manifest: found.manifest,
    })
}

fn of_referrer(referrer: &Referrer, signatures: &[Value]) -> Value {
    let subject = referrer.manifest.subject.as_ref();
    json!({
        "digest": referrer.digest, "artifact_type": referrer.manifest.kind(),
        "kind": referrer.attached().map(|kind| kind.name()),
        "subject": subject.map(|subject| &subject.digest), "signatures": signatures,
    })
}

/// Nothing of it is verified.
fn of_signature(signature: &Signature) -> Value {
    match Payload::read(&signature.payload) {
        Ok(payload) => json!({
            "verified": false, "digest": payload.digest, "reference": payload.reference,
            "optional": payload.optional,
        }),
        Err(why) => json!({"verified": false, "error": why}),
    }
}

impl Report {
    fn written(self) -> Value {
        let layers: Vec<Value> = self
            .manifest
            .layers
            .iter()
            .map(|layer| {
                json!({"media_type": layer.media_type, "digest": layer.digest, "size": layer.size})
            })
            .collect();
        let (layout, refused, module) = match self.contents {
            Ok((layout, module)) => (Some(layout.name()), None, Some(module)),
            Err(fault) => (None, Some(fault.to_string()), None),
        };
        let module = module.map(|bytes| {
            let (digest, size) = (Digest::of(&bytes), bytes.len());
            match read_module(Path::new(&self.name), bytes) {
                Ok(module) => json!({
                    "digest": digest, "size": size, "abi": module.abi(), "envoy": module.envoy(),
                    "imports": module.imports(),
                }),
                Err(Stopped::Refused(why) | Stopped::Failed(why)) => {
                    let why = why.0.into_iter().map(|problem| problem.message);
                    json!({"digest": digest, "size": size, "error": why.collect::<String>()})
                }
            }
        });
        json!({
            "image": self.name, "digest": self.digest, "layout": layout, "refused": refused,
            "layers": layers, "annotations": self.manifest.annotations, "module": module,
            "referrers": self.referrers, "signatures": self.signatures,
        })
    }
}

fn text(report: &Value) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, value: String| {
        // A `String` takes all that is written to it.
        let _ = writeln!(lines, "{name:<12}{value}");
    };
    // Whoever made the image wrote it: on a terminal it must not pass for what is said here.
    let plain = |value: &Value| match value {
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    let member = |of: &Value, name: &str| of.get(name).map(plain).unwrap_or_default();
    let list = |name: &str| {
        let items = report.get(name).and_then(Value::as_array);
        items.cloned().unwrap_or_default()
    };
    line("image", member(report, "image"));
    line("digest", member(report, "digest"));
    match report.get("refused").and_then(Value::as_str) {
        Some(why) => line("refused", why.to_owned()),
        None => line("layout", member(report, "layout")),
    }
    for layer in list("layers") {
        let (digest, kind) = (member(&layer, "digest"), member(&layer, "media_type"));
        line(
            "layer",
            format!("{digest} {kind} {} bytes", member(&layer, "size")),
        );
    }
    let annotations = report.get("annotations").and_then(Value::as_object);
    for (name, value) in annotations.into_iter().flatten() {
        line(
            "annotation",
            format!("{}={}", name.escape_debug(), plain(value)),
        );
    }
    match report.get("module").filter(|module| module.is_object()) {
        Some(module) if module.get("error").is_some() => line("module", member(module, "error")),
        Some(module) => {
            line(
                "module",
                format!(
                    "{} {} bytes",
                    member(module, "digest"),
                    member(module, "size")
                ),
            );
            line("abi", member(module, "abi"));
            line("envoy", member(module, "envoy"));
            let imports = module.get("imports").and_then(Value::as_array);
            for import in imports.into_iter().flatten() {
                line("import", plain(import));
            }
        }
        None => {}
    }
    for referrer in list("referrers") {
        let kind = match referrer.get("kind").and_then(Value::as_str) {
            Some(kind) => kind.to_owned(),
            None => member(&referrer, "artifact_type"),
        };
        let signed = referrer.get("signatures").and_then(Value::as_array);
        let signed = signed.map_or(0, Vec::len);
        line(
            "attached",
            format!(
                "{} {kind}, {signed} signatures (not verified)",
                member(&referrer, "digest")
            ),
        );
    }
    for signature in list("signatures") {
        let said = match signature.get("error") {
            Some(why) => plain(why),
            None => format!(
                "of {} as {} (not verified)",
                member(&signature, "digest"),
                member(&signature, "reference")
            ),
        };
        line("signature", said);
    }
    lines.trim_end().to_owned()
}
