//! Puts calls in the place of operators. OPA takes `1 / 0` as it takes any builtin's error: the
//! expression is undefined. The interpreter ends the evaluation, and the virtual machine the rule,
//! which shows where the expression stands inside of `not`, `every` or a comprehension. And neither
//! counts what it costs to join large sets and to multiply large numbers.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Expr, Ref};

use crate::{
    builtins::arithmetic as called,
    edit::{self, Edits},
    source::Module,
    walk::{self, Operation, Visitor},
};

/// Which operators become calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Interpreter,
    /// Only where the machine would be wrong, or its work without bounds: a call stops it, which
    /// costs more than its own arithmetic.
    Machine,
}

pub(crate) fn modules(sources: &[Module], trees: &[Ref<ast::Module>], whom: For) -> Vec<Module> {
    sources
        .iter()
        .zip(trees)
        .map(|(source, tree)| {
            let mut calls = Calls {
                edits: Edits::default(),
                seen: BTreeSet::new(),
                whom,
            };
            for rule in &tree.policy {
                walk::rule(rule, &mut calls);
            }
            Module {
                path: source.path.clone(),
                text: calls.edits.apply(&source.text),
            }
        })
        .collect()
}

struct Calls {
    edits: Edits,
    /// A body of several values is walked more than once.
    seen: BTreeSet<(usize, usize)>,
    whom: For,
}

impl Visitor for Calls {
    fn operation(&mut self, operation: &Operation<'_>) {
        let Operation {
            span,
            symbol,
            lhs,
            rhs,
            is_guarded,
        } = *operation;
        let may_grow = match symbol {
            '*' | '-' => !is_number(lhs) && !is_number(rhs),
            '|' | '&' => true,
            _ => false,
        };
        if self.whom == For::Machine && !is_guarded && !may_grow {
            return;
        }
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
        let between = (edit::range(lhs.span()).1, edit::range(rhs.span()).0);
        if let Some(at) = edit::find(&span.source, between, symbol)
            && self.seen.insert((at, place.1))
        {
            self.edits.around(place, &format!("{name}("), ")");
            let end = at.saturating_add(symbol.len_utf8());
            self.edits.replace((at, end), ",");
        }
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Number { .. })
}
