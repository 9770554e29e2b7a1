//! The gate beside servers that Debian has: what `make test-system` installs and runs. Without
//! `PORTCULLIS_SYSTEM` nothing here runs, so that `make test` needs no package.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "system/chromium.rs"]
mod chromium;
#[path = "system/nginx.rs"]
mod nginx;

use std::path::PathBuf;

/// A program of Debian's, for a test that needs it: nothing where it was not asked for, or is not there.
pub fn program(name: &str) -> Option<PathBuf> {
    std::env::var_os("PORTCULLIS_SYSTEM")?;
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    // Where Debian has servers, whoever asks.
    folders.push("/usr/sbin".into());
    let found = folders.into_iter().map(|folder| folder.join(name));
    let found = found.into_iter().find(|file| file.is_file());
    let missing = || format!("`{name}` is not there: tests/system/install.sh installs it, as root");
    portcullis_tests::needed(found.ok_or_else(missing))
}
