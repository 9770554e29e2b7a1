//! Calls of builtins in the one form that the evaluators take. Rego lets a call's result be one
//! argument more, lets `walk` iterate, and lets `with` put something in a builtin's place; regorus
//! does so for the builtins it knows. So `f(x, y)` becomes `f(x) = (y)`, `walk(x)` the members of an
//! array, and a builtin that `with` replaces somewhere becomes a rule of a module of ours.
//!
//! Nothing moves to another line.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Expr, Ref, Span};

use crate::{
    builtins::{self, Known},
    check::Rules,
    edit::{self, Edits},
    inspect::Names,
    source::Module,
    steps, syntax,
    visit::{Call, Visitor},
    walk,
};

/// The modules with their calls in this form; one more where builtins are replaced.
pub(crate) async fn modules(
    sources: &[Module],
    trees: &[Ref<ast::Module>],
    rules: &Rules,
) -> Vec<Module> {
    let names_of = |tree: &ast::Module| Names::of(tree, trees, rules.sets());
    let mut replaced = BTreeSet::new();
    for tree in trees {
        let names = names_of(tree);
        let mut finder = Finder {
            names: &names,
            replaced,
        };
        for rule in &tree.policy {
            walk::rule(rule, &mut finder);
        }
        replaced = finder.replaced;
        steps::pause().await;
    }
    let mut modules = edit::modules(sources, trees, |tree| {
        let names = names_of(tree);
        let mut calls = Calls {
            names: &names,
            replaced: &replaced,
            edits: Edits::default(),
            seen: BTreeSet::new(),
        };
        for rule in &tree.policy {
            walk::rule(rule, &mut calls);
        }
        calls.edits
    })
    .await;
    if !replaced.is_empty() {
        modules.push(stand_ins(&replaced));
    }
    modules
}

const PACKAGE: &str = "__portcullis_builtins";

/// The rule that stands for a builtin.
fn stand_in(name: &str) -> String {
    format!("data.{PACKAGE}.{}", rule_name(name))
}

/// Not the builtin's own name, which would then be the rule's inside of its package.
fn rule_name(name: &str) -> String {
    format!("call_{}", name.replace('.', "__"))
}

fn stand_ins(replaced: &BTreeSet<String>) -> Module {
    let mut text = format!("package {PACKAGE}\n");
    for name in replaced {
        if name == builtins::RUNTIME {
            text.push_str(&format!("\n{}() := {{}}\n", rule_name(name)));
        }
        if let Some(arity) = arity(name) {
            let arguments: Vec<String> = (0..arity).map(|index| format!("a{index}")).collect();
            let arguments = arguments.join(", ");
            let own = rule_name(name);
            text.push_str(&format!("\n{own}({arguments}) := {name}({arguments})\n"));
        }
    }
    Module::new(format!("{PACKAGE}.rego"), text)
}

fn arity(name: &str) -> Option<usize> {
    match builtins::known(name) {
        Some(Known::Arity(arity)) => Some(arity),
        _ => None,
    }
}

/// Whether a name means a builtin where it stands.
fn is_builtin(names: &Names, name: &str) -> bool {
    !names.is_resolved(name) && arity(name).is_some()
}

/// The same for what `with` puts in the place of another.
fn is_replacement(names: &Names, target: &Expr, name: &str) -> bool {
    is_builtin(names, name) || names.is_empty_runtime(target, name)
}

/// Finds what `with` replaces, and by what.
struct Finder<'a> {
    names: &'a Names,
    replaced: BTreeSet<String>,
}

impl Visitor for Finder<'_> {
    fn replaced(&mut self, target: &Expr, by: &Expr) {
        self.replaced
            .extend(syntax::name(target).filter(|name| is_builtin(self.names, name)));
        self.replaced
            .extend(syntax::name(by).filter(|name| is_replacement(self.names, target, name)));
    }
}

struct Calls<'a> {
    names: &'a Names,
    replaced: &'a BTreeSet<String>,
    edits: Edits,
    /// A body of several values is walked more than once.
    seen: BTreeSet<(usize, usize)>,
}

impl Calls<'_> {
    fn rename(&mut self, at: &Span, name: &str) {
        if self.replaced.contains(name) && self.seen.insert(edit::range(at)) {
            self.edits.replace(edit::range(at), &stand_in(name));
        }
    }
}

impl Visitor for Calls<'_> {
    fn replaced(&mut self, target: &Expr, by: &Expr) {
        if let Some(name) = syntax::name(target)
            && is_builtin(self.names, &name)
        {
            self.rename(target.span(), &name);
        }
        if let Some(name) = syntax::name(by)
            && is_replacement(self.names, target, &name)
        {
            self.rename(by.span(), &name);
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        let Some(name) = call.name.as_deref() else {
            return;
        };
        let place = edit::range(call.span);
        if !is_builtin(self.names, name) || !self.seen.insert(place) {
            return;
        }
        let is_walk = name == "walk";
        if is_walk {
            let function = edit::of(call.function);
            self.edits.replace(function, builtins::WALK);
        } else {
            self.rename(call.function.span(), name);
        }
        let members = if is_walk { "[_]" } else { "" };
        let arity = arity(name).unwrap_or(usize::MAX);
        match call.arguments.get(arity) {
            None => self.edits.insert(place.1, members),
            Some(result) => {
                let (result, end) = edit::of(result);
                let before = arity
                    .checked_sub(1)
                    .and_then(|last| call.arguments.get(last));
                let (start, symbol) = match before {
                    Some(last) => (edit::of(last).1, ","),
                    None => (edit::of(call.function).1, "("),
                };
                let Some(at) = edit::find(&call.span.source, (start, result), symbol) else {
                    return;
                };
                // A comma may stand after the last argument.
                if let Some(comma) = edit::find(&call.span.source, (end, place.1), ",") {
                    self.edits.replace((comma, comma.saturating_add(1)), "");
                }
                let opened = if before.is_some() { "" } else { "(" };
                self.edits.replace(
                    (at, at.saturating_add(1)),
                    &format!("{opened}){members} = ("),
                );
            }
        }
    }
}
