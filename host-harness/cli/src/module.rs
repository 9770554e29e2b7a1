//! Where `portcullis.wasm` is found.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

const FILE: &str = "portcullis.wasm";
/// From the folder of the executable: beside it, and where `make build` puts both.
const PLACES: &[&str] = &["", "../wasm32-wasip1/release"];

/// What was named, else what `PORTCULLIS_WASM` names, else what stands near the executable.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let variable = std::env::var_os("PORTCULLIS_WASM").filter(|value| !value.is_empty());
    if let Some(file) = named.map(Path::to_owned).or(variable.map(PathBuf::from)) {
        return match file.is_file() {
            true => Ok(file),
            false => Err(Failure::new(format!("{}: no such file", file.display()))
                .hint("`make build` makes portcullis.wasm")),
        };
    }
    let executable = std::env::current_exe().ok();
    let folder = executable.as_deref().and_then(Path::parent);
    folder
        .into_iter()
        .flat_map(|folder| {
            PLACES
                .iter()
                .map(move |place| folder.join(place).join(FILE))
        })
        .find(|file| file.is_file())
        .ok_or_else(|| {
            Failure::new(format!(
                "{FILE} is neither beside the command nor where `make build` puts it"
            ))
            .hint("run `make build`, or name it with --wasm FILE or PORTCULLIS_WASM")
        })
}
