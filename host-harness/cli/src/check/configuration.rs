//! A configuration with the policy that it loads.

use super::{bundle, facts, finding::Finding, routes, upstream};
use crate::{failure::Failure, secrets};
use portcullis_engine::{LoadError, LoadErrors, words::DEFAULT_ENTRYPOINT};
use portcullis_gatefile::{CANDIDATE, GateFile, Place, policy_sources, sources_of};
use portcullis_rego::{
    Entrypoint, LoadError as RegoError, Policy,
    tools::lint::{self, World},
};
use serde_json::Value;
use std::path::Path;

/// Everything found in a configuration.
///
/// # Errors
/// Where it is not there.
pub fn check(file: &Path) -> Result<Vec<Finding>, Failure> {
    std::fs::File::open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(format!("{}: no such file or folder", file.display()))
        }
        _ => Failure::io(file.display(), &error),
    })?;
    let gate = match GateFile::read(file) {
        Ok(gate) => gate,
        Err(findings) => return Ok(findings.into_iter().map(Finding::load).collect()),
    };
    if let Err(findings) = gate.gate(&secrets::OrPlaceholder) {
        return Ok(findings.into_iter().map(Finding::load).collect());
    }
    let mut findings = routes::check(&gate);
    findings.extend(upstream::check(&gate));
    findings.extend(bundle::check(&gate));
    let asked = entrypoints(&gate.document);
    findings.extend(policy(&gate, None, &asked));
    if let Some(candidate) = gate.document.pointer("/policy/candidate") {
        let asked = of_candidate(candidate, &asked);
        findings.extend(policy(&gate, Some(candidate), &asked));
    }
    Ok(findings)
}

/// Of a policy that the gate took, or of its candidate; so nothing here fails.
fn policy(gate: &GateFile, candidate: Option<&Value>, asked: &[Entrypoint]) -> Vec<Finding> {
    let sources = match candidate {
        None => policy_sources(&gate.document),
        Some(candidate) => sources_of(candidate),
    };
    let Ok(sources) = sources else {
        return Vec::new();
    };
    let loaded = Policy::load(sources.clone(), asked).ok();
    let world = World {
        entrypoints: asked,
        schema: &facts::schema_of(&gate.document),
        absent: &facts::absent(&gate.document),
        loaded: loaded.as_ref(),
        data: &sources.data,
    };
    let found = lint::lint(&sources, &world).unwrap_or_default();
    let of_candidate = candidate.is_some();
    let shown = |found| shown(gate, of_candidate, found);
    found.into_iter().map(shown).collect()
}

/// In the module's own file, or in the configuration, where it stands there.
fn shown(gate: &GateFile, of_candidate: bool, mut found: lint::Finding) -> Finding {
    let error = RegoError {
        file: found.file.clone(),
        line: (found.line > 0).then_some(found.line),
        column: (found.column > 0).then_some(found.column),
        message: found.message.clone(),
        hint: None,
    };
    let errors = LoadErrors::from(LoadError::Rego(error));
    let located = match of_candidate {
        false => gate.locate(&errors),
        true => gate.locate_in(CANDIDATE, &errors),
    };
    let Some(first) = located.into_iter().next() else {
        return Finding::lint(found, Place::file(gate.base()), false);
    };
    // A place that had to be told in words is the configuration's own.
    let shows_line = found.line > 0 && first.message == found.message;
    found.message = first.message;
    Finding::lint(found, first.place, shows_line)
}

/// The default, and what routes ask instead of it.
fn entrypoints(document: &Value) -> Vec<Entrypoint> {
    let of = |value: &Value| {
        let text = value.pointer("/policy/entrypoint").and_then(Value::as_str);
        text.and_then(|text| Entrypoint::parse(text).ok())
    };
    let own = of(document).or_else(|| Entrypoint::parse(DEFAULT_ENTRYPOINT).ok());
    let routes = document.get("routes").and_then(Value::as_array);
    let mut entrypoints: Vec<Entrypoint> = Vec::new();
    for entrypoint in own
        .into_iter()
        .chain(routes.into_iter().flatten().filter_map(of))
    {
        if !entrypoints.contains(&entrypoint) {
            entrypoints.push(entrypoint);
        }
    }
    entrypoints
}

/// What a candidate is asked: its own rule in the place of the first.
fn of_candidate(candidate: &Value, asked: &[Entrypoint]) -> Vec<Entrypoint> {
    let own = candidate.get("entrypoint").and_then(Value::as_str);
    let own = own.and_then(|text| Entrypoint::parse(text).ok());
    let first = own.or_else(|| asked.first().cloned());
    first
        .into_iter()
        .chain(asked.iter().skip(1).cloned())
        .collect()
}
