//! `portcullis bundle sign`: a bundle with a signature over all its files.

use super::{
    Format, archive, archive::SIGNATURES, build::said, opened::Opened, output::Output,
    signing::Signing,
};
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use std::path::PathBuf;

/// Sign a bundle, as `opa sign` does
///
/// The signature covers every file. It names no time, and all algorithms sign the same bytes alike, so
/// signing twice gives the same bundle. Where FILE of --output is named `.signatures.json` the
/// signature alone is written, for a folder that is packed later.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle sign authz.tar.gz -o signed.tar.gz --signing-key ci.pem --key-id ci --scope write
  BUNDLE_SECRET=... portcullis bundle sign authz.tar.gz -o signed.tar.gz \\
    --signing-key env:BUNDLE_SECRET --signing-alg HS256 --key-id ci")]
pub struct Sign {
    /// An archive, or a folder laid out as a bundle. A signature that it has is replaced
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    signing: Signing,
    /// How it is said what was signed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Sign {
    pub fn run(self) -> Result<Exit, Failure> {
        if !self.signing.is_asked() {
            return Err(Failure::new("there is no --signing-key")
                .hint("a private key in PEM: FILE, or env:NAME for a variable"));
        }
        let mut files = Opened::read(&self.bundle)?.files;
        self.signing.sign(&mut files)?;
        let signed = Opened::of(&self.output.output, archive::pack(&files)?)?;
        let is_alone = self
            .output
            .output
            .file_name()
            .is_some_and(|name| name == SIGNATURES);
        match files.get(SIGNATURES).filter(|_| is_alone) {
            Some(document) => self.output.write(document)?,
            None => self.output.write(&signed.packed)?,
        }
        terminal::print(&said(&signed, self.format))?;
        Ok(Exit::Fine)
    }
}
