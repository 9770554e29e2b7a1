//! Questions about parts of a policy: each is a rule of its own at the end of the file that it is
//! about, so that it sees what the file sees. The evaluation is the policy's own.

use std::{collections::HashMap, fmt::Write as _};

use super::outline::{Branch, Definition, ModuleOutline};
use crate::{
    error::{self, EvalError, LoadError, LoadErrors},
    interpreter::{Ready, eval_error},
    load::prepare_plain,
    policy::Moment,
    source::{Entrypoint, Module, Sources},
    value::{self, Value},
};

/// What is asked about a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether so many of its conditions hold together.
    Hold(usize),
    /// The values of a text where so many hold.
    Value(usize, String),
}

/// Which branch of the policy: module, definition and branch, by their places in the outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    pub module: usize,
    pub definition: usize,
    pub branch: usize,
}

pub(super) struct Probes {
    ready: Ready,
    /// The policy without questions.
    plain: Ready,
    asked: Vec<Probe>,
    /// The questions about a branch.
    of_branch: HashMap<At, Vec<usize>>,
    prefix: String,
}

struct Probe {
    at: At,
    ask: Ask,
    /// Lines of the module's text.
    first: u32,
    last: u32,
    /// Why it cannot be asked.
    refused: Option<String>,
}

/// A probe is left out for each round.
const MAX_ROUNDS: usize = 256;

impl Probes {
    /// # Errors
    /// Where the policy itself does not load.
    pub fn new(sources: &Sources, outline: &[ModuleOutline]) -> Result<Probes, LoadErrors> {
        let prefix = unused(outline);
        let mut asked = questions(outline);
        let mut rounds = 0;
        let ready = loop {
            let modules = written(outline, &mut asked, &prefix);
            let sources = Sources {
                modules,
                ..sources.clone()
            };
            match started(sources) {
                Ok(ready) => break ready,
                // A part may be unsafe by itself: Rego puts conditions in an order of its own.
                Err(errors) => {
                    rounds += 1;
                    if rounds > MAX_ROUNDS || !refuse(&mut asked, outline, &errors) {
                        return Err(errors);
                    }
                }
            }
        };
        let mut of_branch: HashMap<At, Vec<usize>> = HashMap::new();
        for (index, probe) in asked.iter().enumerate() {
            of_branch.entry(probe.at).or_default().push(index);
        }
        let modules = written(outline, &mut [], &prefix);
        let plain = started(Sources {
            modules,
            ..sources.clone()
        })?;
        Ok(Probes {
            ready,
            plain,
            asked,
            of_branch,
            prefix,
        })
    }

    /// A value without the questions, which stand in the packages that they are about.
    pub fn without(&self, value: &Value) -> serde_json::Value {
        let mut json = value::to_json(value);
        self.forget(&mut json);
        json
    }

    fn forget(&self, json: &mut serde_json::Value) {
        match json {
            serde_json::Value::Array(items) => items.iter_mut().for_each(|it| self.forget(it)),
            serde_json::Value::Object(members) => {
                members.retain(|key, _| !key.starts_with(&self.prefix));
                members.values_mut().for_each(|it| self.forget(it));
            }
            _ => {}
        }
    }

