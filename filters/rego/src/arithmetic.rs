//! Puts calls in the place of operators. OPA takes `1 / 0` as it takes any builtin's error: the
//! expression is undefined. The interpreter ends the evaluation, and the virtual machine now that, now
//! the rule. And neither counts what it costs to join large sets and to multiply large numbers.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Expr, Ref};

use crate::{
    builtins::arithmetic as called,
    edit::{self, Edits},
    source::Module,
    visit::{Operation, Visitor},
    walk,
};

pub(crate) fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Vec<Module> {
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
            '+' => called::ADD,
            '-' => called::SUBTRACT,
            '*' => called::MULTIPLY,
            '/' => called::DIVIDE,
            '%' => called::REMAINDER,
            '|' => called::UNION,
            _ => called::INTERSECTION,
        };
        let place = edit::range(span);
        let between = (edit::of(lhs).1, edit::of(rhs).0);
        if let Some(at) = edit::find(&span.source, between, symbol)
            && self.seen.insert((at, place.1))
        {
            self.edits.around(place, &format!("{name}("), ")");
            let end = at.saturating_add(symbol.len_utf8());
            self.edits.replace((at, end), ",");
        }
    }
}
