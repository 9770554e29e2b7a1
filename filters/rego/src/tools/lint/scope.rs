//! What a name in a rule stands for, as far as it is certain.

use std::collections::BTreeMap;

use regorus::unstable::{AssignOp, Expr, Rule};

use super::{
    nodes::{self, Node},
    policy::Policy,
};
use crate::syntax;

/// The variables of one rule, each with what it is another name for, where it is one.
pub(super) struct Scope<'a> {
    module: usize,
    locals: BTreeMap<&'a str, Option<&'a Expr>>,
}

/// A path below `input`; a segment is none where it is only known when it runs.
pub(super) type InputPath = Vec<Option<String>>;

/// How long a chain of names is followed.
const MAX_NAMES: usize = 8;

impl<'a> Scope<'a> {
    pub fn of(module: usize, rule: &'a Rule) -> Scope<'a> {
        let mut locals = BTreeMap::new();
        let nodes = nodes::of_rule(rule);
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for node in nodes.iter().copied() {
            if let Node::Declared(name) = node {
                locals.insert(name.text(), None);
                let count = seen.entry(name.text()).or_default();
                *count = count.saturating_add(1);
            }
        }
        for node in nodes {
            if let Node::Expr(Expr::AssignExpr {
                op: AssignOp::ColEq,
                lhs,
                rhs,
                ..
            }) = node
                && let Expr::Var { span, .. } = lhs.as_ref()
                // The same name elsewhere in the rule may mean something else.
                && seen.get(span.text()) == Some(&1)
            {
                locals.insert(span.text(), Some(rhs.as_ref()));
            }
        }
        Scope { module, locals }
    }

    /// What stands in a rule's head or body from outside of any rule.
    fn outside(module: usize) -> Scope<'a> {
        Scope {
            module,
            locals: BTreeMap::new(),
        }
    }

    /// Where its names are looked up.
    pub fn module(&self) -> usize {
        self.module
    }

    pub fn is_local(&self, name: &str) -> bool {
        self.locals.contains_key(name)
    }

    /// The path below `input` that a reference comes down to.
    pub fn input(&self, expr: &Expr, policy: &Policy<'a>) -> Option<InputPath> {
        self.input_in(expr, policy, MAX_NAMES)
    }

    fn input_in(&self, expr: &Expr, policy: &Policy<'a>, most: usize) -> Option<InputPath> {
        let most = most.checked_sub(1)?;
        let (root, segments) = syntax::reference(expr)?;
        let below = |mut path: InputPath, rest: &[Option<String>]| {
            path.extend(rest.iter().cloned());
            path
        };
        if let Some(local) = self.locals.get(root.as_str()) {
            return Some(below(self.input_in((*local)?, policy, most)?, &segments));
        }
        if root == "input" {
            return Some(segments);
        }
        if let Some(path) = policy.rule_path(self.module, &root, &segments) {
            let (known, module, expr) = policy.alias(&path)?;
            let rest = path.get(known..)?;
            let outer = Scope::outside(module).input_in(expr, policy, most)?;
            return Some(below(outer, rest));
        }
        let tree = policy.trees.get(self.module)?;
        let import = tree.imports.iter().find(|import| {
            let alias = import.r#as.as_ref().map(|alias| alias.text().to_owned());
            let own = || syntax::static_prefix(&import.refr).pop();
            alias.or_else(own).as_deref() == Some(root.as_str())
        })?;
        let (from, path) = syntax::reference(&import.refr)?;
        (from == "input").then(|| below(path, &segments))
    }

    /// What a plain name is another name for, and what names mean there.
    pub fn meaning(&self, expr: &Expr, policy: &Policy<'a>) -> Option<(Scope<'a>, &'a Expr)> {
        let (root, segments) = syntax::reference(expr)?;
        if !segments.is_empty() {
            return None;
        }
        if let Some(local) = self.locals.get(root.as_str()) {
            let here = Scope {
                module: self.module,
                locals: self.locals.clone(),
            };
            return Some((here, (*local)?));
        }
        let path = policy.rule_path(self.module, &root, &[])?;
        let (known, module, expr) = policy.alias(&path)?;
        (known == path.len()).then(|| (Scope::outside(module), expr))
    }
}

impl<'a> Policy<'a> {
    /// The path below `data` of a reference that no variable hides.
    pub fn rule_path(
        &self,
        module: usize,
        root: &str,
        segments: &[Option<String>],
    ) -> Option<InputPath> {
        let path = self.names.get(module)?.resolve(root)?;
        let whole = path.into_iter().map(Some).chain(segments.iter().cloned());
        Some(whole.collect())
    }

    /// The rule at the beginning of a path that is another name for something: how long its own path
    /// is, its module, and for what.
    fn alias(&self, path: &[Option<String>]) -> Option<(usize, usize, &'a Expr)> {
        let known: Vec<String> = path.iter().cloned().map_while(|segment| segment).collect();
        (1..=known.len()).rev().find_map(|length| {
            let (module, expr) = self.definitions.alias(known.get(..length)?)?;
            Some((length, module, expr))
        })
    }
}
