//! Object patterns that fit exactly. `{"a": x} = input.o` holds in OPA only of an object with that one
//! key; regorus asks for no more than the keys that are named. So what is matched with such a pattern
//! first passes a function that compares its keys, at every depth. Where a pattern cannot be reached
//! this way, it is refused.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, AssignOp, Expr, Literal, Query, Ref, Rule, RuleHead};

use crate::{
    builtins::{SHAPED, compare::EQUAL},
    check::at,
    edit::{self, Edits},
    error::{LoadError, LoadErrors},
    source::Module,
    syntax,
    visit::Visitor,
    walk,
};

/// The modules with their patterns held to their keys.
///
/// # Errors
/// The patterns that cannot be.
pub(crate) async fn modules(
    sources: &[Module],
    trees: &[Ref<ast::Module>],
) -> Result<Vec<Module>, LoadErrors> {
    let mut errors = Vec::new();
    let modules = edit::modules(sources, trees, |tree| {
        let mut patterns = Patterns {
            names: syntax::names(tree, trees),
            opening: edit::opening(tree),
            edits: Edits::default(),
            seen: BTreeSet::new(),
            errors: Vec::new(),
            bound: Vec::new(),
        };
        for rule in &tree.policy {
            patterns.arguments(rule);
            walk::rule(rule, &mut patterns);
        }
        errors.append(&mut patterns.errors);
        patterns.edits
    })
    .await;
    LoadErrors::refuse(errors)?;
    Ok(modules)
}

/// Whether a statement, as the evaluators see it, is none of those that were written.
pub(crate) fn is_added(statement: &str) -> bool {
    let is_check = statement.starts_with(&format!("{EQUAL}({SHAPED}("))
        || statement.starts_with(&format!("{SHAPED}("));
    is_check || statement.contains(&format!(" = {SHAPED}(__portcullis_match_"))
}

struct Patterns {
    /// What a bare name may be other than a variable.
    names: BTreeSet<String>,
    opening: &'static str,
    edits: Edits,
    /// A body of several values is walked more than once.
    seen: BTreeSet<(usize, usize)>,
    errors: Vec<LoadError>,
    /// What the `every`s bind that we are in. To regorus `every x in xs { x = 1 }` gives `x` a value,
    /// and always holds.
    bound: Vec<Vec<String>>,
}

