//! Why a rule has the value it has: which of its definitions were tried, the first condition of each
//! that did not hold with the values in it, and the same of the rules that it asked.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    outline::{Kind, ModuleOutline, Place, Statement, outline},
    probe::{Ask, At, Probes, branch_at, listed},
};
use crate::{
    error::LoadErrors,
    policy::Moment,
    source::Sources,
    value::{self, Value},
};

/// A rule, and what its definitions came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// `data.envoy.authz.allow`; a function's with its arguments.
    pub rule: String,
    /// None where it is undefined.
    pub value: Option<serde_json::Value>,
    /// Why there is no value, where that is not because nothing holds.
    pub error: Option<String>,
    /// In their order.
    pub attempts: Vec<Attempt>,
}

/// A body of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub file: String,
    pub place: Place,
    /// The line where it begins.
    pub text: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All its conditions hold, with these values.
    Held {
        value: Option<serde_json::Value>,
        values: Vec<Shown>,
    },
    /// The rule's default, where nothing else held.
    Default {
        value: Option<serde_json::Value>,
    },
    Failed(Condition),
    /// Something before it held.
    NotReached,
    /// And why there is nothing to say.
    Unexplained(String),
}

/// The first condition that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub place: Place,
    pub text: String,
    pub values: Vec<Shown>,
    /// The rules it asks that have no value, are false or empty; under `not`, those that have one.
    pub because: Vec<Explanation>,
}

/// A part of a condition with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub text: String,
    /// None where it is undefined.
    pub value: Option<serde_json::Value>,
    /// How many more there are, where the condition is asked for many.
    pub more: usize,
}

/// A policy that can be asked why.
pub struct Explainer {
    outline: Arc<[ModuleOutline]>,
    probes: Probes,
    /// What was explained already.
    seen: BTreeSet<String>,
}

/// What names in a text that was rewritten begin with.
const OURS: &str = "__portcullis";
/// Rules asked by rules.
const MAX_DEPTH: usize = 8;
/// More than anybody reads.
const MAX_RULES: usize = 64;
/// Of the values of a body that holds.
const MAX_SHOWN: usize = 12;

/// A rule under the replacements of those who ask it, a function with its arguments.
#[derive(Clone)]
struct Question {
    rule: String,
    arguments: Vec<String>,
    with: Vec<(String, String)>,
}

impl Explainer {
    /// # Errors
    /// Where the policy does not load.
    pub fn new(sources: &Sources) -> Result<Explainer, LoadErrors> {
        let outline = outline(&sources.modules, sources.version)?;
        let probes = Probes::new(sources, &outline)?;
        Ok(Explainer {
            outline: outline.into(),
            probes,
            seen: BTreeSet::new(),
        })
    }

    /// Why a rule, such as `data.envoy.authz.allow`, has the value it has for an input.
    pub fn explain(&mut self, rule: &str, input: Value, moment: &Moment) -> Explanation {
        let real = self.probes.plain(rule, &input, moment);
        self.probes.set(input, moment);
        self.seen.clear();
        let top = Question {
            rule: rule.to_owned(),
            arguments: Vec::new(),
            with: Vec::new(),
        };
        let mut explanation = self.rule(&top, MAX_DEPTH);
        if let Ok(value) = real
            && explanation.error.is_none()
        {
            let value = value.as_ref().map(value::to_json);
            if value != explanation.value {
                // The questions stand in the policy's own packages.
                explanation.error = Some(format!(
                    "{}, but what follows is not: the policy reads a package as a document",
                    value.map_or("undefined".to_owned(), |value| value.to_string())
                ));
            }
        }
        explanation
    }

    fn rule(&mut self, question: &Question, left: usize) -> Explanation {
        let outline = Arc::clone(&self.outline);
        let definitions = self.definitions(&question.rule);
        let (value, error) = match self.value_of(question) {
            Ok(value) => (value, None),
            Err(error) => (None, Some(error)),
        };
        let mut any_held = false;
        let mut attempts = Vec::new();
        let mut defaults = Vec::new();
        for (module, definition) in definitions {
            let Some(written) = outline.get(module) else {
                continue;
            };
            let Some(found) = written.definitions.get(definition) else {
                continue;
            };
            let mut is_decided = false;
            for (branch, body) in found.branches.iter().enumerate() {
                let at = At {
                    module,
                    definition,
                    branch,
                };
                let attempt = |outcome| Attempt {
                    file: written.path.clone(),
                    place: body.place,
                    text: written.line(body.place.line).to_owned(),
                    outcome,
                };
                if found.kind == Kind::Default {
                    defaults.push((at, attempt(Outcome::NotReached)));
                    continue;
                }
                let outcome = match body.is_else && is_decided {
                    true => Outcome::NotReached,
                    false => self.branch(at, question, left),
                };
                let held = matches!(outcome, Outcome::Held { .. });
                is_decided = is_decided || held;
                any_held = any_held || held;
                attempts.push(attempt(outcome));
            }
        }
        for (at, mut default) in defaults {
            if !any_held && value.is_some() {
                default.outcome = Outcome::Default {
                    value: self.first(at, &Ask::Value(0, self.head(at)), question),
                };
            }
            attempts.push(default);
        }
        Explanation {
            rule: question.shown(),
            value: value.as_ref().map(|value| self.probes.without(value)),
            error,
            attempts,
        }
    }

