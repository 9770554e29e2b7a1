//! `portcullis image emit`: manifests that load an image with a configuration, pinned by digest.

mod cluster;
mod envoy;
mod facts;
mod filter;
mod gateway;
mod istio;
mod manifest;
mod options;
mod secrets;
mod trust;
mod warnings;
mod written;
mod yaml;

use super::{
    Format, Stopped,
    verify::{Verification, Verified},
};
use crate::{failure::Failure, terminal};
use clap::Args;
use facts::Facts;
use manifest::{Emitted, Image};
use options::{Options, Target};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use written::File;

/// Write the manifests that make a mesh or a proxy load an image with a configuration
///
/// The image is verified first, and named by its digest: what runs is what was signed. The configuration
/// is checked as `render` does, and refused where a secret stands in it. What the proxy cannot do, and how
/// to apply and check what was written, stands on top of the first file and on stderr.
///
/// A file is replaced where it is as `emit` wrote it; others stay, without --force. What an earlier `emit` wrote into
/// the folder besides stays too, and is told.
///
/// Exit code 0: written; 1: the image is not what one of the keys signed; 2: bad usage or input.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image emit registry.example.com/gates/portcullis:v1 --key ci.pub --for istio \\
    --namespace shop --selector app=orders --cluster idp=https://idp.example.com -o manifests
  portcullis image emit registry.example.com/gates/portcullis:v1 --key ci.pub --for envoy-gateway \\
    --gateway edge --namespace shop -o manifests
  portcullis image emit registry.example.com/gates/portcullis:v1 --key ci.pub --for envoy \\
    --wasm-path /etc/envoy/portcullis.wasm > gate.envoy.yaml")]
