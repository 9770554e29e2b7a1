//! What every lint looks at: the modules, what their names mean, who uses whom.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, Span};

use super::{Finding, Lint, World, definitions::Definitions, scope::Scope};
use crate::{check::Rules, inspect::Names, metadata, source, steps, syntax};

pub(super) struct Policy<'a> {
    pub trees: &'a [Ref<Module>],
    pub names: Vec<Names>,
    pub rules: Rules,
    pub definitions: Definitions<'a>,
    pub world: &'a World<'a>,
    /// Which modules are tests.
    tests: Vec<bool>,
    /// The paths that their own annotations call entrypoints.
    pub annotated: Vec<Vec<String>>,
    sets: BTreeMap<Vec<String>, usize>,
}

/// A rule in its place.
pub(super) struct Placed<'a> {
    pub module: usize,
    pub rule: &'a Rule,
    pub scope: Scope<'a>,
}

impl<'a> Policy<'a> {
    pub fn new(
        trees: &'a [Ref<Module>],
        written: &[source::Module],
        world: &'a World<'a>,
    ) -> Policy<'a> {
        let rules = steps::finish(Rules::inspected(trees));
        let annotated = written
            .iter()
            .zip(trees)
            .flat_map(|(source, tree)| metadata::entrypoints(source, tree));
        Policy {
            names: trees
                .iter()
                .map(|tree| Names::of(tree, trees, rules.sets()))
                .collect(),
            tests: written
                .iter()
                .zip(trees)
                .map(|(source, tree)| is_test(source, tree))
                .collect(),
            annotated: annotated.collect(),
            sets: (rules.sets().iter().enumerate())
                .map(|(index, set)| (set.path.clone(), index))
                .collect(),
            definitions: Definitions::of(trees),
            rules,
            trees,
            world,
        }
    }

    pub fn is_test(&self, module: usize) -> bool {
        self.tests.get(module).copied().unwrap_or_default()
    }

    /// The modules that are no tests.
    pub fn modules(&self) -> impl Iterator<Item = (usize, &'a Module)> {
        let modules = self.trees.iter().enumerate();
        modules
            .filter(|(index, _)| !self.is_test(*index))
            .map(|(index, tree)| (index, tree.as_ref()))
    }

    /// The position of a rule's definitions among all.
    pub fn set(&self, module: usize, rule: &Rule) -> Option<usize> {
        let package = syntax::package_path(self.trees.get(module)?);
        let path = syntax::path_of(&package, rule);
        self.sets.get(&path).copied()
    }

    /// The rules of all modules that are no tests, and whose input is the gate's: those of decision logs
    /// are asked about events.
    pub fn placed(&self) -> impl Iterator<Item = Placed<'a>> {
        let asked = self
            .modules()
            .filter(|(_, tree)| !crate::reach::is_of_log(tree));
        asked.flat_map(|(module, tree)| {
            tree.policy.iter().map(move |rule| Placed {
                module,
                rule,
                scope: Scope::of(module, rule),
            })
        })
    }

    /// The name and the arguments of a call of a builtin.
    pub fn builtin<'e>(
        &self,
        placed: &Placed<'_>,
        call: &'e Expr,
    ) -> Option<(String, &'e [Ref<Expr>])> {
        let Expr::Call { fcn, params, .. } = call else {
            return None;
        };
        let name = syntax::name(fcn)?;
        let is_rule = self.names.get(placed.module)?.is_resolved(&name);
        (!is_rule).then_some((name, params.as_slice()))
    }

    /// The paths of the entrypoints, without `data`.
    pub fn entrypoints(&self) -> impl Iterator<Item = Vec<String>> {
        self.world.entrypoints.iter().map(|entrypoint| {
            let segments = entrypoint.as_str().split('.').skip(1);
            segments.map(str::to_owned).collect()
        })
    }
}

fn is_test(source: &source::Module, tree: &Module) -> bool {
    let package = syntax::package_path(tree);
    source.path.ends_with("_test.rego")
        || package.last().is_some_and(|name| name.ends_with("_test"))
}

/// A finding about what a span covers of its first line.
pub(super) fn at(lint: Lint, span: &Span, message: impl Into<String>) -> Finding {
    let (line, column) = syntax::place(span);
    let text = span.text().lines().next().unwrap_or_default().trim_end();
    let width = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let (before, after) = quotes(span);
    Finding {
        line,
        column: column.saturating_sub(before),
        width: width.saturating_add(before).saturating_add(after).max(1),
        file: span.source.file().clone(),
        ..of_all(lint, message)
    }
}

/// regorus leaves the quotes of a text out of its span: how many there are before and behind it.
fn quotes(span: &Span) -> (u32, u32) {
    let offset = |at: u32| usize::try_from(at).unwrap_or_default();
    let bytes = span.source.contents().as_bytes();
    let before = offset(span.start)
        .checked_sub(1)
        .and_then(|at| bytes.get(at))
        .filter(|byte| matches!(byte, b'"' | b'`'));
    let Some(quote) = before else {
        return (0, 0);
    };
    let is_whole = !span.text().as_bytes().contains(quote) && !span.text().contains('\n');
    let closes = is_whole && bytes.get(offset(span.end)) == Some(quote);
    (1, u32::from(closes))
}

/// A finding about the policy as a whole.
pub(super) fn of_all(lint: Lint, message: impl Into<String>) -> Finding {
    Finding {
        file: String::new(),
        line: 0,
        column: 0,
        width: 0,
        lint,
        severity: lint.severity(),
        message: message.into(),
        hint: None,
    }
}

impl Finding {
    pub(super) fn hint(self, hint: impl Into<String>) -> Finding {
        Finding {
            hint: Some(hint.into()),
            ..self
        }
    }
}
