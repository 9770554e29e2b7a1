//! Has the head of every rule tell that it came to a value: each value passes through a function that
//! takes note of it. regorus by itself tells no more than which expressions it looked at.
//!
//! Nothing moves to another line.

use regorus::unstable::{self as ast, Expr, Ref, Rule, RuleAssign, RuleHead, Span};

use crate::{
    edit::{self, Edits},
    source::Module,
    steps, syntax,
};

/// `(number of the head, value)`, and answers with the value.
pub(crate) const TOLD: &str = "__portcullis_told";

/// A rule's head, or an `else`.
pub(crate) struct Head {
    pub module: usize,
    pub line: u32,
}

/// The modules in which heads tell, and the heads by their number.
pub(crate) fn tell(modules: &[Module], trees: &[Ref<ast::Module>]) -> (Vec<Module>, Vec<Head>) {
    let mut heads = Heads {
        found: Vec::new(),
        module: 0,
        edits: Edits::default(),
    };
    let modules = steps::finish(edit::modules(modules, trees, |tree| {
        for rule in &tree.policy {
            heads.rule(rule);
        }
        heads.module = heads.module.saturating_add(1);
        std::mem::take(&mut heads.edits)
    }));
    (modules, heads.found)
}

struct Heads {
    found: Vec<Head>,
    module: usize,
    edits: Edits,
}

impl Heads {
    fn rule(&mut self, rule: &Rule) {
        // A default is a constant: regorus tells when it takes it.
        let Rule::Spec { head, bodies, .. } = rule else {
            return;
        };
        match head {
            RuleHead::Compr { span, assign, .. } | RuleHead::Func { span, assign, .. } => {
                self.value(span, edit::range(span).1, assign.as_ref());
            }
            RuleHead::Set { span, key, .. } => {
                if let Some(key) = key {
                    self.around(span, edit::of(key));
                }
            }
        }
        for body in bodies.iter().filter(|body| body.is_else) {
            let start = edit::range(&body.span).0;
            self.value(
                &body.span,
                start.saturating_add("else".len()),
                body.assign.as_ref(),
            );
        }
    }

    /// A value, or where one would stand.
    fn value(&mut self, head: &Span, end: usize, assign: Option<&RuleAssign>) {
        match assign {
            Some(assign) => self.around(head, edit::assigned(assign)),
            None => {
                let value = format!(" := {TOLD}({}, true)", self.found.len());
                self.edits.insert(end, &value);
                self.found(head);
            }
        }
    }

    fn around(&mut self, head: &Span, place: (usize, usize)) {
        let open = format!("{TOLD}({}, ", self.found.len());
        self.edits.around(place, &open, ")");
        self.found(head);
    }

    fn found(&mut self, head: &Span) {
        self.found.push(Head {
            module: self.module,
            line: syntax::place(head).0,
        });
    }
}

/// Whether an expression is a variable of ours.
pub(crate) fn is_ours(expr: &Expr) -> bool {
    matches!(expr, Expr::Var { span, .. } if span.text().starts_with("__portcullis"))
}