pub struct Emit {
    #[command(flatten)]
    verification: Verification,
    /// Take the image as it is, whoever made it: its digest is pinned, and vouches for nothing
    #[arg(long, conflicts_with = "key")]
    unverified: bool,
    /// The configuration, YAML or JSON
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Write the files into this folder instead of to stdout
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace files that `emit` did not write, or that were changed since
    #[arg(long, requires = "output")]
    force: bool,
    /// How it is said what was emitted
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Emit {
    pub fn run(self) -> Result<(), Stopped> {
        self.options.check()?;
        // What can be told without the registry is told first.
        let facts = Facts::read(&self.config, &self.options)?;
        let verified = self.image()?.map_err(Stopped::Refused)?;
        let image = Image {
            sha256: verified.digest.hex().to_owned(),
            module: verified.module.map(|module| module.hex().to_owned()),
            pinned: verified.pinned,
            verification: self.verified(),
        };
        let mut emitted = match self.options.target {
            Target::Istio => istio::emit(&image, &facts, &self.options)?,
            Target::EnvoyGateway => gateway::emit(&image, &facts, &self.options)?,
            Target::Envoy => envoy::emit(&image, &facts, &self.options),
        };
        if verified.is_here && self.options.target != Target::Envoy {
            emitted.warnings.insert(0, here(&image.pinned));
        }
        if self.unverified {
            let warning = "NOBODY VERIFIED THIS IMAGE: whoever can write to the registry may have made it. Give --key.";
            emitted.warnings.insert(0, warning.to_owned());
        }
        let files = written::files(&emitted, &self.told(&image.pinned));
        let paths = match &self.output {
            Some(folder) => {
                let paths = written::write(&files, folder, self.force)?;
                // Of the folder, and not of the manifests: in none of the files.
                emitted.warnings.extend(left(folder, &files)?);
                paths
            }
            None => Vec::new(),
        };
        match self.format {
            Format::Json => {
                let document = self.document(&image, &emitted, &files);
                terminal::print(&format!("{document:#}"))?;
            }
            Format::Text => {
                show(&files, &paths)?;
                summarize(&emitted);
            }
        }
        Ok(())
    }

    fn image(&self) -> Result<Result<Verified, Failure>, Failure> {
        if !self.unverified {
            return self.verification.verify();
        }
        // Of a digest that was given no more is known with the registry than without it.
        match self.verification.by_digest()? {
            Some(named) => Ok(Ok(named)),
            None => self.verification.unverified(),
        }
    }

    fn document(&self, image: &Image, emitted: &Emitted, files: &[File]) -> Value {
        let files = files.iter();
        let files: Vec<Value> = files
            .map(|file| json!({"name": file.name, "content": file.text}))
            .collect();
        json!({
            "image": image.pinned,
            "module": image.module.as_ref().map(|module| format!("sha256:{module}")),
            "verified": !self.unverified,
            "for": self.options.target.as_str(),
            "files": files,
            "warnings": emitted.warnings,
            "secrets": emitted.secrets,
            "commands": emitted.commands,
        })
    }

    /// The command that writes the same again, wherever a tag goes, and without the folders of whoever ran it.
    fn told(&self, reference: &str) -> String {
        let mut told: Vec<String> = ["portcullis", "image", "emit", reference]
            .map(str::to_owned)
            .into();
        told.extend(self.verified());
        if self.unverified {
            told.push("--unverified".to_owned());
        }
        told.extend(["--config".to_owned(), file_name(&self.config)]);
        told.extend(self.options.told());
        let quoted = shlex::try_join(told.iter().map(String::as_str));
        // A NUL, which no shell takes, comes from no command line.
        quoted.unwrap_or_else(|_| told.join(" "))
    }

    /// How the image was verified, as arguments again.
    fn verified(&self) -> Vec<String> {
        let mut told = Vec::new();
        for key in self.verification.keys() {
            // An absolute path has folders of whoever ran it.
            let key = match Path::new(key).is_absolute() {
                true => file_name(Path::new(key)),
                false => key.clone(),
            };
            told.extend(["--key".to_owned(), key]);
        }
        told.extend(self.verification.told());
        told
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Of a registry that only this machine calls so.
fn here(pinned: &str) -> String {
    let (host, _) = pinned.split_once('/').unwrap_or((pinned, ""));
    format!(
        "{} is this machine, and in a cluster it is whoever pulls the image, who finds no registry there: emit again from \
         the name by which the cluster reaches the registry.",
        warnings::list([host])
    )
}

/// A gate that stands in the folder in two ways, such as an EnvoyFilter and a WasmPlugin, comes twice.
fn left(folder: &Path, files: &[File]) -> Result<Option<String>, Failure> {
    let left = written::left(folder, files)?;
    let names: Vec<String> = left.iter().map(|path| path.display().to_string()).collect();
    Ok((!names.is_empty()).then(|| {
        format!(
            "{}: an earlier `emit` wrote it, and this one does not: `kubectl apply -f` of the folder puts the gate in twice, \
             where both are for the same requests. Remove it there, and from the cluster what was applied of it.",
            warnings::list(&names)
        )
    }))
}

fn show(files: &[File], paths: &[PathBuf]) -> Result<(), Failure> {
    if !paths.is_empty() {
        let paths: Vec<String> = paths.iter().map(|it| it.display().to_string()).collect();
        return terminal::print(&paths.join("\n"));
    }
    let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
    terminal::print(texts.join("---\n").trim_end())
}

fn summarize(emitted: &Emitted) {
    emitted.warnings.iter().for_each(|it| terminal::warn(it));
    for (what, lines) in [
        ("secrets", &emitted.secrets),
        ("to apply, and to check", &emitted.commands),
    ] {
        if !lines.is_empty() {
            terminal::say(&format!("{what}:"));
        }
        lines
            .iter()
            .for_each(|it| terminal::say(&format!("  {it}")));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Emit, Image, envoy};
    use clap::Parser;

    #[derive(Parser)]
    struct Asked {
        #[command(flatten)]
        emit: Emit,
    }

    /// A constraint that is not recorded is not asked for again.
    #[test]
    fn the_command_has_all_that_was_asked_of_the_image() {
        let command = "portcullis image emit registry.example.com/gate:v1 --key ci.pub --annotation env=production \
                       --annotation 'team=a b' --max-age 7776000s --allow-unsigned-referrers --require sbom \
                       --require provenance --plain-http=false \
                       --config gate.yaml --for istio --selector app=orders";
        let arguments = shlex::split(command).unwrap();
        let asked = Asked::try_parse_from(arguments.iter().skip(2)).unwrap();
        let told = asked.emit.told("registry.example.com/gate:v1");
        assert_eq!(shlex::split(&told).unwrap(), arguments);
    }

    /// Pasted, they verify again what was verified.
    #[test]
    fn instructions_have_the_keys_that_were_given() {
        let asked = "emit registry.example.com/gate:v1 --key 'keys/ci key.pub.pem' --key env:CI_KEY \
                     --key /home/alice/other.pub --require sbom --for envoy --wasm-path '/etc/the gate.wasm'";
        let asked = Asked::try_parse_from(shlex::split(asked).unwrap()).unwrap();
        let image = Image {
            sha256: String::new(),
            module: None,
            pinned: "registry.example.com/gate@sha256:ab".to_owned(),
            verification: asked.emit.verified(),
        };
        assert_eq!(
            envoy::pull(&image, "/etc/the gate.wasm"),
            "portcullis image pull registry.example.com/gate@sha256:ab --key 'keys/ci key.pub.pem' --key env:CI_KEY \
             --key other.pub --require sbom --output '/etc/the gate.wasm'"
        );
    }
}
