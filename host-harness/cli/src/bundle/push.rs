//! `portcullis bundle push`: a bundle to a registry.

use super::{Format, opened::Opened};
use crate::{
    failure::{Exit, Failure},
    registry::{Bar, failure, warn_of_plain},
    terminal,
};
use clap::Args;
use portcullis_registry::Target;
use serde_json::json;
use std::path::PathBuf;

/// Push a bundle to a registry (OCI), where OPA's downloader finds it too
///
/// Credentials are those that `docker login` stored. The digest that is printed follows from the bundle
/// alone, and names it for ever; a tag can be moved.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle push authz.tar.gz registry.example.com/policies/authz:v7
  portcullis bundle push authz.tar.gz localhost:5000/authz --tag v7 --format json")]
pub struct Push {
    /// The archive
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Where it goes: registry/repository:tag
    #[arg(value_name = "REF")]
    reference: String,
    /// The tag, where REF has none
    #[arg(long)]
    tag: Option<String>,
    /// Without TLS [default: only where the registry is on this machine]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    plain_http: Option<bool>,
    /// How it is said what was pushed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Push {
    pub fn run(self) -> Result<Exit, Failure> {
        let target = Target::parse(&self.reference, self.tag.as_deref(), self.plain_http);
        let target = target.map_err(failure)?;
        if self.bundle.is_dir() {
            return Err(
                Failure::new(format!("{}: it is a folder", self.bundle.display()))
                    .hint("`portcullis bundle build` makes an archive of policies"),
            );
        }
        let opened = Opened::read(&self.bundle)?;
        warn_of_plain(&target);
        let bar = Bar::of(Some(opened.packed.len()));
        let revision = opened.manifest().revision.clone();
        let pushed = portcullis_registry::push(opened.packed, &target, &bar.progress());
        bar.clear();
        let pushed = pushed.map_err(failure)?;
        let pinned = target.pinned(&pushed.digest);
        terminal::print(&match self.format {
            Format::Text => pinned,
            Format::Json => format!(
                "{:#}",
                json!({
                    "reference": target.name(), "digest": pushed.digest, "pinned": pinned,
                    "layer": pushed.layer, "revision": revision,
                })
            ),
        })?;
        Ok(Exit::Fine)
    }
}
