//! Names that hide another.

use std::collections::BTreeMap;

use regorus::unstable::{Module, Span};

use super::{
    Finding, Lint,
    nodes::{self, Node},
    policy::{self, Policy},
    unused,
};
use crate::syntax;

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    for (_, module) in policy.modules() {
        let imports = imports(module);
        for rule in &module.policy {
            for node in nodes::of_rule(rule) {
                if let Node::Declared(name) = node {
                    variable(name, &imports, findings);
                }
            }
        }
        let mut told = Vec::new();
        for rule in &module.policy {
            let Some(name) = nodes::root(syntax::head(rule)) else {
                continue;
            };
            if let Some(import) = imports.get(name.text())
                && !told.contains(&name.text())
            {
                told.push(name.text());
                let message = format!("the import of `{import}` hides the rule `{}`", name.text());
                let finding = policy::at(Lint::ShadowedName, name, message);
                findings.push(finding.hint("rename the rule, or import under another name: `as`"));
            }
        }
    }
}

fn variable(name: &Span, imports: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    let text = name.text();
    let hidden = match imports.get(text) {
        Some(import) => format!("the import of `{import}`"),
        None if matches!(text, "input" | "data") => format!("the document `{text}`"),
        None => return,
    };
    let message = format!("the variable `{text}` hides {hidden}");
    let finding = policy::at(Lint::ShadowedName, name, message);
    findings.push(finding.hint("give the variable another name"));
}

/// By the name they bring, what they import.
fn imports(module: &Module) -> BTreeMap<String, String> {
    module
        .imports
        .iter()
        .filter_map(|import| {
            let path = import.refr.span().text().to_owned();
            Some((unused::alias(import)?, path))
        })
        .collect()
}