impl Patterns {
    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().flatten().any(|bound| bound == name)
    }

    /// What an `every` binds is no variable to bind in an equation.
    fn bound(&mut self, side: &Expr) {
        match side {
            Expr::Var { span, .. } if self.is_bound(span.text()) => {
                let place = edit::range(span);
                if self.seen.insert(place) {
                    self.edits.around(place, &format!("{SHAPED}("), ", null)");
                }
            }
            Expr::Array { items, .. } => items.iter().for_each(|item| self.bound(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.bound(value));
            }
            _ => {}
        }
    }

    fn equation(&mut self, op: &AssignOp, lhs: &Expr, rhs: &Expr, end: Option<usize>) {
        self.sides(lhs, rhs, end);
        if *op == AssignOp::Eq {
            self.bound(lhs);
            self.bound(rhs);
        }
    }

    fn refuse(&mut self, pattern: &Expr, what: &str) {
        let error = at(pattern.span(), format!("{what} is an object pattern"))
            .hint("match a variable, and the object with it in the body: `{\"k\": x} = v`");
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// A function's argument becomes a variable, which every body matches first.
    fn arguments(&mut self, rule: &Rule) {
        let Rule::Spec {
            head: RuleHead::Func { span, args, .. },
            bodies,
            ..
        } = rule
        else {
            return;
        };
        let mut matches = String::new();
        for argument in args.iter().filter(|argument| has_object(argument)) {
            let name = self.variable(argument);
            matches.push_str(&format!(
                "{}{}; ",
                declaration(argument),
                equation(argument, &name)
            ));
        }
        if matches.is_empty() {
            return;
        }
        let whole = |opening: &str| format!("{opening}{} }}", matches.trim_end_matches("; "));
        if bodies.is_empty() {
            self.edits.insert(edit::range(span).1, &whole(self.opening));
        }
        for body in bodies {
            match (body.query.stmts.first(), &body.assign) {
                (Some(first), _) => self.edits.insert(edit::range(&first.span).0, &matches),
                // `else := value` and nothing more.
                (None, Some(assign)) => self
                    .edits
                    .insert(edit::assigned(assign).1, &whole(self.opening)),
                (None, None) => {
                    if let Some(argument) = args.first() {
                        self.refuse(argument, "an argument of a function without a body");
                    }
                }
            }
        }
    }

    /// Puts a variable of ours in a pattern's place.
    fn variable(&mut self, pattern: &Expr) -> String {
        let place = edit::of(pattern);
        let name = format!("__portcullis_match_{}", place.0);
        self.edits.replace(place, &name);
        name
    }

    /// `some {"k": x} in xs` binds a variable, and matches it then.
    fn some(&mut self, patterns: &[&Expr], statement: (usize, usize)) {
        for pattern in patterns.iter().filter(|pattern| has_object(pattern)) {
            if !self.seen.insert(edit::of(pattern)) {
                continue;
            }
            self.edits.insert(statement.0, &declaration(pattern));
            let name = self.variable(pattern);
            let equation = equation(pattern, &name);
            self.edits.insert(statement.1, &format!("; {equation}"));
        }
    }

    /// One side of an equation and the other.
    fn sides(&mut self, one: &Expr, other: &Expr, end: Option<usize>) {
        match (one, other) {
            (Expr::Array { items: one, .. }, Expr::Array { items: other, .. }) => {
                for (one, other) in one.iter().zip(other) {
                    self.sides(one, other, end);
                }
            }
            (Expr::Object { fields: one, .. }, Expr::Object { fields: other, .. }) => {
                for (_, key, value) in one {
                    let key = syntax::text_of(key);
                    let same = other
                        .iter()
                        .find(|(_, other, _)| key.is_some() && syntax::text_of(other) == key);
                    if let Some((_, _, other)) = same {
                        self.sides(value, other, end);
                    }
                }
            }
            _ => {
                for (pattern, matched) in [(one, other), (other, one)] {
                    if has_object(pattern) {
                        self.matched(pattern, matched, end);
                    }
                }
            }
        }
    }

    fn matched(&mut self, pattern: &Expr, matched: &Expr, end: Option<usize>) {
        let place = edit::of(matched);
        if !self.seen.insert(place) {
            return;
        }
        let mut shape = String::new();
        skeleton(pattern, &mut shape);
        match (matched, end) {
            (Expr::Var { span, .. }, _) if span.text() == "_" => {}
            // It may be bound only here.
            (Expr::Var { span, .. }, Some(end))
                if !self.names.contains(span.text()) && !self.is_bound(span.text()) =>
            {
                let check = format!("; {SHAPED}({0}, {shape}) == {0}", span.text());
                self.edits.insert(end, &check);
            }
            _ => self
                .edits
                .around(place, &format!("{SHAPED}("), &format!(", {shape})")),
        }
    }
}

impl Visitor for Patterns {
    fn every(&mut self, binds: Option<Vec<String>>) {
        match binds {
            Some(names) => self.bound.push(names),
            None => {
                self.bound.pop();
            }
        }
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            let end = edit::range(&statement.span).1;
            match &statement.literal {
                Literal::Expr { expr, .. } => {
                    if let Expr::AssignExpr { op, lhs, rhs, .. } = expr.as_ref() {
                        self.equation(op, lhs, rhs, Some(end));
                    }
                }
                Literal::NotExpr { expr, .. } => {
                    if let Expr::AssignExpr { op, lhs, rhs, .. } = expr.as_ref() {
                        // What `not` negates has all its variables already.
                        self.equation(op, lhs, rhs, None);
                    }
                }
                Literal::SomeIn { key, value, .. } => {
                    let patterns: Vec<&Expr> =
                        key.iter().chain([value]).map(|it| it.as_ref()).collect();
                    self.some(&patterns, edit::range(&statement.span));
                }
                Literal::SomeVars { .. } | Literal::Every { .. } => {}
            }
        }
    }

    /// Looking an object up by one that has variables would match it as a pattern.
    fn index(&mut self, index: &Expr) {
        if has_object(index) && has_variable(index, &self.names) {
            self.refuse(index, "an index");
        }
    }
}

