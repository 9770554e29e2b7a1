//! What loads and is still a mistake, each with a stable name: [`Lint`] is the table, and each file
//! here is one subject. Few and certain: a lint says nothing where it would have to guess.

mod absent;
mod credentials;
mod definitions;
mod document;
mod entrypoints;
mod input;
mod negation;
mod nodes;
mod paths;
mod policy;
mod reach;
mod scope;
mod shadowed;
mod table;
mod unreachable;
mod unused;

use crate::{
    error::LoadErrors,
    nesting, parse,
    source::{Entrypoint, Module, Sources},
    steps, template,
    value::Value,
};
pub use input::Absent;
use policy::Policy;
pub use table::{Lint, Severity};

/// One thing found in a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The module's path.
    pub file: String,
    /// From 1; 0 where the finding is about the policy as a whole.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// How many characters of the line it is about.
    pub width: u32,
    /// What kind of finding it is.
    pub lint: Lint,
    /// The lint's own, or a milder one.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// What is known of the world that a policy is for.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The rules that are asked; empty where nobody knows.
    pub entrypoints: &'a [Entrypoint],
    /// The JSON Schema of `input`.
    pub schema: &'a serde_json::Value,
    /// What of the schema is not there this time.
    pub absent: &'a [Absent],
    /// The sources as they were loaded, with these entrypoints.
    pub loaded: Option<&'a crate::Policy>,
    /// The base data.
    pub data: &'a Value,
}

/// Everything that is found in sources that load, in the order of the modules and their lines.
///
/// # Errors
/// Where the sources do not even parse.
pub fn lint(sources: &Sources, world: &World<'_>) -> Result<Vec<Finding>, LoadErrors> {
    let mut modules = Vec::new();
    for module in &sources.modules {
        modules.push(template::module(module.clone())?);
    }
    if let Some(error) = modules.iter().find_map(nesting::check) {
        return Err(error.into());
    }
    let mut engine = steps::finish(parse::parse(&modules, sources.version))?;
    let policy = Policy::new(engine.get_modules(), &sources.modules, world);
    let mut findings = Vec::new();
    for look in [
        unused::look,
        unreachable::look,
        shadowed::look,
        entrypoints::look,
        input::look,
        credentials::look,
        paths::look,
        negation::look,
        absent::look,
    ] {
        look(&policy, &mut findings);
    }
    for finding in &mut findings {
        as_written(finding, &sources.modules, &modules);
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// A rule to load sources by of which nobody says what is asked: what only compiling finds wrong is
/// found by any.
pub fn some_entrypoint(sources: &Sources) -> Option<Entrypoint> {
    let modules: Result<Vec<Module>, _> = sources
        .modules
        .iter()
        .cloned()
        .map(template::module)
        .collect();
    let modules = modules.ok()?;
    if modules
        .iter()
        .any(|module| nesting::check(module).is_some())
    {
        return None;
    }
    let mut engine = steps::finish(parse::parse(&modules, sources.version)).ok()?;
    definitions::Definitions::of(engine.get_modules())
        .paths()
        .find_map(|path| Entrypoint::parse(&path.join("/")).ok())
}

/// Template strings are longer for regorus than they are written: behind one, a column is the
/// template's.
fn as_written(finding: &mut Finding, written: &[Module], read: &[Module]) {
    let line = |modules: &[Module]| {
        let module = modules.iter().find(|module| module.path == finding.file)?;
        let index = usize::try_from(finding.line).ok()?.checked_sub(1)?;
        module.text.lines().nth(index).map(str::to_owned)
    };
    let (Some(own), Some(changed)) = (line(written), line(read)) else {
        return;
    };
    if own == changed {
        return;
    }
    let same = own
        .chars()
        .zip(changed.chars())
        .take_while(|(own, changed)| own == changed)
        .count();
    let first = u32::try_from(same).unwrap_or(u32::MAX).saturating_add(1);
    if finding.column >= first {
        (finding.column, finding.width) = (first, 1);
    } else {
        finding.width = finding.width.min(first.saturating_sub(finding.column));
    }
}