    fn branch(&mut self, at: At, question: &Question, left: usize) -> Outcome {
        let outline = Arc::clone(&self.outline);
        let Some((_, branch)) = branch_at(&outline, at) else {
            return Outcome::NotReached;
        };
        let ask = |explainer: &mut Self, ask: &Ask| {
            let (arguments, with) = (&question.arguments, &question.with);
            explainer
                .probes
                .ask(&explainer.outline, at, ask, arguments, with)
        };
        // A function that does not take these arguments.
        match ask(self, &Ask::Hold(0)) {
            Ok(values) if values.is_empty() => {
                return Outcome::Unexplained("its arguments do not fit".to_owned());
            }
            Ok(_) => {}
            Err(why) => return Outcome::Unexplained(why),
        }
        for (before, condition) in branch.conditions.iter().enumerate() {
            match ask(self, &Ask::Hold(before.saturating_add(1))) {
                Ok(values) if values.is_empty() => {
                    return Outcome::Failed(self.failed(at, before, condition, question, left));
                }
                Ok(_) => {}
                // What is unsafe by itself is asked together with what makes it safe.
                Err(_) if before.saturating_add(1) < branch.conditions.len() => {}
                Err(why) => return Outcome::Unexplained(why),
            }
        }
        let head = Ask::Value(branch.conditions.len(), self.head(at));
        let Some(value) = self.first(at, &head, question) else {
            return Outcome::Unexplained(
                "its conditions hold, but its value is undefined".to_owned(),
            );
        };
        let mut values = Vec::new();
        for (before, condition) in branch.conditions.iter().enumerate() {
            for shown in self.shown(at, before, condition, question) {
                // What is only true says nothing more.
                if shown.value != Some(true.into()) && !values.contains(&shown) {
                    values.push(shown);
                }
            }
        }
        values.truncate(MAX_SHOWN);
        Outcome::Held {
            value: Some(value),
            values,
        }
    }

    /// What the rule is where a branch holds.
    fn head(&self, at: At) -> String {
        branch_at(&self.outline, at)
            .and_then(|(_, branch)| branch.value.clone())
            .unwrap_or_else(|| "true".to_owned())
    }

    fn failed(
        &mut self,
        at: At,
        before: usize,
        condition: &Statement,
        question: &Question,
        left: usize,
    ) -> Condition {
        let values = self.shown(at, before, condition, question);
        let because = match left.checked_sub(1) {
            Some(left) => self.because(at, before, condition, question, left),
            None => Vec::new(),
        };
        // As it was before a template was written out.
        let text = match self.outline.get(at.module) {
            Some(module) if condition.text.contains(OURS) => {
                module.line(condition.place.line).to_owned()
            }
            _ => condition.text.clone(),
        };
        Condition {
            place: condition.place,
            text,
            values,
            because,
        }
    }

    /// The parts of a condition with their values.
    fn shown(
        &mut self,
        at: At,
        before: usize,
        condition: &Statement,
        question: &Question,
    ) -> Vec<Shown> {
        let mut shown = Vec::new();
        for (part, asked) in condition.asked() {
            if part.contains(OURS) {
                continue;
            }
            let Ok(found) = self.all(at, &Ask::Value(before, asked), question) else {
                continue;
            };
            shown.push(Shown {
                text: part.to_owned(),
                value: found.first().map(|value| self.probes.without(value)),
                more: found
                    .into_iter()
                    .collect::<BTreeSet<_>>()
                    .len()
                    .saturating_sub(1),
            });
        }
        shown
    }

