//! The definitions of each rule, by its path.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use crate::syntax;

pub(super) struct Definition<'a> {
    /// The module's position.
    pub module: usize,
    pub rule: &'a Rule,
}

/// In the order of the modules; what has a part that is only known when it runs stands under what
/// is before it.
pub(super) struct Definitions<'a> {
    by_path: BTreeMap<Vec<String>, Vec<Definition<'a>>>,
    /// As they are written.
    order: Vec<Vec<String>>,
}

impl<'a> Definitions<'a> {
    pub fn of(modules: &'a [Ref<Module>]) -> Definitions<'a> {
        let mut found = Definitions {
            by_path: BTreeMap::new(),
            order: Vec::new(),
        };
        for (module, tree) in modules.iter().enumerate() {
            let package = syntax::package_path(tree);
            for rule in &tree.policy {
                let path = syntax::path_of(&package, rule);
                if !found.by_path.contains_key(&path) {
                    found.order.push(path.clone());
                }
                let definitions = found.by_path.entry(path).or_default();
                definitions.push(Definition { module, rule });
            }
        }
        found
    }

    pub fn at(&self, path: &[String]) -> &[Definition<'a>] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// The paths of what is no function.
    pub fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.order.iter().map(Vec::as_slice).filter(|path| {
            let is_function = |definition: &Definition| !arguments(definition.rule).is_empty();
            !self.at(path).iter().any(is_function)
        })
    }

    pub fn all(&self) -> impl Iterator<Item = (&[String], &[Definition<'a>])> {
        self.order
            .iter()
            .map(|path| (path.as_slice(), self.at(path)))
    }

    /// The one expression that a rule is another name for.
    pub fn alias(&self, path: &[String]) -> Option<(usize, &'a Expr)> {
        match self.at(path) {
            [only] => Some((only.module, alias(only.rule)?)),
            _ => None,
        }
    }
}

/// `name := expr`, whatever its one body asks besides.
fn alias(rule: &Rule) -> Option<&Expr> {
    match rule {
        Rule::Spec {
            head:
                RuleHead::Compr {
                    refr,
                    assign: Some(assign),
                    ..
                },
            bodies,
            ..
        } if bodies.len() < 2 && syntax::dynamic_keys(refr).is_empty() => Some(&assign.value),
        _ => None,
    }
}

pub(super) fn arguments(rule: &Rule) -> &[Ref<Expr>] {
    match rule {
        Rule::Spec {
            head: RuleHead::Func { args, .. },
            ..
        } => args,
        Rule::Spec { .. } => &[],
        Rule::Default { args, .. } => args,
    }
}