    /// The value of a rule without any question beside it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn plain(
        &mut self,
        rule: &str,
        input: &Value,
        moment: &Moment,
    ) -> Result<Option<Value>, String> {
        self.plain.set(input.clone(), moment);
        let value = self
            .plain
            .engine
            .eval_rule(rule.to_owned())
            .map_err(|failed| told(&failed))?;
        Ok((value != Value::Undefined).then_some(value))
    }

    pub fn set(&mut self, input: Value, moment: &Moment) {
        self.ready.set(input, moment);
    }

    /// What is found: a value for each way in which the conditions hold.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask(
        &mut self,
        outline: &[ModuleOutline],
        at: At,
        ask: &Ask,
        arguments: &[String],
        with: &[(String, String)],
    ) -> Result<Vec<Value>, String> {
        let found = self.of_branch.get(&at).into_iter().flatten();
        let mut found = found.filter_map(|index| Some((index, self.asked.get(*index)?)));
        let found = found.find(|(_, probe)| probe.ask == *ask);
        let Some((index, probe)) = found else {
            return Err("it is not asked".to_owned());
        };
        if let Some(why) = &probe.refused {
            return Err(why.clone());
        }
        let module = outline.get(at.module);
        if let Some(module) = module
            && arguments.is_empty()
            && with.is_empty()
        {
            // No query of its own is compiled then.
            let rule = format!("{}.{}{index}", module.package, self.prefix);
            if let Ok(rule) = Entrypoint::parse(&rule) {
                let found = self.ready.engine.eval_rule(rule.to_string());
                return found.map(items).map_err(|failed| told(&failed));
            }
        }
        let package = module.map_or("data", |module| &module.reference);
        let mut query = format!("{package}.{}{index}", self.prefix);
        if !arguments.is_empty() {
            query = format!("{query}({})", arguments.join(", "));
        }
        Ok(items(self.value(&query, with)?.unwrap_or(Value::Undefined)))
    }

    /// A value by its path, such as `data.a.b`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn value(
        &mut self,
        query: &str,
        with: &[(String, String)],
    ) -> Result<Option<Value>, String> {
        let mut query = format!("{}value := {query}", self.prefix);
        for (target, value) in with {
            let _ = write!(query, " with {target} as {value}");
        }
        let name = Value::from(format!("{}value", self.prefix));
        let results =
            self.ready
                .engine
                .eval_query(query, false)
                .map_err(|failed| match eval_error(&failed, error::one_line) {
                    EvalError::Budget => "it takes more than the budget".to_owned(),
                    other => other.to_string(),
                })?;
        let row = results.result.into_iter().next();
        Ok(row.and_then(|row| match row.bindings {
            Value::Object(bindings) => bindings.get(&name).cloned(),
            _ => None,
        }))
    }
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Why there is no answer, in a line.
fn told<E>(failed: &E) -> String
where
    E: std::fmt::Display + AsRef<dyn std::error::Error + Send + Sync>,
{
    match eval_error(failed, error::one_line) {
        EvalError::Budget => "it takes more than the budget".to_owned(),
        other => other.to_string(),
    }
}

/// What no name in the policy begins with.
fn unused(outline: &[ModuleOutline]) -> String {
    let mut prefix = "explained_".to_owned();
    while outline.iter().any(|module| module.text.contains(&prefix)) {
        prefix.push('x');
    }
    prefix
}

fn questions(outline: &[ModuleOutline]) -> Vec<Probe> {
    let mut asked = Vec::new();
    for (module, file) in outline.iter().enumerate() {
        for (definition, written) in file.definitions.iter().enumerate() {
            for (branch, body) in written.branches.iter().enumerate() {
                let at = At {
                    module,
                    definition,
                    branch,
                };
                of_branch(body, |ask| {
                    asked.push(Probe {
                        at,
                        ask,
                        first: 0,
                        last: 0,
                        refused: None,
                    });
                });
            }
        }
    }
    asked
}

fn of_branch(branch: &Branch, mut ask: impl FnMut(Ask)) {
    for (before, condition) in branch.conditions.iter().enumerate() {
        ask(Ask::Hold(before.saturating_add(1)));
        for (_, asked) in condition.asked() {
            ask(Ask::Value(before, asked));
        }
        for (_, arguments) in &condition.calls {
            ask(Ask::Value(before, listed(arguments)));
        }
        for (_, value) in &condition.with {
            ask(Ask::Value(before, value.clone()));
        }
    }
    let all = branch.conditions.len();
    ask(Ask::Hold(0));
    ask(Ask::Value(
        all,
        branch.value.clone().unwrap_or_else(|| "true".to_owned()),
    ));
}

