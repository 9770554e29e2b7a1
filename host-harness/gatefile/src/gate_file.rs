//! `gate.yaml`, with `policy.path` resolved, and the way back from the engine's errors to lines.

use crate::{
    document::Document,
    error::{Finding, Findings, Place},
    policies::{Policies, Tests, kind_of, merge},
};
use portcullis_engine::{Gate, LoadError, LoadErrors, Secrets};
use portcullis_rego::LoadError as RegoError;
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// Where the policies of a document stand.
const POLICY: &str = "policy";
pub const CANDIDATE: &str = "policy.candidate";

/// A configuration as the filter takes it, and where each field of it stands.
pub struct GateFile {
    source: Document,
    /// The document without `policy.path`: its files are in `policy.modules` and `policy.data`.
    pub document: Value,
    /// The folder that module names from files are relative to.
    base: PathBuf,
}

impl GateFile {
    /// Reads the file and everything `policy.path` names.
    ///
    /// # Errors
    /// What cannot be read or put together. What the document means is the engine's to check:
    /// see [`GateFile::gate`].
    pub fn read(file: &Path) -> Result<GateFile, Findings> {
        let source = Document::read(file)?;
        if !source.value.is_object() {
            let message = format!("found {}, expected fields", kind_of(&source.value));
            return Err(Finding::new(source.place(""), message)
                .hint("a configuration begins with `policy:`")
                .into());
        }
        let base = base(file);
        let mut document = source.value.clone();
        if let Some(policy) = document.get_mut("policy").and_then(Value::as_object_mut) {
            resolve(policy, POLICY, &source, &base)?;
            if let Some(candidate) = policy.get_mut("candidate").and_then(Value::as_object_mut) {
                resolve(candidate, CANDIDATE, &source, &base)?;
            }
        }
        Ok(GateFile {
            source,
            document,
            base,
        })
    }

    /// The engine's reading of the document.
    ///
    /// # Errors
    /// Everything the engine refuses, each with its place.
    pub fn gate(&self, secrets: &dyn Secrets) -> Result<Gate, Findings> {
        let bytes = self.document.to_string().into_bytes();
        Gate::load(&bytes, secrets).map_err(|errors| self.locate(&errors))
    }

    /// What the module paths of the document are relative to.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Where a field such as `routes[2].match` stands, or its nearest ancestor.
    pub fn place(&self, path: &str) -> Place {
        self.source.place(path)
    }

    /// The engine's errors with their places: fields in this file, Rego in its own.
    pub fn locate(&self, errors: &LoadErrors) -> Findings {
        self.locate_in(POLICY, errors)
    }

    /// The same of a policy that stands elsewhere: [`CANDIDATE`].
    pub fn locate_in(&self, at: &str, errors: &LoadErrors) -> Findings {
        let findings = errors.iter().map(|error| self.finding(at, error));
        let findings = findings.collect();
        Findings::gather(findings)
            .unwrap_or_else(|| Finding::new(self.source.place(""), errors.to_string()).into())
    }

    fn finding(&self, at: &str, error: &LoadError) -> Finding {
        match error {
            LoadError::Field { path, message } => {
                let hint = nearest_key(message);
                let message = match path.as_str() {
                    "" => message.clone(),
                    path => format!("{path}: {message}"),
                };
                Finding {
                    hint: hint.map(|key| format!("did you mean `{key}`?")),
                    ..Finding::new(self.source.place(&self.written(path)), message)
                }
            }
            LoadError::Rego(error) => {
                let (place, prefix) = self.rego_place(at, error);
                Finding {
                    place,
                    message: format!("{prefix}{}", error.message),
                    hint: error.hint.clone(),
                }
            }
        }
    }

    /// Where Rego went wrong, and what to say of it that the place does not say already.
    fn rego_place(&self, at: &str, error: &RegoError) -> (Place, String) {
        let (line, column) = (number(error.line), number(error.column));
        if error.file.is_empty() || error.file == "data" {
            let field = match error.file.as_str() {
                "" => format!("{at}.entrypoint"),
                _ => format!("{at}.data"),
            };
            return (self.source.place(&self.written(&field)), String::new());
        }
        let field = format!("{at}.modules.{}", error.file);
        if self.source.spans.value(&field).is_none() {
            let file = self.base.join(&error.file);
            return (Place { file, line, column }, String::new());
        }
        match self.source.inside_block(&field, line, column) {
            Some(place) => (place, String::new()),
            None => {
                let prefix = format!("{}:{line}:{column}: ", error.file);
                (self.source.place(&field), prefix)
            }
        }
    }