    /// The rules and functions that a condition asks, where they are why it does not hold.
    fn because(
        &mut self,
        at: At,
        before: usize,
        condition: &Statement,
        question: &Question,
        left: usize,
    ) -> Vec<Explanation> {
        let mut with = question.with.clone();
        for (target, text) in &condition.with {
            match self.first_value(at, &Ask::Value(before, text.clone()), question) {
                Some(value) => with.push((target.clone(), literal(&value))),
                None => return Vec::new(),
            }
        }
        let mut asked: Vec<Question> = Vec::new();
        for path in &condition.uses {
            if let Some(rule) = self.rule_of(path) {
                asked.push(Question {
                    rule,
                    arguments: Vec::new(),
                    with: with.clone(),
                });
            }
        }
        for (path, arguments) in &condition.calls {
            let values = Ask::Value(before, listed(arguments));
            if let (Some(rule), Some(Value::Array(values))) =
                (self.rule_of(path), self.first_value(at, &values, question))
            {
                asked.push(Question {
                    rule,
                    arguments: values.iter().map(literal).collect(),
                    with: with.clone(),
                });
            }
        }
        let mut because = Vec::new();
        for question in asked {
            let value = self.value_of(&question).unwrap_or_default();
            let is_nothing = match &value {
                None | Some(Value::Bool(false) | Value::Null) => true,
                Some(Value::Array(items)) => items.is_empty(),
                Some(Value::Set(items)) => items.is_empty(),
                Some(Value::Object(entries)) => entries.is_empty(),
                Some(_) => false,
            };
            let counts = is_nothing != condition.is_negated || Self::denies(value.as_ref());
            if counts
                && self.seen.len() < MAX_RULES
                && self
                    .seen
                    .insert(format!("{}{:?}", question.shown(), question.with))
            {
                because.push(self.rule(&question, left));
            }
        }
        because
    }

    /// A decision of several parts that says no.
    fn denies(value: Option<&Value>) -> bool {
        match value {
            Some(Value::Object(entries)) => {
                entries.get(&value::string("allowed")) == Some(&Value::Bool(false))
            }
            _ => false,
        }
    }

    fn all(&mut self, at: At, ask: &Ask, question: &Question) -> Result<Vec<Value>, String> {
        let (arguments, with) = (&question.arguments, &question.with);
        self.probes.ask(&self.outline, at, ask, arguments, with)
    }

    fn first_value(&mut self, at: At, ask: &Ask, question: &Question) -> Option<Value> {
        self.all(at, ask, question).ok()?.into_iter().next()
    }

    fn first(&mut self, at: At, ask: &Ask, question: &Question) -> Option<serde_json::Value> {
        self.first_value(at, ask, question)
            .map(|value| self.probes.without(&value))
    }

    fn value_of(&mut self, question: &Question) -> Result<Option<Value>, String> {
        let mut query = quoted(&question.rule);
        if !question.arguments.is_empty() {
            query = format!("{query}({})", question.arguments.join(", "));
        }
        self.probes.value(&query, &question.with)
    }

    fn definitions(&self, rule: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (module, file) in self.outline.iter().enumerate() {
            for (definition, written) in file.definitions.iter().enumerate() {
                if written.rule == rule {
                    found.push((module, definition));
                }
            }
        }
        found
    }

    /// The rule that a path leads into.
    fn rule_of(&self, path: &str) -> Option<String> {
        let definitions = self.outline.iter().flat_map(|module| &module.definitions);
        definitions
            .map(|definition| &definition.rule)
            .filter(|rule| {
                path.strip_prefix(rule.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            .max_by_key(|rule| rule.len())
            .cloned()
    }
}

impl Question {
    fn shown(&self) -> String {
        match self.arguments.as_slice() {
            [] => self.rule.clone(),
            arguments => format!("{}({})", self.rule, arguments.join(", ")),
        }
    }
}

/// `data.a.b` with any name for a segment.
fn quoted(path: &str) -> String {
    let mut segments = path.split('.');
    let mut reference = segments.next().unwrap_or_default().to_owned();
    for segment in segments {
        let segment = serde_json::Value::from(segment);
        reference.push_str(&format!("[{segment}]"));
    }
    reference
}

/// A value as Rego writes it.
fn literal(value: &Value) -> String {
    let all = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", all(items.iter().map(literal).collect())),
        Value::Set(items) if items.is_empty() => "set()".to_owned(),
        Value::Set(items) => format!("{{{}}}", all(items.iter_sorted().map(literal).collect())),
        Value::Object(entries) => {
            let entry = |(key, value)| format!("{}: {}", literal(key), literal(value));
            format!("{{{}}}", all(entries.iter_sorted().map(entry).collect()))
        }
        other => value::to_json(other).to_string(),
    }
}
