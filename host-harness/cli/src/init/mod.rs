//! `portcullis init`: a folder to start from that works as it is.

use crate::{
    dev_key::{Algorithm, DevKey},
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

const GATE: &str = include_str!("gate.yaml");
const NEXT: &str = include_str!("next.txt");
const FILES: &[(&str, &str)] = &[
    ("policies/authz.rego", include_str!("authz.rego")),
    ("policies/authz_test.rego", include_str!("authz_test.rego")),
    ("policies/roles/data.json", include_str!("roles.json")),
    ("request.http", include_str!("request.http")),
    (".gitignore", include_str!("gitignore")),
];

/// Make a folder with a configuration, a policy, its test, a request and a development key
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis init my-gate")]
pub struct Init {
    /// A new folder, or an empty one
    dir: PathBuf,
}

impl Init {
    pub fn run(self) -> Result<Exit, Failure> {
        let dir = &self.dir;
        let wrong = |error: &std::io::Error| Failure::io(dir.display(), error);
        match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => {
                let message = format!("{}: the folder is not empty", dir.display());
                return Err(Failure::new(message).hint("name a new one"));
            }
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(dir).map_err(|error| wrong(&error))?;
            }
            Err(error) => return Err(wrong(&error)),
        }
        let key = DevKey::generate(Algorithm::Es256)?;
        key.write(&dir.join("dev-key.json"))?;
        let jwks = key.jwks();
        write(
            &dir.join("gate.yaml"),
            &GATE.replace("{{JWKS}}", &jwks.to_string()),
        )?;
        for (name, text) in FILES {
            write(&dir.join(name), text)?;
        }
        terminal::print(
            NEXT.replace("{{DIR}}", &dir.display().to_string())
                .trim_end(),
        )?;
        Ok(Exit::Fine)
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    file.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(file, text))
        .map_err(|error| Failure::io(file.display(), &error))
}
