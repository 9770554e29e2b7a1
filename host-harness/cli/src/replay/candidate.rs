//! The policy that a log is held against.

use crate::{
    explain::mask_of,
    failure::Failure,
    policy::{self, Which},
    secrets,
};
use portcullis_engine::{Gate, Judge, Mask, Reason};
use portcullis_gatefile::GateFile;
use portcullis_rego::{Entrypoint, EvalError, Moment, Policy, Reach, RegoVersion, Sources, Value};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// As many rules of a log are decided again: each is compiled.
const MAX_RULES: usize = 64;
/// As many names of rules are looked at, whether there is such a rule or not.
const MAX_NAMES: usize = 1024;

pub struct Candidate {
    pub sources: Sources,
    /// What the modules' paths are relative to.
    pub base: PathBuf,
    /// What is shown of where it is from.
    pub name: String,
    /// Which of a configuration's policies it is.
    pub which: Option<Which>,
    /// The policy without any rule to ask.
    whole: Policy,
    judge: Judge,
    gate: Option<Gate>,
    /// The rule that is asked whatever was logged.
    only: Option<Arc<Rule>>,
    /// A rule that was logged, and the one that is asked in its place.
    renamed: Option<(String, String)>,
    rules: Mutex<BTreeMap<String, Option<Arc<Rule>>>>,
}

/// A rule that events are decided by.
pub struct Rule {
    /// `data.envoy.authz.allow`
    pub name: String,
    /// None where the policy has no such rule.
    asked: Option<(Entrypoint, Policy)>,
}

/// What the policy says now.
pub struct New {
    pub reason: Reason,
    /// Of an evaluation that went wrong: where, and the kind of it.
    pub detail: Option<String>,
}

impl Candidate {
    /// Of files, folders and bundles, else of a configuration; what a request may use up is the
    /// configuration's, too.
    pub fn read(
        paths: &[PathBuf],
        config: Option<&Path>,
        entrypoint: Option<&str>,
        version: RegoVersion,
    ) -> Result<Candidate, Failure> {
        let file = config.map(GateFile::read).transpose()?;
        let gate = file
            .as_ref()
            .map(|file| file.gate(&secrets::OrPlaceholder))
            .transpose()?;
        let name = |paths: &[PathBuf]| {
            let shown = paths.iter().map(|path| path.display().to_string());
            shown.collect::<Vec<_>>().join(", ")
        };
        let mut judge = gate.as_ref().map(Gate::judge).unwrap_or_default();
        let mut renamed = None;
        let (sources, base, name, which) = match (&file, config) {
            (Some(file), Some(config)) if paths.is_empty() => {
                // The one that is tried, where there is one: that is what it is there for.
                let tried = Which::Candidate.section(file);
                if let Some(tried) = tried {
                    judge = judge.within(instructions(tried));
                    renamed = self::renamed(file, tried);
                }
                let which = tried.map_or(Which::Policy, |_| Which::Candidate);
                (
                    policy::needed_sources(file, which)?,
                    file.base().to_owned(),
                    config.display().to_string(),
                    Some(which),
                )
            }
            _ => {
                let sources = policy::of_paths(paths, version)?;
                (sources, PathBuf::new(), name(paths), None)
            }
        };
        let refused = |errors| policy::refused(errors, &base);
        let whole = Policy::load(sources.clone(), &[]).map_err(refused)?;
        let only = |text: &str| -> Result<Arc<Rule>, Failure> {
            let asked = Entrypoint::parse(text)
                .map_err(|error| Failure::new(format!("--entrypoint: {error}")))?;
            let policy =
                Policy::load(sources.clone(), std::slice::from_ref(&asked)).map_err(refused)?;
            Ok(Arc::new(Rule {
                name: asked.to_string(),
                asked: Some((asked, policy)),
            }))
        };
        let only = entrypoint.map(only).transpose()?;
        Ok(Candidate {
            judge,
            sources,
            base,
            name,
            which,
            whole,
            gate,
            only,
            renamed,
            rules: Mutex::default(),
        })
    }

    /// What of an input can make a difference.
    pub fn reach(&self) -> &Reach {
        self.whole.reach()
    }

