//! The policy that a configuration holds, or that is named beside it.

use crate::{
    bundle::opened::Opened,
    failure::{Failure, Problem},
};
use portcullis_engine::words::DEFAULT_ENTRYPOINT;
use portcullis_gatefile::{GateFile, Policies, Tests, policy_sources, sources_of};
use portcullis_rego::{LoadError, LoadErrors, Module, RegoVersion, Sources, value};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One of the two policies that a configuration may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The active one.
    Policy,
    Candidate,
}

impl Which {
    /// The one that a record of a decision says it is by.
    pub fn of_record(enforced_by: Option<&str>) -> Which {
        match enforced_by {
            Some(BY_CANDIDATE) => Which::Candidate,
            _ => Which::Policy,
        }
    }

    /// As it is spoken of.
    pub fn name(self) -> &'static str {
        match self {
            Which::Policy => "policy",
            Which::Candidate => "candidate",
        }
    }

    /// The keys that lead to it.
    pub fn path(self) -> &'static str {
        match self {
            Which::Policy => "policy",
            Which::Candidate => "policy.candidate",
        }
    }

    pub fn section(self, file: &GateFile) -> Option<&Value> {
        match self {
            Which::Policy => file.document.get("policy"),
            Which::Candidate => file.document.pointer("/policy/candidate"),
        }
    }
}

/// The `enforced_by` of a record.
pub const BY_CANDIDATE: &str = "candidate";

/// The modules and data of `policy`, as the engine takes them.
pub fn sources(file: &GateFile) -> Result<Sources, Failure> {
    policy_sources(&file.document).map_err(|_| unusable())
}

/// What a configuration says of the bundle that one of its policies comes with.
pub fn bundle(file: &GateFile, which: Which) -> Option<&Value> {
    which.section(file)?.get("bundle")
}

/// Those of one of the policies, where there are any: a bundle's come later, and from elsewhere.
pub fn own_sources(file: &GateFile, which: Which) -> Result<Option<Sources>, Failure> {
    let sources = which.section(file).map(sources_of).transpose();
    let sources = sources.map_err(|_| unusable())?;
    Ok(sources.filter(|sources| !sources.modules.is_empty()))
}

/// The same, where nothing can be said without.
pub fn needed_sources(file: &GateFile, which: Which) -> Result<Sources, Failure> {
    own_sources(file, which)?.ok_or_else(|| {
        let name = which.name();
        match bundle(file, which).is_some() {
            true => Failure::new(format!(
                "the {name} of this configuration comes with a bundle"
            ))
            .hint("name the bundle: --policy authz.tar.gz"),
            false => Failure::new(format!("this configuration has no {name}"))
                .hint("name one: --policy PATH"),
        }
    })
}

/// The Rego that one of the policies is written in.
pub fn version(file: &GateFile, which: Which) -> RegoVersion {
    let section = which.section(file);
    let version = section.and_then(|section| section.get("rego_version")?.as_u64());
    match version {
        Some(0) => RegoVersion::V0,
        _ => RegoVersion::V1,
    }
}

/// Those of files and folders, or of a bundle.
pub fn of_paths(paths: &[PathBuf], version: RegoVersion) -> Result<Sources, Failure> {
    if let Some(bundle) = paths.iter().find(|path| is_bundle(path)) {
        if paths.len() > 1 {
            return Err(
                Failure::new(format!("{}: a bundle is all of a policy", bundle.display()))
                    .hint("name it alone"),
            );
        }
        let (modules, data) = Opened::read(bundle)?.snapshot().ok_or_else(|| {
            Failure::new(format!("{}: this bundle is a delta", bundle.display()))
                .hint("only a whole one is a policy")
        })?;
        return Ok(Sources {
            modules,
            data,
            version,
        });
    }
    let policies = Policies::read(Path::new(""), paths, Tests::Skip)?;
    if policies.modules.is_empty() {
        let shown: Vec<String> = paths.iter().map(|it| it.display().to_string()).collect();
        return Err(Failure::new(format!(
            "{}: there is no .rego file in it",
            shown.join(", ")
        ))
        .hint(format!(
            "a policy has a rule such as `{DEFAULT_ENTRYPOINT}`"
        )));
    }
    let modules = policies.modules.into_iter();
    Ok(Sources {
        modules: modules
            .map(|(path, text)| Module::new(path, text))
            .collect(),
        data: rego_value(&Value::Object(policies.data))?,
        version,
    })
}

/// An archive, or a folder that is laid out as a bundle.
fn is_bundle(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let is_archive = name.ends_with(".tar.gz") || name.ends_with(".tgz");
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => path.join(".manifest").is_file(),
        Ok(_) => is_archive,
        Err(_) => false,
    }
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
