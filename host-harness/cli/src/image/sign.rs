//! `portcullis image sign`: a signature that cosign verifies too.

use super::{Format, Stopped, verify::Place};
use crate::{failure::Failure, moment, place, registry::Bar, terminal};
use clap::Args;
use portcullis_registry::{
    Fault, Remote,
    image::{SigningKey, sign},
};
use serde_json::{Map, Value, json};
use std::io::IsTerminal;

/// Sign an image in a registry, and its SBOM and provenance, as cosign does with a key
///
/// What is signed is read first: an image that is not whole, that no mesh takes, or whose module no Envoy
/// loads, is not signed.
/// Signatures that are there stay, and one by the same key that says the same is renewed. cosign verifies it with `cosign verify --key ci.pub
/// --insecure-ignore-tlog`, since nothing is written to a public log.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image sign registry.example.com/gates/portcullis@sha256:... --key ci.pem
  COSIGN_PASSWORD=... portcullis image sign registry.example.com/gates/portcullis:v1 \\
    --key cosign.key --annotation env=production --timestamp")]
pub struct Sign {
    #[command(flatten)]
    place: Place,
    /// A private key in PEM, or one of cosign's: a file, or `env:NAME` for a variable
    #[arg(long, value_name = "FILE|env:NAME")]
    key: String,
    /// What the signature says besides. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::pair)]
    annotation: Vec<(String, String)>,
    /// Say when it was signed: `verify --max-age` wants it. Signing again renews it
    #[arg(long)]
    timestamp: bool,
    /// How it is said what was signed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Of the time, in what is signed: the command has an option for it.
const TIMESTAMP: &str = "timestamp";

impl Sign {
    pub fn run(self) -> Result<(), Stopped> {
        let target = self.place.target()?;
        let mut optional = Map::new();
        for (name, value) in &self.annotation {
            let is_twice = optional.insert(name.clone(), Value::from(value.as_str()));
            if is_twice.is_some() || name == TIMESTAMP {
                return Err(
                    Failure::new(format!("--annotation {name}: it has one already"))
                        .hint("--timestamp says the time; the others have one value each")
                        .into(),
                );
            }
        }
        if self.timestamp {
            optional.insert(TIMESTAMP.to_owned(), moment::now().as_secs().into());
        }
        let key = place::content(&self.key)?;
        let key =
            SigningKey::read(&key, password).map_err(Stopped::at(format!("--key {}", self.key)))?;
        if !self.place.is_pinned() {
            terminal::warn(
                "a tag was given: what it names now is signed; `image push` prints the digest",
            );
        }
        let bar = Bar::of(None);
        let signed = Remote::to_push(&target).and_then(|remote| {
            sign(
                &remote,
                &key,
                &optional,
                portcullis_host::is_known,
                &bar.progress(),
            )
        });
        bar.clear();
        let signed = signed.map_err(Stopped::at(self.place.name()))?;
        let pinned = target.pinned(signed.digest.as_str());
        let attached = signed.attached.iter();
        terminal::print(&match self.format {
            Format::Text => {
                let lines = attached.map(|(kind, digest)| {
                    format!("\n{} ({})", target.pinned(digest.as_str()), kind.name())
                });
                format!("{pinned}{}", lines.collect::<String>())
            }
            Format::Json => {
                let attached: Vec<_> = attached
                    .map(|(kind, digest)| json!({"kind": kind.name(), "digest": digest}))
                    .collect();
                format!(
                    "{:#}",
                    json!({
                        "reference": target.name(), "digest": signed.digest, "pinned": pinned,
                        "optional": optional, "attached": attached,
                    })
                )
            }
        })?;
        Ok(())
    }
}

/// As cosign finds it.
fn password() -> Result<Vec<u8>, Fault> {
    const NAME: &str = "COSIGN_PASSWORD";
    if let Some(password) = crate::secrets::environment(NAME) {
        return Ok(password.into_bytes());
    }
    let missing = |what: String| Fault::Input {
        what,
        hint: Some(format!("{NAME} has it, or the terminal is asked")),
    };
    if !std::io::stdin().is_terminal() {
        return Err(missing("a password locks it, and there is none".to_owned()));
    }
    rpassword::prompt_password("Password of the key: ")
        .map(String::into_bytes)
        .map_err(|error| missing(format!("its password: {error}")))
}
