//! Rego modules and data from files and folders, placed as `opa -d` places them
//! (opa's `v1/loader/loader.go`): in a folder, every JSON or YAML file is merged into `data` under
//! the names of the folders between, whatever its own name.

use crate::{
    document::{Document, read_text, unreadable},
    error::{Finding, Findings, Place},
};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

/// Whether `*_test.rego` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    Skip,
    Read,
}

#[derive(Debug, Default)]
pub struct Policies {
    /// Rego texts by their path, as it was given or relative to the base.
    pub modules: BTreeMap<String, String>,
    pub data: Map<String, Value>,
    /// The data files, with the folders each stands under.
    data_files: Vec<(PathBuf, Vec<String>)>,
}

impl Policies {
    /// Reads files and folders; relative ones are found from `base`. Hidden files are skipped.
    ///
    /// # Errors
    /// Everything that cannot be read, parsed or merged.
    pub fn read(base: &Path, paths: &[PathBuf], tests: Tests) -> Result<Policies, Findings> {
        Policies::read_without(base, paths, tests, None)
    }

    /// As [`Policies::read`], leaving out what stands in a folder under a name that is ignored.
    ///
    /// # Errors
    /// Everything that cannot be read, parsed or merged.
    pub fn read_ignoring(
        base: &Path,
        paths: &[PathBuf],
        tests: Tests,
        ignored: &dyn Fn(&str) -> bool,
    ) -> Result<Policies, Findings> {
        Policies::walk(base, paths, tests, None, ignored)
    }

    /// As `read`, leaving one file out: a `gate.yaml` may stand among its own policies.
    pub(crate) fn read_without(
        base: &Path,
        paths: &[PathBuf],
        tests: Tests,
        without: Option<&Path>,
    ) -> Result<Policies, Findings> {
        Policies::walk(base, paths, tests, without, &|_| false)
    }

    fn walk(
        base: &Path,
        paths: &[PathBuf],
        tests: Tests,
        without: Option<&Path>,
        ignored: &dyn Fn(&str) -> bool,
    ) -> Result<Policies, Findings> {
        let mut walk = Walk {
            base,
            tests,
            without: without.and_then(|file| file.canonicalize().ok()),
            ignored,
            found: Policies::default(),
            findings: Vec::new(),
        };
        for path in paths {
            walk.given(path);
        }
        match Findings::gather(walk.findings) {
            Some(findings) => Err(findings),
            None => Ok(walk.found),
        }
    }
}