    /// What is not to be shown of this input.
    pub fn mask(&self, input: &Json) -> Mask {
        mask_of(self.gate.as_ref(), input)
    }

    /// The rule of an event; none of an event that names none, or one too many.
    pub fn rule(&self, logged: Option<&str>) -> Option<Arc<Rule>> {
        if let Some(only) = &self.only {
            return Some(Arc::clone(only));
        }
        let logged = match (&self.renamed, logged?) {
            (Some((from, to)), logged) if policy::rule(logged) == *from => to,
            (_, logged) => logged,
        };
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rules.get(logged) {
            return known.clone();
        }
        // Whoever has a rule asked that there is not takes no other's place.
        let found = rules.values().flatten().filter(|rule| rule.asked.is_some());
        let is_full = found.count() >= MAX_RULES || rules.len() >= MAX_NAMES;
        let rule = match Entrypoint::parse(logged).ok() {
            None => None,
            Some(asked) if !self.may_have(&asked) && rules.len() >= MAX_RULES => {
                return Some(Arc::new(Rule {
                    name: asked.to_string(),
                    asked: None,
                }));
            }
            Some(_) if is_full => return None,
            Some(asked) => {
                let name = asked.to_string();
                let known = rules.values().flatten().find(|rule| rule.name == name);
                match known {
                    Some(known) => Some(Arc::clone(known)),
                    None => Some(Arc::new(self.compiled(name, asked))),
                }
            }
        };
        if rule.is_none() && rules.len() >= MAX_RULES {
            return None;
        }
        rules.insert(logged.to_owned(), rule.clone());
        rule
    }

    fn compiled(&self, name: String, asked: Entrypoint) -> Rule {
        // The rest of it has loaded: what is wrong is that there is no such rule.
        let load = || Policy::load(self.sources.clone(), std::slice::from_ref(&asked)).ok();
        let policy = self.may_have(&asked).then(load).flatten();
        Rule {
            name,
            asked: policy.map(|policy| (asked, policy)),
        }
    }

    /// Whether a package of the policy is one that the rule could be in.
    fn may_have(&self, asked: &Entrypoint) -> bool {
        let path: Vec<&str> = asked.as_str().split('.').skip(1).collect();
        let mut packages = self.whole.packages().iter();
        packages.any(|package| {
            package.path.len() < path.len() && package.path.iter().zip(&path).all(|(a, b)| a == b)
        })
    }

    /// The rules that were logged and are not in the policy.
    pub fn absent(&self) -> Vec<String> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut absent: Vec<String> = rules
            .values()
            .flatten()
            .filter(|rule| rule.asked.is_none())
            .map(|rule| rule.name.clone())
            .collect();
        absent.sort();
        absent.dedup();
        absent
    }

    pub fn moment(&self, now_ns: u64) -> Moment {
        Moment {
            now_ns,
            instructions: self.judge.instructions(),
            strict_builtin_errors: false,
        }
    }

    /// Total, as the gate is: what goes wrong is a refusal.
    pub fn decide(&self, rule: &Rule, input: Value, now_ns: u64) -> New {
        let result = match &rule.asked {
            None => Ok(None),
            Some((entrypoint, policy)) => {
                let evaluated = || policy.evaluate(entrypoint, input, &self.moment(now_ns));
                // A panic is told by its hook on stderr, and ends here.
                catch_unwind(AssertUnwindSafe(evaluated))
                    .unwrap_or_else(|_| Err(EvalError::Failed("the evaluator failed".to_owned())))
            }
        };
        let detail = match &result {
            Err(EvalError::Failed(what)) => Some(what.clone()),
            _ => None,
        };
        New {
            reason: self.judge.reason(result),
            detail,
        }
    }
}

/// What the one that is tried may use up: the other's budget is not its own.
fn instructions(tried: &Json) -> u32 {
    tried
        .pointer("/budget/instructions")
        .and_then(Json::as_u64)
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(Judge::default().instructions())
}

/// The rule of the one that is tried, where it has another.
fn renamed(file: &GateFile, tried: &Json) -> Option<(String, String)> {
    let to = policy::rule(tried.get("entrypoint")?.as_str()?);
    let from = policy::entrypoint(file);
    (from != to).then_some((from, to))
}
