//! Where a bundle is put.

use crate::{failure::Failure, output};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Output {
    /// Where the bundle is put
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Put it there even where a file is
    #[arg(short, long)]
    force: bool,
}

impl Output {
    /// Whoever reads the file finds the old one or the new one, never a part.
    pub fn write(&self, content: &[u8]) -> Result<(), Failure> {
        output::write(&self.output, self.force, content)
    }
}
