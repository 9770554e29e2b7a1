//! Rego and data without a configuration, tests too.

use super::{facts, finding::Finding};
use crate::failure::Failure;
use portcullis_gatefile::{Document, Finding as LoadFinding, Place, Policies, Tests};
use portcullis_rego::{
    Entrypoint, LoadErrors, Module, Policy, RegoVersion, Sources,
    tools::lint::{self, World},
    value,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Everything found in files and folders.
///
/// # Errors
/// Where one of them is not there, or is a configuration.
pub fn check(
    paths: &[PathBuf],
    entrypoints: &[Entrypoint],
    version: RegoVersion,
) -> Result<Vec<Finding>, Failure> {
    for path in paths {
        std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Failure::new(format!("{}: no such file or folder", path.display()))
            }
            _ => Failure::io(path.display(), &error),
        })?;
        refuse_configuration(path)?;
    }
    let policies = match Policies::read(Path::new(""), paths, Tests::Read) {
        Ok(policies) => policies,
        Err(findings) => return Ok(findings.into_iter().map(Finding::load).collect()),
    };
    let Ok(data) = value::from_json(&Value::Object(policies.data)) else {
        let message = "the data cannot be used: it is nested too deep, or has too large a number";
        let finding = LoadFinding::new(place("data", 0, 0, paths), message);
        return Ok(vec![Finding::load(finding)]);
    };
    let modules = policies.modules.into_iter();
    let sources = Sources {
        modules: modules
            .map(|(path, text)| Module::new(path, text))
            .collect(),
        data,
        version,
    };
    Ok(match found(&sources, entrypoints) {
        Ok(findings) => findings.into_iter().map(|it| shown(it, paths)).collect(),
        Err(errors) => errors
            .into_iter()
            .map(|error| Finding::load(placed(error, paths)))
            .collect(),
    })
}

fn found(sources: &Sources, entrypoints: &[Entrypoint]) -> Result<Vec<lint::Finding>, LoadErrors> {
    // A module that compiles for one rule does for all.
    let some: Vec<Entrypoint> = match entrypoints {
        [] => lint::some_entrypoint(sources).into_iter().collect(),
        known => known.to_vec(),
    };
    let policy = Policy::load(sources.clone(), &some)?;
    lint::lint(
        sources,
        &World {
            entrypoints,
            schema: &facts::schema(),
            absent: &facts::never(),
            loaded: Some(&policy),
            data: &sources.data,
        },
    )
}

/// `check gate.yaml` would take it for data, and find nothing wrong with it.
fn refuse_configuration(path: &Path) -> Result<(), Failure> {
    let kind = path.extension().and_then(|extension| extension.to_str());
    let is_document = matches!(kind, Some("yaml" | "yml" | "json")) && path.is_file();
    let document = is_document.then(|| Document::read(path).ok()).flatten();
    let is_gate = document.is_some_and(|document| {
        let policy = document.value.get("policy");
        policy.is_some_and(|policy| {
            ["path", "modules"]
                .iter()
                .any(|it| policy.get(it).is_some())
        })
    });
    match is_gate {
        true => Err(
            Failure::new(format!("{}: this is a configuration", path.display()))
                .hint(format!("say `--config {}`", path.display())),
        ),
        false => Ok(()),
    }
}

fn shown(found: lint::Finding, paths: &[PathBuf]) -> Finding {
    let place = place(&found.file, found.line, found.column, paths);
    Finding::lint(found, place, true)
}

fn placed(error: portcullis_rego::LoadError, paths: &[PathBuf]) -> LoadFinding {
    LoadFinding {
        place: place(
            &error.file,
            error.line.unwrap_or_default(),
            error.column.unwrap_or_default(),
            paths,
        ),
        message: error.message,
        hint: error.hint,
    }
}

/// What is about the policy or the data as a whole stands where they come from.
fn place(file: &str, line: u32, column: u32, paths: &[PathBuf]) -> Place {
    Place {
        file: match file {
            "" | "data" => paths.first().cloned().unwrap_or_default(),
            file => PathBuf::from(file),
        },
        line: usize::try_from(line).unwrap_or_default(),
        column: usize::try_from(column).unwrap_or_default(),
    }
}
