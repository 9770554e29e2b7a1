//! Both evaluators lose what they collected when a head's or a member's value is undefined in one
//! of several rounds: `deny contains input[k] if some k in ["a", "b"]` comes out empty. OPA binds
//! such a value in the body, where undefined ends the round; so do we, before they see the policy.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Expr, Query, Ref, Rule, RuleBody, RuleHead, Span};

use crate::{
    edit::{self, Edits},
    flat, forms, loops,
    source::Module,
    syntax,
    visit::Visitor,
    walk,
};

/// Puts every body into braces.
pub(crate) async fn braces(sources: &[Module], trees: &[Ref<ast::Module>]) -> Vec<Module> {
    edit::modules(sources, trees, |tree| {
        let mut edits = Edits::default();
        for rule in &tree.policy {
            let Rule::Spec { bodies, .. } = rule.as_ref() else {
                continue;
            };
            for body in bodies {
                if let Some(statement) = edit::without_braces(&body.query) {
                    edits.around(edit::range(&statement.span), "{ ", " }");
                }
            }
        }
        edits
    })
    .await
}

/// One round over all modules: what stands inside another such value waits for the next.
pub(crate) async fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Vec<Module> {
    edit::modules(sources, trees, |tree| {
        let mut binder = Binder {
            names: syntax::names(tree, trees),
            opening: edit::opening(tree),
            edits: Edits::default(),
            breaks: flat::breaks(tree),
            taken: Vec::new(),
            body: Vec::new(),
        };
        for rule in &tree.policy {
            binder.rule(rule);
        }
        binder.edits
    })
    .await
}

struct Binder {
    names: BTreeSet<String>,
    opening: &'static str,
    edits: Edits,
    breaks: BTreeSet<usize>,
    /// The places of the values that are bound in this round.
    taken: Vec<(usize, usize)>,
    /// The statements of a rule that has no body yet.
    body: Vec<String>,
}

impl Binder {
    fn rule(&mut self, rule: &Rule) {
        let Rule::Spec { head, bodies, .. } = rule else {
            return walk::rule(rule, self);
        };
        // Of several bodies each would want its own value: left to the interpreter as it is.
        if bodies.iter().filter(|body| !body.is_else).count() < 2 {
            let (RuleHead::Set { span, .. }
            | RuleHead::Compr { span, .. }
            | RuleHead::Func { span, .. }) = head;
            match head {
                RuleHead::Set { key, .. } => {
                    if let Some(key) = key {
                        self.value(key, edit::of(key), bodies.first());
                    }
                }
                RuleHead::Compr { refr, assign, .. } => {
                    if let Expr::RefBrack { index, .. } = refr.as_ref() {
                        self.value(index, edit::of(index), bodies.first());
                        if let Some(assign) = assign {
                            let place = edit::assigned(assign);
                            self.value(&assign.value, place, bodies.first());
                        }
                    } else {
                        self.complete(rule, assign.as_ref(), bodies);
                    }
                }
                RuleHead::Func { assign, .. } => {
                    self.complete(rule, assign.as_ref(), bodies);
                }
            }
            if !self.body.is_empty() {
                let body = std::mem::take(&mut self.body).join("; ");
                let body = format!("{}{body} }}", self.opening);
                self.edits.insert(edit::range(span).1, &body);
            }
        }
        walk::rule(rule, self);
    }

    /// A rule of one value has rounds where its body iterates, and something after it where it has
    /// an `else`.
    fn complete(&mut self, rule: &Rule, assign: Option<&ast::RuleAssign>, bodies: &[RuleBody]) {
        let iterates = loops::in_rule(rule, &self.names);
        let last = bodies.len().saturating_sub(1);
        if let Some(assign) = assign
            && (iterates || last > 0)
        {
            self.value(&assign.value, edit::assigned(assign), bodies.first());
        }
        for (index, body) in bodies.iter().enumerate() {
            if let Some(assign) = &body.assign
                && (iterates || index < last)
                && !body.query.stmts.is_empty()
            {
                self.value(&assign.value, edit::assigned(assign), Some(body));
            }
        }
    }

    fn value(&mut self, value: &Expr, place: (usize, usize), body: Option<&RuleBody>) {
        let Some((name, text)) = self.take(value, place) else {
            return;
        };
        match body {
            Some(body) => self.append(&body.query, &name, &text),
            None => self.body.push(format!("{name} := {text}")),
        }
    }

    /// Puts a variable in the value's place, unless the value has one wherever its variables have.
    fn take(&mut self, value: &Expr, place: (usize, usize)) -> Option<(String, String)> {
        let is_taken = |inner: &(usize, usize)| inner.0 <= place.0 && place.1 <= inner.1;
        if forms::is_defined(value, &|name| self.is_rule(name)) || self.taken.iter().any(is_taken) {
            return None;
        }
        // Its lines stay where it was.
        let text = flat::text(value.span().source.contents(), place, &self.breaks)?;
        let name = format!("__portcullis_{}", place.0);
        self.edits.replace(place, &name);
        self.taken.push(place);
        Some((name, text))
    }

    /// What a comprehension collects.
    fn term(&mut self, term: &Expr, query: &Query) {
        let place = edit::of(term);
        // The query of one that stands inside a value that was taken went with it.
        if let Some((name, text)) = self.take(term, place) {
            self.append(query, &name, &text);
        }
    }

    fn append(&mut self, query: &Query, name: &str, text: &str) {
        if let Some(last) = query.stmts.last() {
            let end = edit::range(&last.span).1;
            self.edits.insert(end, &format!("; {name} := {text}"));
        }
    }

    fn is_rule(&self, name: &str) -> bool {
        matches!(name, "input" | "data") || self.names.contains(name)
    }
}

impl Visitor for Binder {
    fn array_comprehension(&mut self, _whole: &Span, term: &Expr, query: &Query) {
        self.term(term, query);
    }

    fn set_comprehension(&mut self, term: &Expr, query: &Query) {
        self.term(term, query);
    }

    fn object_comprehension(&mut self, _whole: &Span, key: &Expr, value: &Expr, query: &Query) {
        self.term(key, query);
        self.term(value, query);
    }
}
