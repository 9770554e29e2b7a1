//! Puts calls in the place of operators. OPA takes `1 / 0` as it takes any builtin's error: the
//! expression is undefined. The interpreter ends the evaluation, and the virtual machine now that, now
//! the rule. And neither counts what it costs to join or compare large collections, to multiply large
//! numbers, or to find a place for a large member of a set.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Expr, Query, Ref, Span};

use crate::{
    builtins::{arithmetic as called, compare},
    edit::{self, Edits},
    source::Module,
    visit::{Operation, Visitor},
    walk,
};

pub(crate) async fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Vec<Module> {
    edit::modules(sources, trees, |tree| {
        let mut calls = Calls {
            edits: Edits::default(),
            seen: BTreeSet::new(),
        };
        for rule in &tree.policy {
            walk::rule(rule, &mut calls);
        }
        calls.edits
    })
    .await
}

struct Calls {
    edits: Edits,
    /// A body of several values is walked more than once.
    seen: BTreeSet<(usize, usize)>,
}

impl Visitor for Calls {
    /// `some x in 7` finds nothing; the interpreter ends the evaluation.
    fn some_in(&mut self, collection: &Expr) {
        let is_collection = matches!(
            collection,
            Expr::Array { .. }
                | Expr::Set { .. }
                | Expr::Object { .. }
                | Expr::ArrayCompr { .. }
                | Expr::SetCompr { .. }
                | Expr::ObjectCompr { .. }
        );
        let place = edit::of(collection);
        if !is_collection && self.seen.insert(place) {
            self.edits
                .around(place, &format!("{}(", called::COLLECTION), ")");
        }
    }

    fn operation(&mut self, operation: &Operation<'_>) {
        let Operation {
            span,
            symbol,
            lhs,
            rhs,
        } = *operation;
        let name = match symbol {
            "+" => called::ADD,
            "-" => called::SUBTRACT,
            "*" => called::MULTIPLY,
            "/" => called::DIVIDE,
            "%" => called::REMAINDER,
            "|" => called::UNION,
            "&" => called::INTERSECTION,
            // However large the other side, it is told apart at once.
            _ if is_scalar(lhs) || is_scalar(rhs) => return,
            "==" => compare::EQUAL,
            "!=" => compare::UNEQUAL,
            "<" => compare::LESS,
            "<=" => compare::AT_MOST,
            ">" => compare::MORE,
            _ => compare::AT_LEAST,
        };
        let place = edit::range(span);
        let between = (edit::of(lhs).1, edit::of(rhs).0);
        if let Some(at) = edit::find(&span.source, between, symbol)
            && self.seen.insert((at, place.1))
        {
            self.edits.around(place, &format!("{name}("), ")");
            let end = at.saturating_add(symbol.len());
            self.edits.replace((at, end), ",");
        }
    }

    fn membership(&mut self, whole: &Span, key: Option<&Expr>, value: &Expr, collection: &Expr) {
        let name = match key {
            Some(_) => compare::HOLDS_AT,
            None => compare::HOLDS,
        };
        let place = edit::range(whole);
        let between = (edit::of(value).1, edit::of(collection).0);
        if let Some(at) = edit::find(&whole.source, between, "in")
            && self.seen.insert((at, place.1))
        {
            self.edits.around(place, &format!("{name}("), ")");
            self.edits.replace((at, at.saturating_add(2)), ",");
        }
    }

    fn equation(&mut self, lhs: &Expr, rhs: &Expr) {
        for side in [lhs, rhs] {
            let place = edit::of(side);
            let is_read = matches!(
                side,
                Expr::RefDot { .. } | Expr::RefBrack { .. } | Expr::Call { .. }
            );
            if is_read && !is_scalar(lhs) && !is_scalar(rhs) && self.seen.insert(place) {
                self.edits
                    .around(place, &format!("{}(", compare::GLANCED), ")");
            }
        }
    }

    fn inserted(&mut self, member: &Expr) {
        let place = edit::of(member);
        if !is_scalar(member) && self.seen.insert(place) {
            self.edits
                .around(place, &format!("{}(", compare::WEIGHED), ")");
        }
    }

    fn contained(&mut self, member: &Expr) {
        self.inserted(member);
    }

    fn set_comprehension(&mut self, term: &Expr, _: &Query) {
        self.inserted(term);
    }

    fn object_comprehension(&mut self, _: &Span, key: &Expr, _: &Expr, _: &Query) {
        self.inserted(key);
    }
}

fn is_scalar(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
    )
}
