//! `portcullis image push`: an image to a registry.

use super::{
    Format, Stopped,
    making::{Making, read_module},
};
use crate::{
    failure::Failure,
    registry::{Bar, failure, warn_of_plain},
    terminal,
};
use clap::Args;
use portcullis_registry::{
    Remote, Target,
    image::{push, read, unpacked},
};
use serde_json::json;
use std::path::PathBuf;

/// Push the module to a registry as an OCI image, with what is attached to it
///
/// Credentials are those that `docker login` stored. The digest that is printed follows from the module
/// and the options alone; a tag can be moved.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image push registry.example.com/gates/portcullis:v1 --wasm portcullis.wasm --sbom bom.json
  portcullis image push localhost:5000/gates/portcullis:v1 --image image.tar")]
pub struct Push {
    /// Where it goes: registry/repository:tag
    #[arg(value_name = "REF")]
    reference: String,
    /// An image that `image build` made
    #[arg(
        long,
        value_name = "DIR|FILE.tar",
        conflicts_with_all = ["wasm", "sbom", "provenance", "source", "revision", "version", "annotation"]
    )]
    image: Option<PathBuf>,
    #[command(flatten)]
    making: Making,
    /// Without TLS [default: only where the registry is on this machine]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    plain_http: Option<bool>,
    /// How it is said what was pushed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Push {
    pub fn run(self) -> Result<(), Stopped> {
        let target = Target::of_image(&self.reference, self.plain_http).map_err(failure)?;
        let image = match &self.image {
            Some(place) => {
                let image = read(place).map_err(Stopped::at(place.display()))?;
                // One that a mesh would refuse is not pushed, nor what no Envoy loads.
                let (_, _, module) = unpacked(&image)
                    .map_err(|fault| Failure::new(format!("{}: {fault}", place.display())))?;
                read_module(place, module)?;
                image
            }
            None => self.making.make()?.image,
        };
        warn_of_plain(&target);
        let bytes = image.blobs.values().map(Vec::len).sum();
        let bar = Bar::of(Some(bytes));
        let sent =
            Remote::to_push(&target).and_then(|remote| push(&remote, &image, &bar.progress()));
        bar.clear();
        let sent = sent.map_err(Stopped::at(&self.reference))?;
        let pinned = target.pinned(sent.digest.as_str());
        terminal::print(&match self.format {
            Format::Text => pinned,
            Format::Json => {
                let attached = sent.attached.iter().map(|(kind, digest)| {
                    json!({"kind": kind.map(|kind| kind.name()), "digest": digest})
                });
                let attached: Vec<_> = attached.collect();
                format!(
                    "{:#}",
                    json!({
                        "reference": target.name(), "digest": sent.digest, "pinned": pinned,
                        "attached": attached,
                    })
                )
            }
        })?;
        Ok(())
    }
}