/// The arguments of a call, as one value.
pub(super) fn listed(arguments: &[String]) -> String {
    format!("[{}]", arguments.join(", "))
}

/// The modules with a rule for each question at their ends.
fn written(outline: &[ModuleOutline], asked: &mut [Probe], prefix: &str) -> Vec<Module> {
    let mut texts: Vec<String> = outline
        .iter()
        .map(|module| format!("{}\n", module.text))
        .collect();
    for (index, probe) in asked.iter_mut().enumerate() {
        let Some((definition, branch)) = branch_at(outline, probe.at) else {
            continue;
        };
        let Some(text) = texts.get_mut(probe.at.module) else {
            continue;
        };
        if probe.refused.is_some() {
            continue;
        }
        let lines = |text: &str| {
            let lines = text.matches('\n').count().saturating_add(1);
            u32::try_from(lines).unwrap_or(u32::MAX)
        };
        probe.first = lines(text);
        text.push_str(&question(
            &format!("{prefix}{index}"),
            prefix,
            definition,
            branch,
            &probe.ask,
        ));
        probe.last = lines(text);
        text.push('\n');
    }
    outline
        .iter()
        .zip(texts)
        .map(|(module, text)| Module {
            path: module.path.clone(),
            text,
            version: module.version,
        })
        .collect()
}

fn question(
    name: &str,
    prefix: &str,
    definition: &Definition,
    branch: &Branch,
    ask: &Ask,
) -> String {
    let arguments = if definition.arguments.is_empty() {
        String::new()
    } else {
        format!("({})", definition.arguments.join(", "))
    };
    let (count, value) = match ask {
        Ask::Hold(count) => (*count, None),
        Ask::Value(count, value) => (*count, Some(value)),
    };
    let mut body: Vec<String> = branch
        .conditions
        .iter()
        .take(count)
        .map(|condition| condition.text.clone())
        .collect();
    let term = match value {
        None if body.is_empty() => {
            body.push("true".to_owned());
            "true".to_owned()
        }
        None => "true".to_owned(),
        Some(value) => {
            let term = format!("{prefix}part");
            body.push(format!("{term} := {value}"));
            term
        }
    };
    format!("{name}{arguments} := [{term} |\n{}\n]", body.join("\n"))
}

pub(super) fn branch_at(outline: &[ModuleOutline], at: At) -> Option<(&Definition, &Branch)> {
    let definition = outline.get(at.module)?.definitions.get(at.definition)?;
    Some((definition, definition.branches.get(at.branch)?))
}

/// Loads, and lets every rule be looked at.
fn started(sources: Sources) -> Result<Ready, LoadErrors> {
    let engine = prepare_plain(sources, &[], &mut None)?.engine;
    let mut ready = Ready::new(engine)
        .map_err(|error| LoadErrors::from(LoadError::new("", error.to_string())))?;
    ready.set(Value::Undefined, &FREE);
    ready
        .engine
        .eval_query("true".to_owned(), false)
        .map_err(|error| LoadErrors::from(error::from_regorus("", &error.to_string())))?;
    Ok(ready)
}

const FREE: Moment = Moment {
    now_ns: 0,
    instructions: u32::MAX,
    strict_builtin_errors: false,
};

/// Leaves out what an error names; whether there was anything.
fn refuse(asked: &mut [Probe], outline: &[ModuleOutline], errors: &LoadErrors) -> bool {
    let mut any = false;
    for error in errors.iter() {
        let line = error.line.unwrap_or_default();
        for probe in asked.iter_mut() {
            let is_there = outline
                .get(probe.at.module)
                .is_some_and(|module| module.path == error.file);
            if is_there && probe.refused.is_none() && (probe.first..=probe.last).contains(&line) {
                probe.refused = Some(error.message.clone());
                any = true;
            }
        }
    }
    any
}
