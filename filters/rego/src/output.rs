//! A call may name a variable for its result after its arguments: `time.date(ns, date)`. regorus's
//! interpreter knows this of its own builtins and of a policy's functions, not of ours, so it is
//! given `date = time.date(ns)`.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Ref};

use crate::{
    builtins,
    edit::{self, Edits},
    source::Module,
    syntax,
    walk::{self, Call, Visitor},
};

/// None where nothing is to change.
pub(crate) fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Option<Vec<Module>> {
    let mut changed = false;
    let modules = sources
        .iter()
        .zip(trees)
        .map(|(source, tree)| {
            let mut outputs = Outputs {
                names: syntax::names(tree, trees),
                edits: Edits::default(),
                seen: BTreeSet::new(),
            };
            for rule in &tree.policy {
                walk::rule(rule, &mut outputs);
            }
            changed |= !outputs.seen.is_empty();
            Module {
                path: source.path.clone(),
                text: outputs.edits.apply(&source.text),
            }
        })
        .collect();
    changed.then_some(modules)
}

struct Outputs {
    names: BTreeSet<String>,
    edits: Edits,
    /// A body of several values is walked more than once.
    seen: BTreeSet<usize>,
}

impl Visitor for Outputs {
    fn call(&mut self, call: &Call<'_>) {
        let Some(name) = call.name.as_deref().filter(|_| call.is_statement) else {
            return;
        };
        let root = name.split('.').next().unwrap_or(name);
        let Some((result, arguments)) = call.arguments.split_last() else {
            return;
        };
        if self.names.contains(root) || !builtins::is_foreign(name, arguments.len()) {
            return;
        }
        let source = call.span.source.contents();
        let (start, end) = edit::range(result.span());
        let Some(text) = source.get(start..end) else {
            return;
        };
        // What goes before the call: with the comma, or with nothing after the parenthesis.
        let from = match arguments.last() {
            Some(last) => edit::range(last.span()).1,
            None => start,
        };
        let (at, _) = edit::range(call.span);
        if text.contains('\n') || !self.seen.insert(at) {
            return;
        }
        self.edits.insert(at, &format!("{text} = "));
        self.edits.replace((from, end), "");
    }
}