/// A pattern's variables are its own, whatever rules they are named like.
fn declaration(pattern: &Expr) -> String {
    let mut declared = BTreeSet::new();
    variables(pattern, &mut declared);
    match declared.is_empty() {
        true => String::new(),
        false => {
            let names: Vec<String> = declared.into_iter().collect();
            format!("some {}; ", names.join(", "))
        }
    }
}

/// A pattern that what a variable has must fit. Each `_` gets a name: regorus takes two of them in one
/// object for one.
fn equation(pattern: &Expr, name: &str) -> String {
    let mut wildcards = Edits::default();
    any(pattern, &mut wildcards);
    let (start, end) = edit::of(pattern);
    let text = wildcards.apply_within(pattern.span().source.contents(), start, end);
    let mut shape = String::new();
    skeleton(pattern, &mut shape);
    format!("{} = {SHAPED}({name}, {shape})", text.replace('\n', " "))
}

fn any(pattern: &Expr, edits: &mut Edits) {
    match pattern {
        Expr::Var { span, .. } if span.text() == "_" => {
            let place = edit::range(span);
            edits.replace(place, &format!("__portcullis_any_{}", place.0));
        }
        Expr::Array { items, .. } => items.iter().for_each(|item| any(item, edits)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| any(value, edits)),
        _ => {}
    }
}

fn variables(pattern: &Expr, found: &mut BTreeSet<String>) {
    match pattern {
        Expr::Var { span, .. } if span.text() != "_" => {
            found.insert(span.text().to_owned());
        }
        Expr::Array { items, .. } => items.iter().for_each(|item| variables(item, found)),
        Expr::Object { fields, .. } => {
            for (_, _, value) in fields {
                variables(value, found);
            }
        }
        _ => {}
    }
}

fn has_object(expr: &Expr) -> bool {
    match expr {
        Expr::Object { .. } => true,
        Expr::Array { items, .. } => items.iter().any(|item| has_object(item)),
        _ => false,
    }
}

fn has_variable(expr: &Expr, names: &BTreeSet<String>) -> bool {
    match expr {
        Expr::Var { span, .. } => !names.contains(span.text()),
        Expr::Array { items, .. } => items.iter().any(|item| has_variable(item, names)),
        Expr::Object { fields, .. } => fields
            .iter()
            .any(|(_, key, value)| has_variable(key, names) || has_variable(value, names)),
        _ => false,
    }
}

/// The keys of a pattern, at every depth: null is any value.
fn skeleton(pattern: &Expr, shape: &mut String) {
    match pattern {
        Expr::Array { items, .. } => {
            shape.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    shape.push_str(", ");
                }
                skeleton(item, shape);
            }
            shape.push(']');
        }
        Expr::Object { fields, .. } => {
            // By its number of keys, and of those that are plainly known what stands at them.
            shape.push_str(&format!("{{\"n\": {}, \"at\": {{", fields.len()));
            let mut first = true;
            for (_, key, value) in fields {
                if let Some(key) = syntax::text_of(key)
                    && has_object(value)
                {
                    if !first {
                        shape.push_str(", ");
                    }
                    first = false;
                    shape.push_str(&serde_json::Value::from(key).to_string());
                    shape.push_str(": ");
                    skeleton(value, shape);
                }
            }
            shape.push_str("}}");
        }
        _ => shape.push_str("null"),
    }
}
