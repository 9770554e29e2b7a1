//! `portcullis image build`: an image on disk.

use super::{
    Format, Stopped,
    making::{Made, Making},
};
use crate::{failure::Failure, output, terminal};
use clap::Args;
use portcullis_registry::image::{Files, archive, write};
use serde_json::json;
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Build the module into an OCI image, on disk
///
/// The same module and options have the same digest, whenever and wherever. What Envoy offers is held
/// against what the module imports: one that no Envoy could load is refused.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis image build --wasm portcullis.wasm -o image --version v1
  portcullis image build --wasm portcullis.wasm -o image.tar --sbom bom.json \\
    --source https://git.example.com/gate --revision 0123abc
  skopeo inspect oci:image:v1")]
pub struct Build {
    #[command(flatten)]
    making: Making,
    /// Where the image is put: an OCI image layout, as a folder or as an archive where it ends in .tar
    /// [default: nowhere, and only its digest is told]
    #[arg(short, long, value_name = "DIR|FILE.tar")]
    output: Option<PathBuf>,
    /// Put it there even where one is
    #[arg(short, long, requires = "output")]
    force: bool,
    /// How it is said what was built
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What lies at the top of a layout (image-spec 1.1, image-layout.md); by the first it is known.
const LAYOUT: [&str; 3] = ["oci-layout", "index.json", "blobs"];

impl Build {
    pub fn run(self) -> Result<(), Stopped> {
        if let Some(output) = &self.output {
            output::check(output, self.force)?;
            replaceable(output)?;
        }
        let Made { image, module } = self.making.make()?;
        if let Some(output) = &self.output {
            let at = Stopped::at(output.display());
            let files = write(&image, self.making.name()).map_err(&at)?;
            match output.extension().is_some_and(|kind| kind == "tar") {
                true => output::write(output, self.force, &archive(&files).map_err(&at)?)?,
                false => write_folder(output, self.force, &files)?,
            }
        }
        let digest = image.digest();
        terminal::print(&match self.format {
            Format::Text => digest.to_string(),
            Format::Json => format!(
                "{:#}",
                json!({
                    "digest": digest, "module": module.digest(), "abi": module.abi(),
                    "envoy": module.envoy(), "output": self.output,
                })
            ),
        })?;
        Ok(())
    }
}

/// A folder is replaced with all that is in it: only one that is an image is.
fn replaceable(output: &Path) -> Result<(), Failure> {
    let Ok(entries) = output.read_dir() else {
        // Nothing, or no folder: whoever writes it says what is wrong.
        return Ok(());
    };
    let wrong = |why: String| {
        Failure::new(format!("{}: {why}", output.display()))
            .hint("--force replaces an OCI image layout, and nothing else: name another folder")
    };
    let own = LAYOUT.map(OsString::from);
    for entry in entries {
        let name = entry
            .map_err(|error| Failure::io(output.display(), &error))?
            .file_name();
        if !own.contains(&name) {
            let name = name.to_string_lossy();
            return Err(wrong(format!(
                "it has `{}`, which is of no image",
                name.escape_debug()
            )));
        }
    }
    match output.join(LAYOUT[0]).is_file() && !output.is_symlink() {
        true => Ok(()),
        false => Err(wrong("it is a folder, and no image".to_owned())),
    }
}

/// The whole folder, or none: it is made beside its place.
fn write_folder(folder: &Path, force: bool, files: &Files) -> Result<(), Failure> {
    let parent = output::folder(folder);
    let next = tempfile::Builder::new()
        .prefix(".portcullis-")
        .tempdir_in(parent)
        .map_err(|error| output::no_room(folder, parent, &error))?;
    put_folder(folder, force, files, next).map_err(|error| Failure::io(folder.display(), &error))
}

/// By way of a folder beside it.
fn put_folder(folder: &Path, force: bool, files: &Files, next: TempDir) -> Result<(), io::Error> {
    let made = next.path().join("image");
    for (name, content) in files {
        let file = made.join(name);
        if let Some(around) = file.parent() {
            fs::create_dir_all(around)?;
        }
        fs::write(file, content)?;
    }
    // What is there goes away with the folder beside it.
    let before = next.path().join("before");
    let is_replaced = force && folder.exists();
    if is_replaced {
        fs::rename(folder, &before)?;
    }
    fs::rename(made, folder).inspect_err(|_| {
        if is_replaced && fs::rename(&before, folder).is_err() {
            // It is kept where it is then: better in an odd place than gone.
            let _ = next.keep();
        }
    })
}