struct Walk<'a> {
    base: &'a Path,
    tests: Tests,
    without: Option<PathBuf>,
    ignored: &'a dyn Fn(&str) -> bool,
    found: Policies,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    /// A path the user named: it must exist, and a file must be of a kind that is known.
    fn given(&mut self, path: &Path) {
        let path: PathBuf = path
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        let file = match self.base.join(&path) {
            file if file.as_os_str().is_empty() => PathBuf::from("."),
            file => file,
        };
        match fs::metadata(&file) {
            Ok(metadata) if metadata.is_dir() => {
                self.folder(&path, &file, &mut Vec::new(), &mut Vec::new());
            }
            Ok(_) => match Kind::of(&file) {
                Some(kind) => self.file(kind, &path, &file, &[]),
                None => self.findings.push(Finding::new(
                    Place::file(file),
                    "this is neither Rego nor data; expected .rego, .json, .yaml or .yml",
                )),
            },
            Err(error) => {
                let finding = Finding::new(Place::file(file), unreadable(&error));
                self.findings.push(finding);
            }
        }
    }

    fn folder(
        &mut self,
        path: &Path,
        folder: &Path,
        parents: &mut Vec<String>,
        open: &mut Vec<PathBuf>,
    ) {
        let entries = fs::canonicalize(folder)
            .and_then(|real| Ok((real, fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?)));
        let (real, mut entries) = match entries {
            Ok(found) => found,
            Err(error) => {
                let finding = Finding::new(Place::file(folder), unreadable(&error));
                return self.findings.push(finding);
            }
        };
        if open.contains(&real) {
            let message = "this link leads back to a folder that holds it";
            let finding = Finding::new(Place::file(folder), message);
            return self.findings.push(finding);
        }
        open.push(real);
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                let message = "the name of this file is not UTF-8";
                let finding = Finding::new(Place::file(entry.path()), message);
                self.findings.push(finding);
                continue;
            };
            if name.starts_with('.') || (self.ignored)(&name) {
                continue;
            }
            let (path, file) = (path.join(&name), folder.join(&name));
            match (fs::metadata(&file), Kind::of(&file)) {
                (Ok(metadata), _) if metadata.is_dir() => {
                    parents.push(name);
                    self.folder(&path, &file, parents, open);
                    parents.pop();
                }
                (Ok(metadata), Some(kind)) if metadata.is_file() => {
                    self.file(kind, &path, &file, parents);
                }
                (Err(error), Some(_)) => {
                    let finding = Finding::new(Place::file(file), unreadable(&error));
                    self.findings.push(finding);
                }
                _ => {}
            }
        }
        open.pop();
    }

    fn file(&mut self, kind: Kind, path: &Path, file: &Path, parents: &[String]) {
        if self.without.is_some() && file.canonicalize().ok() == self.without {
            return;
        }
        let read = match kind {
            Kind::Test if self.tests == Tests::Skip => Ok(()),
            Kind::Rego | Kind::Test => self.module(path, file),
            Kind::Data => self.data(file, parents),
        };
        if let Err(finding) = read {
            self.findings.push(finding);
        }
    }

    fn module(&mut self, path: &Path, file: &Path) -> Result<(), Finding> {
        let text = read_text(file)?;
        // Naming a file twice, as `-d policies -d policies/authz.rego`, reads it once.
        self.found.modules.insert(name(path), text);
        Ok(())
    }

    fn data(&mut self, file: &Path, parents: &[String]) -> Result<(), Finding> {
        let document = Document::read(file)?;
        let mut value = document.value.clone();
        for parent in parents.iter().rev() {
            value = Value::Object(Map::from_iter([(parent.clone(), value)]));
        }
        let Value::Object(map) = value else {
            let message = format!(
                "found {}; a data file at the root must be an object, since it becomes `data`",
                kind_of(&value)
            );
            return Err(Finding::new(document.place(""), message));
        };
        if let Err(conflict) = merge(&mut self.found.data, map) {
            let inside = conflict.get(parents.len()..).unwrap_or_default();
            let mut message = format!("`data.{}` is given twice", conflict.join("."));
            if let Some(other) = self.holder(&conflict) {
                message.push_str(&format!("; it stands in {} too", other.display()));
            }
            return Err(Finding::new(document.place(&inside.join(".")), message));
        }
        self.found
            .data_files
            .push((file.to_owned(), parents.to_vec()));
        Ok(())
    }

    /// Which of the files that were read holds something at a path of `data`.
    fn holder(&self, path: &[String]) -> Option<&Path> {
        let holds = |(file, parents): &&(PathBuf, Vec<String>)| {
            let Some(inside) = path.strip_prefix(parents.as_slice()) else {
                return parents.starts_with(path);
            };
            let document = Document::read(file).ok();
            document.is_some_and(|document| {
                let found = inside
                    .iter()
                    .try_fold(&document.value, |value, key| value.get(key));
                found.is_some()
            })
        };
        let found = self.found.data_files.iter().find(holds);
        found.map(|(file, _)| file.as_path())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Rego,
    Test,
    Data,
}

impl Kind {
    fn of(file: &Path) -> Option<Kind> {
        let name = file.file_name()?.to_str()?;
        match file.extension()?.to_str()? {
            "rego" if name.ends_with("_test.rego") => Some(Kind::Test),
            "rego" => Some(Kind::Rego),
            "json" | "yaml" | "yml" => Some(Kind::Data),
            _ => None,
        }
    }
}

/// Merges objects; where two values meet that are not both objects, the path to them.
pub(crate) fn merge(
    into: &mut Map<String, Value>,
    from: Map<String, Value>,
) -> Result<(), Vec<String>> {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (None, value) => {
                into.insert(key, value);
            }
            (Some(Value::Object(into)), Value::Object(from)) => {
                merge(into, from).map_err(|mut path| {
                    path.insert(0, key);
                    path
                })?;
            }
            (Some(_), _) => return Err(vec![key]),
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
