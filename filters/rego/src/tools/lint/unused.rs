//! What could be taken away and nothing would change.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Import, Module, Rule, Span};

use super::{
    Finding, Lint,
    definitions::{Definition, arguments},
    nodes::{self, Node},
    policy::{self, Policy},
    reach,
};
use crate::syntax;

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    rules(policy, findings);
    for (_, module) in policy.modules() {
        imports(module, findings);
        for rule in &module.policy {
            variables(rule, findings);
        }
    }
    for (_, definitions) in policy.definitions.all() {
        unread_arguments(policy, definitions, findings);
    }
}

/// Only where it is known what is asked.
fn rules(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    if policy.world.entrypoints.is_empty() {
        return;
    }
    let annotated = policy.annotated.iter();
    let annotated = annotated.flat_map(|path| reach::at(policy, path));
    let mut reached = reach::asked(policy);
    reached.extend(reach::from(policy, annotated));
    // A decision log asks those.
    let of_logs = reach::at(policy, &["system".to_owned(), "log".to_owned()]);
    reached.extend(reach::from(policy, of_logs.into_iter()));
    let asked: BTreeSet<Vec<String>> = policy
        .entrypoints()
        .map(|path| {
            path.split_last()
                .map_or_else(Vec::new, |(_, package)| package.to_vec())
        })
        .collect();
    for (index, module) in policy.modules() {
        let package = syntax::package_path(module);
        let mut unused: BTreeMap<Vec<String>, &Span> = BTreeMap::new();
        let mut count = BTreeSet::new();
        for rule in &module.policy {
            let path = syntax::path_of(&package, rule);
            let set = policy.set(index, rule);
            if set.is_some_and(|set| !reached.contains(&set)) && !is_test(&path) {
                unused
                    .entry(path.clone())
                    .or_insert_with(|| syntax::head(rule).span());
            }
            count.insert(path);
        }
        // A module that is there for something else altogether is told once.
        if unused.len() > 1 && unused.len() == count.len() {
            let message = format!("no entrypoint reaches anything in `{}`", package.join("."));
            let finding = policy::at(Lint::UnusedRule, module.package.refr.span(), message);
            findings.push(finding.hint("leave the file out, or say `entrypoint: true` in the metadata of what is asked from elsewhere"));
            continue;
        }
        // What one policy leaves of a library, another one uses.
        if !asked.contains(&package) && unused.len() < count.len() {
            continue;
        }
        for (path, span) in unused {
            let name = path.get(package.len()..).unwrap_or_default().join(".");
            let message = format!("no entrypoint reaches the rule `{name}`");
            let finding = policy::at(Lint::UnusedRule, span, message);
            findings.push(finding.hint("remove it, or use it"));
        }
    }
}

fn is_test(path: &[String]) -> bool {
    path.last()
        .is_some_and(|name| name.starts_with("test_") || name.starts_with("todo_test_"))
}

fn imports(module: &Module, findings: &mut Vec<Finding>) {
    let used: BTreeSet<&str> = module
        .policy
        .iter()
        .flat_map(|rule| nodes::of_rule(rule))
        .filter_map(|node| match node {
            Node::Reference(expr) | Node::Function(expr) | Node::Replaced(expr) => {
                nodes::root(expr).map(Span::text)
            }
            _ => None,
        })
        .collect();
    // That a rule hides an import is told elsewhere.
    let heads = module.policy.iter().map(|rule| syntax::head(rule));
    let rules: BTreeSet<&str> = heads.filter_map(nodes::root).map(Span::text).collect();
    for import in &module.imports {
        if let Some(alias) = alias(import)
            && !used.contains(alias.as_str())
            && !rules.contains(alias.as_str())
        {
            let message = format!("the import `{alias}` is not used");
            let finding = policy::at(Lint::UnusedImport, import.refr.span(), message);
            findings.push(finding.hint("remove it"));
        }
    }
}

/// The name that an import brings; none where it changes the language.
pub(super) fn alias(import: &Import) -> Option<String> {
    let (root, segments) = syntax::reference(&import.refr)?;
    if !matches!(root.as_str(), "input" | "data") {
        return None;
    }
    match &import.r#as {
        Some(alias) => Some(alias.text().to_owned()),
        None => segments.last().cloned().flatten(),
    }
}

/// How often each name stands in a rule.
fn counts(rule: &Rule) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for node in nodes::of_rule(rule) {
        let name = match node {
            Node::Reference(expr) | Node::Function(expr) | Node::Replaced(expr) => {
                nodes::root(expr)
            }
            _ => None,
        };
        if let Some(name) = name {
            let count: &mut usize = counts.entry(name.text()).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts
}

/// What is declared and stands nowhere else in its rule.
fn variables(rule: &Rule, findings: &mut Vec<Finding>) {
    let counts = counts(rule);
    let mut told = BTreeSet::new();
    let own: BTreeSet<u32> = arguments(rule)
        .iter()
        .flat_map(|argument| nodes::of_expr(argument))
        .filter_map(|node| match node {
            Node::Reference(expr) => Some(expr.span().start),
            _ => None,
        })
        .collect();
    for node in nodes::of_rule(rule) {
        let Node::Declared(name) = node else {
            continue;
        };
        // A pattern's names are references too; those of `some x` and `every x` are not.
        let itself = usize::from(is_reference(rule, name));
        let count = counts.get(name.text()).copied().unwrap_or_default();
        if count <= itself
            && !name.text().starts_with('_')
            && !own.contains(&name.start)
            && told.insert(name.text())
        {
            let message = format!("the variable `{}` is not used", name.text());
            let finding = policy::at(Lint::UnusedVariable, name, message);
            findings.push(finding.hint("write `_`, or leave it out"));
        }
    }
}

fn is_reference(rule: &Rule, name: &Span) -> bool {
    nodes::of_rule(rule).into_iter().any(
        |node| matches!(node, Node::Reference(Expr::Var { span, .. }) if span.start == name.start),
    )
}

/// An argument that one definition of a function ignores, another may read.
fn unread_arguments(
    policy: &Policy<'_>,
    definitions: &[Definition<'_>],
    findings: &mut Vec<Finding>,
) {
    let mut specs = definitions.iter();
    let Some(first) = specs.find(|it| !matches!(it.rule, Rule::Default { .. })) else {
        return;
    };
    if definitions.iter().any(|it| policy.is_test(it.module)) {
        return;
    }
    for (index, argument) in arguments(first.rule).iter().enumerate() {
        let is_read = |definition: &Definition<'_>| {
            if matches!(definition.rule, Rule::Default { .. }) {
                return false;
            }
            match arguments(definition.rule).get(index).map(AsRef::as_ref) {
                Some(Expr::Var { span, .. }) => {
                    span.text() != "_"
                        && counts(definition.rule)
                            .get(span.text())
                            .is_some_and(|count| *count > 1)
                }
                // A constant or a pattern is compared.
                _ => true,
            }
        };
        if let Expr::Var { span, .. } = argument.as_ref()
            && !span.text().starts_with('_')
            && !definitions.iter().any(is_read)
        {
            let message = format!("the argument `{}` is not used", span.text());
            let finding = policy::at(Lint::UnusedVariable, span, message);
            findings.push(finding.hint("write `_`, or leave it out"));
        }
    }
}
