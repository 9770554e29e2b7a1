//! `portcullis image pull`: the module out of a registry.

use super::{Format, Stopped, verify::Verification};
use crate::{output, terminal};
use clap::Args;
use portcullis_registry::Digest;
use serde_json::json;
use std::path::PathBuf;

/// Pull the module out of an image, and verify it on the way
///
/// Every blob is held against its digest. Who made the image is known only where a key is given.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image pull registry.example.com/gates/portcullis:v1 -o portcullis.wasm --key ci.pub
  portcullis image pull registry.example.com/gates/portcullis@sha256:... -o portcullis.wasm")]
pub struct Pull {
    #[command(flatten)]
    verification: Verification,
    /// Where the module is put
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Put it there even where a file is
    #[arg(short, long)]
    force: bool,
    /// How it is said what was pulled
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Pull {
    pub fn run(self) -> Result<(), Stopped> {
        output::check(&self.output, self.force)?;
        let is_verified = self.verification.is_asked();
        let (target, digest, layout, module) = match is_verified {
            true => {
                let (target, proven) = self.verification.prove()?;
                let module = proven.module().to_vec();
                (target, proven.digest().clone(), proven.layout(), module)
            }
            false => {
                let (target, taken) = self.verification.take()?;
                terminal::warn("no --key was given: who made this image is not known");
                (target, taken.digest, taken.layout, taken.module)
            }
        };
        let pinned = target.pinned(digest.as_str());
        output::write(&self.output, self.force, &module)?;
        terminal::print(&match self.format {
            Format::Text => pinned,
            Format::Json => format!(
                "{:#}",
                json!({
                    "digest": digest, "pinned": pinned, "layout": layout.name(),
                    "module": Digest::of(&module), "bytes": module.len(),
                    "output": self.output, "verified": is_verified,
                })
            ),
        })?;
        Ok(())
    }
}
