//! A scenario folder: `gate.yaml`, Rego and data beside it, and `cases.yaml`; found and read.

use crate::{error::Error, scenario::CasesFile};
use std::path::{Path, PathBuf};

/// A folder that was read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The folder's path below the root it was found in, such as `jwt/algorithms`.
    pub name: String,
    pub folder: PathBuf,
    /// `gate.yaml` with its templates still in it.
    pub gate: String,
    pub file: CasesFile,
}

impl Scenario {
    /// Reads one folder.
    pub fn read(root: &Path, folder: &Path) -> Result<Scenario, Error> {
        let name = folder
            .strip_prefix(root)
            .unwrap_or(folder)
            .to_string_lossy()
            .into_owned();
        let name = if name.is_empty() {
            folder_name(folder)
        } else {
            name
        };
        let read = |file: &str| {
            let path = folder.join(file);
            std::fs::read_to_string(&path).map_err(|error| Error::Read(path, error))
        };
        let gate = read("gate.yaml")?;
        let file = cases(&folder.join("cases.yaml"))?;
        let scenario = Scenario {
            name,
            folder: folder.to_owned(),
            gate,
            file,
        };
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads every folder at or below `root` that has a `cases.yaml`, in order of name.
    pub fn read_all(root: &Path) -> Result<Vec<Scenario>, Error> {
        let mut folders = Vec::new();
        find(root, &mut folders)?;
        folders.sort();
        if folders.is_empty() {
            return Err(Error::NoScenarios(root.to_owned()));
        }
        folders
            .iter()
            .map(|folder| Scenario::read(root, folder))
            .collect()
    }

    /// The reasons that its cases expect.
    pub fn expected_reasons(&self) -> impl Iterator<Item = &str> {
        self.file.cases.iter().map(|case| &*case.expect.reason)
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |message: &str| Err(Error::Scenario(self.name.clone(), message.to_owned()));
        if self.file.cases.is_empty() == self.file.expect_load_error.is_none() {
            return wrong("`cases.yaml` has either `cases` or `expect_load_error`");
        }
        let mut names = std::collections::BTreeSet::new();
        for case in &self.file.cases {
            if !names.insert(&case.name) {
                return wrong(&format!("two cases are called `{}`", case.name));
            }
            if let Some(unknown) = case
                .skip
                .keys()
                .chain(case.unasked.keys())
                .find(|name| crate::On::parse(name).is_none())
            {
                return wrong(&format!(
                    "case `{}` names `{unknown}`, which is no subject",
                    case.name
                ));
            }
        }
        self.check_servers()
    }

    fn check_servers(&self) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::Scenario(self.name.clone(), message));
        let cases = &self.file.cases;
        let named = cases.iter().flat_map(|case| {
            let expected = case.expect.fetches.keys().chain(case.expect.events.keys());
            case.before.keys().chain(expected)
        });
        for name in named {
            if !self.file.servers.contains_key(name) {
                return wrong(format!("`{name}` is not among the `servers`"));
            }
        }
        let changes = cases.iter().flat_map(|case| &case.before);
        for (name, server) in self.file.servers.iter().chain(changes) {
            for (path, reply) in &server.paths {
                let bodies = [
                    reply.keys.is_some(),
                    reply.json.is_some(),
                    reply.body.is_some(),
                ];
                let bodies = bodies.into_iter().filter(|there| *there).count();
                if bodies > 1 {
                    return wrong(format!(
                        "`{name}` has more than one body for `{path}`: one of keys, json, body"
                    ));
                }
                if reply.padding.is_some() && reply.keys.is_none() {
                    return wrong(format!("`{name}` pads a body for `{path}` without `keys`"));
                }
            }
        }
        Ok(())
    }
}

fn cases(file: &Path) -> Result<CasesFile, Error> {
    let value = portcullis_gatefile::read_data(file)?;
    serde_path_to_error::deserialize(value).map_err(|error| Error::Case {
        file: file.to_owned(),
        path: error.path().to_string(),
        message: error.inner().to_string(),
    })
}

fn folder_name(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if folder.join("cases.yaml").is_file() {
        found.push(folder.to_owned());
        return Ok(());
    }
    let failed = |error| Error::Read(folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            find(&path, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
