//! The policy that a configuration holds.

use crate::failure::{Failure, Problem};
use portcullis_engine::words::DEFAULT_ENTRYPOINT;
use portcullis_gatefile::{GateFile, policy_sources};
use portcullis_rego::{LoadError, LoadErrors, Sources, value};
use serde_json::Value;
use std::path::Path;

/// The modules and data of `policy`, as the engine takes them.
pub fn sources(file: &GateFile) -> Result<Sources, Failure> {
    policy_sources(&file.document).map_err(|_| unusable())
}

/// The rule that is asked where a route names no other: `data.envoy.authz.allow`.
pub fn entrypoint(file: &GateFile) -> String {
    let policy = file.document.get("policy");
    let entrypoint = policy.and_then(|policy| policy.get("entrypoint")?.as_str());
    rule(entrypoint.unwrap_or(DEFAULT_ENTRYPOINT))
}

/// `data.a.b` of `a/b`, or of itself.
pub fn rule(path: &str) -> String {
    match path.strip_prefix("data.") {
        Some(_) => path.to_owned(),
        None => format!("data.{}", path.replace('/', ".")),
    }
}

pub fn rego_value(json: &Value) -> Result<value::Value, Failure> {
    value::from_json(json).map_err(|_| unusable())
}

fn unusable() -> Failure {
    Failure::new("the document cannot be used: it is nested too deep, or has too large a number")
}

/// What is wrong with a policy, by the paths of its files.
pub fn refused(errors: LoadErrors, base: &Path) -> Failure {
    let errors = errors.into_iter();
    Failure(errors.map(|error| problem(error, base)).collect())
}

pub fn problem(error: LoadError, base: &Path) -> Problem {
    let file = match error.file.as_str() {
        "" => String::new(),
        file => base.join(file).display().to_string(),
    };
    Problem {
        hint: error.hint.clone(),
        message: LoadError {
            file,
            hint: None,
            ..error
        }
        .to_string(),
    }
}
