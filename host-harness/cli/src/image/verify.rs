//! `portcullis image verify`: whether an image is what a key signed, and whole.

use super::Format;
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Verify an image in a registry: its signature by a key, its bytes, what is attached to it
///
/// Exit code 0: it is what one of the keys signed; 1: it is not; 2: bad usage, or no answer.
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
    /// The image: registry/repository:tag, or with @sha256:...
    #[arg(value_name = "REF")]
    reference: String,
    /// A public key in PEM that may have signed it: a file, or `env:NAME` for a variable. May be repeated
    #[arg(long, value_name = "FILE|env:NAME")]
    key: Vec<String>,
    /// What the signature must say besides. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    annotation: Vec<(String, String)>,
    /// How old the signature may be, such as 90d; it must then say when it was made
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    max_age: Option<Duration>,
    /// Without TLS [default: only where the registry is on this machine]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    plain_http: Option<bool>,
}

/// An image that one of the keys signed, and whose bytes are those that were signed.
pub struct Verified {
    /// As it was asked for.
    pub reference: String,
    /// Of the manifest: `sha256:` and hex.
    pub digest: String,
    /// `host/repository@sha256:...`, which nobody can move.
    pub pinned: String,
    /// Of the manifest.
    pub annotations: BTreeMap<String, String>,
}

impl Verification {
    /// `Ok(Err(refusal))`: the image is not what was asked for, which is exit code 1.
    ///
    /// # Errors
    /// What was asked cannot be used, or the registry does not answer: exit code 2.
    pub fn verify(&self) -> Result<Result<Verified, Failure>, Failure> {
        Err(Failure::new("`image verify` is not supported yet"))
    }

    /// The image as it is, whoever made it.
    pub fn unverified(&self) -> Result<Verified, Failure> {
        let (name, digest) = self
            .reference
            .split_once('@')
            .ok_or_else(|| Failure::new("no"))?;
        Ok(Verified {
            reference: self.reference.clone(),
            digest: digest.to_owned(),
            pinned: format!("{name}@{digest}"),
            annotations: BTreeMap::new(),
        })
    }

    pub fn keys(&self) -> &[String] {
        &self.key
    }
}

impl Verify {
    pub fn run(self) -> Result<Exit, Failure> {
        let verified = match self.verification.verify()? {
            Ok(verified) => verified,
            Err(refusal) => {
                terminal::report(&refusal);
                return Ok(Exit::Failed);
            }
        };
        terminal::print(&match self.format {
            Format::Text => verified.pinned,
            Format::Json => format!(
                "{:#}",
                json!({
                    "reference": verified.reference, "digest": verified.digest,
                    "pinned": verified.pinned, "annotations": verified.annotations,
                })
            ),
        })?;
        Ok(Exit::Fine)
    }
}

pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
