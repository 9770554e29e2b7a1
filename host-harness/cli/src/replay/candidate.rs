//! The policy that a log is held against.

use crate::{
    bundle::opened::Opened,
    explain::mask_of,
    failure::Failure,
    policy::{self, rego_value},
    secrets,
};
use portcullis_engine::{Gate, Judge, Mask, Reason, words::DEFAULT_ENTRYPOINT};
use portcullis_gatefile::{GateFile, Policies, Tests, sources_of};
use portcullis_rego::{
    Entrypoint, EvalError, Module, Moment, Policy, Reach, RegoVersion, Sources, Value,
};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    fs,
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
        let (sources, base, name) = match (&file, config) {
            (Some(file), Some(config)) if paths.is_empty() => {
                let tried = file.document.pointer("/policy/candidate");
                if let Some(tried) = tried {
                    judge = judge.within(instructions(tried));
                    renamed = self::renamed(file, tried);
                }
                let section = tried.or_else(|| file.document.get("policy"));
                (
                    of_section(section.unwrap_or(&Json::Null))?,
                    file.base().to_owned(),
                    config.display().to_string(),
                )
            }
            _ => (of_paths(paths, version)?, PathBuf::new(), name(paths)),
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

/// Of `policy`, or of `policy.candidate`: the one that is tried.
fn of_section(section: &Json) -> Result<Sources, Failure> {
    let sources =
        sources_of(section).map_err(|error| Failure::new(format!("the policy's data: {error}")))?;
    match sources.modules.is_empty() {
        true => Err(
            Failure::new("the policy of this configuration comes with a bundle")
                .hint("name the bundle: --policy authz.tar.gz"),
        ),
        false => Ok(sources),
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

fn of_paths(paths: &[PathBuf], version: RegoVersion) -> Result<Sources, Failure> {
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
        data: rego_value(&Json::Object(policies.data))?,
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