    /// The field that brought a field: what came from files was written as `policy.path`.
    fn written<'p>(&self, path: &'p str) -> Cow<'p, str> {
        for at in [CANDIDATE, POLICY] {
            let below = path.strip_prefix(at).unwrap_or_default();
            let from_files = [".modules", ".data"].iter().any(|it| below.starts_with(it));
            let brought = format!("{at}.path");
            let pointer = format!("/{}", brought.replace('.', "/"));
            let has_path = self.source.value.pointer(&pointer).is_some();
            if from_files && has_path && self.source.spans.value(path).is_none() {
                return Cow::Owned(brought);
            }
        }
        Cow::Borrowed(path)
    }
}

/// The key that was probably meant, of those that the engine names where it knows another not.
fn nearest_key(message: &str) -> Option<&str> {
    let (found, expected) = message
        .strip_prefix("unknown field `")?
        .split_once("`, expected ")?;
    let keys = expected.split('`').skip(1).step_by(2);
    // A letter in three may be wrong.
    let most = found.chars().count().div_ceil(3);
    keys.map(|key| (strsim::damerau_levenshtein(found, key), key))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

/// The files and folders a configuration is made of, as far as they can be told: a change in any
/// of them is a reason to read it again. Works on a broken file, too, so that its repair is seen.
pub fn sources(file: &Path) -> Vec<PathBuf> {
    let mut sources = vec![file.to_owned()];
    let source = Document::read(file).ok();
    for at in ["/policy/path", "/policy/candidate/path"] {
        let value = source.as_ref().and_then(|it| it.value.pointer(at));
        for path in value.and_then(paths).unwrap_or_default() {
            sources.push(base(file).join(path));
        }
    }
    sources
}

fn base(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// Turns the `path` of a policy, which stands at `at`, into modules and data, beside those that are there.
fn resolve(
    policy: &mut Map<String, Value>,
    at: &str,
    source: &Document,
    base: &Path,
) -> Result<(), Findings> {
    let Some(value) = policy.remove("path") else {
        return Ok(());
    };
    let field = format!("{at}.path");
    let wrong = |message: String| Finding::new(source.place(&field), message);
    let paths = paths(&value).filter(|paths| !paths.is_empty());
    let paths = paths.ok_or_else(|| {
        let message = format!(
            "{field}: found {}, expected a file or folder, or a list of them",
            kind_of(&value)
        );
        wrong(message)
    })?;
    for path in &paths {
        if !base.join(path).exists() {
            let message = format!("{field}: no such file or folder: `{}`", path.display());
            let place = wrong(message);
            return Err(place
                .hint("paths are relative to the folder of the configuration")
                .into());
        }
    }
    let found = Policies::read_without(base, &paths, Tests::Skip, Some(&source.file))?;

    if found.modules.is_empty() && !policy.contains_key("modules") {
        let message = format!("{field}: there is no .rego file in it");
        return Err(wrong(message).into());
    }
    // A field of the wrong type is left for the engine to refuse.
    let modules = policy.entry("modules").or_insert_with(object);
    if let Value::Object(modules) = modules {
        for (name, text) in found.modules {
            if modules.contains_key(&name) {
                let message = format!("{at}.modules.{name}: {field} brings this module too");
                let place = source.place(&format!("{at}.modules.{name}"));
                return Err(Finding::new(place, message).into());
            }
            modules.insert(name, Value::String(text));
        }
    }
    if !found.data.is_empty()
        && let Value::Object(data) = policy.entry("data").or_insert_with(object)
        && let Err(conflict) = merge(data, found.data)
    {
        let path = format!("{at}.data.{}", conflict.join("."));
        let message = format!("{path}: {field} brings this data too");
        return Err(Finding::new(source.place(&path), message).into());
    }
    Ok(())
}

fn paths(value: &Value) -> Option<Vec<PathBuf>> {
    match value {
        Value::String(path) => Some(vec![path.into()]),
        Value::Array(paths) => paths
            .iter()
            .map(|path| path.as_str().map(PathBuf::from))
            .collect(),
        _ => None,
    }
}

fn object() -> Value {
    Value::Object(Map::new())
}

fn number(count: Option<u32>) -> usize {
    count.map_or(0, |count| usize::try_from(count).unwrap_or(0))
}
