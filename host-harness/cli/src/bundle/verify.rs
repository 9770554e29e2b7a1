//! `portcullis bundle verify`: whether a gate would take a bundle.

use super::{
    Format,
    inspect::order,
    manifest::is_later,
    opened::{Opened, packed, read, shown_order},
    verification::Verifying,
};
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Verify a bundle's signature and its files, by the code that the filter runs
///
/// Exit code 0: it is what the key signed; 1: it is not, or not newer; 2: bad usage.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle verify authz.tar.gz --verification-key ci.pub.pem --key-id ci --scope write
  portcullis bundle verify next.tar.gz --verification-key ci.pub.pem --newer-than authz.tar.gz")]
pub struct Verify {
    /// An archive, or a folder laid out as a bundle
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    verifying: Verifying,
    /// A bundle that gates run: whether they would take this one after it. Its own signature is not
    /// looked at
    #[arg(long, value_name = "BUNDLE")]
    newer_than: Option<PathBuf>,
    /// How it is said what was verified
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Verify {
    pub fn run(self) -> Result<Exit, Failure> {
        if !self.verifying.is_asked() {
            return Err(Failure::new("there is no --verification-key").hint(
                "the signer's public key in PEM: FILE, or env:NAME for a variable; `bundle inspect` \
                 shows a bundle without one",
            ));
        }
        let path = self.bundle.display();
        // A bundle that the reader does not take is not verified either.
        let opened = match Opened::read(&self.bundle) {
            Ok(opened) => opened,
            Err(failure) if self.bundle.is_file() && read(packed(&self.bundle)?, None).is_err() => {
                terminal::report(&failure);
                return Ok(Exit::Failed);
            }
            Err(failure) => return Err(failure),
        };
        let Some(verified) = self.verifying.verify(&opened)? else {
            return Err(Failure::new("there is no --verification-key"));
        };
        let failed = |why: String| {
            terminal::report(&Failure::new(format!("{path}: {why}")));
            Ok(Exit::Failed)
        };
        let bundle = match verified.bundle {
            Ok(bundle) => bundle,
            Err(fault) => return failed(fault.to_string()),
        };
        if let Some(other) = &self.newer_than {
            let other = Opened::read(other)?;
            if let Err(why) = is_later(opened.order(), other.order()) {
                return failed(format!(
                    "gates that run {} would refuse it: {why} ({}, and {} there)",
                    other.path.display(),
                    shown_order(opened.order()),
                    shown_order(other.order())
                ));
            }
        }
        let manifest = bundle.manifest();
        let signer = bundle.signer().unwrap_or_default();
        let files = opened.files.len().saturating_sub(1);
        terminal::print(&match self.format {
            Format::Json => format!(
                "{:#}",
                json!({
                    "bundle": path.to_string(), "verified": true, "key_id": signer,
                    "algorithm": verified.algorithm.name(), "scope": verified.scope,
                    "files": files, "revision": manifest.revision, "order": order(manifest.order),
                })
            ),
            Format::Text => {
                let scope = verified.scope.map(|scope| format!(", scope `{scope}`"));
                format!(
                    "{path}: verified, {files} files are what the key `{signer}` signed ({}{}); \
                     revision `{}`, order: {}",
                    verified.algorithm,
                    scope.unwrap_or_default(),
                    manifest.revision,
                    shown_order(manifest.order)
                )
            }
        })?;
        Ok(Exit::Fine)
    }
}
