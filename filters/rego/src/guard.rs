//! The virtual machine takes a conflict for undefined, or for its last value: where OPA and the
//! interpreter stop, `not rule` would be true. So the machine is given a policy in which each value
//! that may conflict first passes through a call that the host answers, and the host stops it.
//!
//! Calls are put around what the syntax tree's spans say; nothing moves to another line.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{self as ast, Expr, Literal, Query, Ref, Rule, RuleAssign, RuleHead, Span};

use crate::{
    edit::{self, Edits},
    forms::{self, Form},
    loops,
    source::Module,
    steps, syntax,
    value::Value,
    visit::Visitor,
    walk,
};

/// A complete rule's or a function's value.
pub(crate) const VALUE: &str = "__portcullis_value";
/// A partial object's key and value.
pub(crate) const ENTRY: &str = "__portcullis_entry";
/// An object comprehension as the set of its pairs.
pub(crate) const PAIRS: &str = "__portcullis_pairs";

/// The guards' names and numbers of arguments.
pub(crate) const NAMES: [(&str, usize); 3] = [(VALUE, 1), (ENTRY, 2), (PAIRS, 1)];

/// Whether a name that the machine asks for is a guard's.
pub(crate) fn is_guard(name: &str) -> bool {
    NAMES.iter().any(|(guard, _)| *guard == name)
}

/// What the machine is given.
pub(crate) struct Guarded {
    pub modules: Vec<Module>,
    /// The rules that could not be guarded, and why.
    pub unfit: Vec<(Vec<String>, Form)>,
}

/// Of modules whose bodies all stand in braces.
pub(crate) async fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Guarded {
    let values = conflicting(trees).await;
    let mut unfit = Vec::new();
    let modules = edit::modules(sources, trees, |tree| {
        let package = syntax::package_path(tree);
        let mut guards = Guards {
            edits: Edits::default(),
            seen: BTreeSet::new(),
            is_nested: false,
            unfit: Vec::new(),
        };
        for rule in &tree.policy {
            let path = syntax::path_of(&package, rule);
            if values.contains(&path) {
                guards.values_of(rule);
            }
            guards.is_nested = false;
            walk::rule(rule, &mut guards);
            if guards.is_nested {
                guards.load_roots(rule, edit::opening(tree));
            }
            unfit.extend(guards.unfit.drain(..).map(|form| (path.clone(), form)));
        }
        guards.edits
    })
    .await;
    Guarded { modules, unfit }
}

/// The rules of which more than one value may come. Partial sets cannot conflict.
async fn conflicting(trees: &[Ref<ast::Module>]) -> BTreeSet<Vec<String>> {
    let mut definitions: BTreeMap<Vec<String>, Vec<Definition>> = BTreeMap::new();
    for tree in trees {
        let package = syntax::package_path(tree);
        for rule in &tree.policy {
            definitions
                .entry(syntax::path_of(&package, rule))
                .or_default()
                .extend(Definition::of(rule));
        }
        steps::pause().await;
    }
    let mut conflicting: BTreeSet<Vec<String>> = definitions
        .iter()
        .filter(|(_, definitions)| match definitions.as_slice() {
            [] => false,
            [only] => only.may_repeat && !only.is_constant(),
            [first, ..] => {
                !first.is_constant() || definitions.iter().any(|other| other.values != first.values)
            }
        })
        .map(|(path, _)| path.clone())
        .collect();
    // A single definition conflicts with itself where its body succeeds more than once.
    for tree in trees {
        let package = syntax::package_path(tree);
        for rule in &tree.policy {
            let path = syntax::path_of(&package, rule);
            if let Some([only]) = definitions.get(&path).map(Vec::as_slice)
                && only.values.contains(&None)
                && loops::in_rule(rule, &syntax::names(tree, trees))
            {
                conflicting.insert(path);
            }
        }
        steps::pause().await;
    }
    conflicting
}

/// One definition of a rule: the values it may have, each where it is constant.
struct Definition {
    values: Vec<Option<Value>>,
    may_repeat: bool,
}

impl Definition {
    fn of(rule: &Rule) -> Option<Definition> {
        let Rule::Spec { head, bodies, .. } = rule else {
            return None;
        };
        let (assign, may_repeat) = match head {
            RuleHead::Compr { refr, assign, .. } => (
                assign.as_ref(),
                matches!(refr.as_ref(), Expr::RefBrack { .. }),
            ),
            RuleHead::Func { assign, .. } => (assign.as_ref(), false),
            RuleHead::Set { .. } => return None,
        };
        let value = |assign: Option<&RuleAssign>| match assign {
            Some(assign) => constant(&assign.value),
            None => Some(Value::Bool(true)),
        };
        let elses = bodies
            .iter()
            .filter(|body| body.is_else)
            .map(|body| value(body.assign.as_ref()));
        // Rego v0 lets one head have several bodies: as many values.
        let heads = bodies.iter().filter(|body| !body.is_else).count().max(1);
        Some(Definition {
            values: std::iter::repeat_n(value(assign), heads)
                .chain(elses)
                .collect(),
            may_repeat: may_repeat || heads > 1,
        })
    }

    /// Always one and the same value.
    fn is_constant(&self) -> bool {
        match self.values.as_slice() {
            [Some(first), rest @ ..] => rest.iter().all(|value| value.as_ref() == Some(first)),
            _ => false,
        }
    }
}

/// The value of an expression that has no variables.
fn constant(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::String { value, .. }
        | Expr::RawString { value, .. }
        | Expr::Number { value, .. }
        | Expr::Bool { value, .. }
        | Expr::Null { value, .. } => Some(value.clone()),
        Expr::Array { items, .. } => {
            let items: Option<Vec<Value>> = items.iter().map(|item| constant(item)).collect();
            items.map(Value::from)
        }
        Expr::Object { fields, .. } => {
            let fields: Option<BTreeMap<Value, Value>> = fields
                .iter()
                .map(|(_, key, value)| Some((constant(key)?, constant(value)?)))
                .collect();
            fields.map(Value::from)
        }
        _ => None,
    }
}

/// The guards of one module.
struct Guards {
    edits: Edits,
    /// What was guarded: a body of several values is walked more than once.
    seen: BTreeSet<(usize, usize)>,
    /// Whether the rule holds a comprehension or an `every`.
    is_nested: bool,
    /// Why the rule cannot be guarded.
    unfit: Vec<Form>,
}

impl Guards {
    fn values_of(&mut self, rule: &Rule) {
        let Rule::Spec { head, bodies, span } = rule else {
            return;
        };
        let (head, assign, open) = match head {
            RuleHead::Func { span, assign, .. } => (span, assign.as_ref(), format!("{VALUE}(")),
            RuleHead::Compr { span, refr, assign } => {
                let open = match refr.as_ref() {
                    Expr::RefBrack { index, .. } => match index.as_ref() {
                        Expr::Var { span, .. } => format!("{ENTRY}({}, ", span.text()),
                        _ => {
                            return self
                                .unfit
                                .push(Form::new(span, "has a key that is no variable"));
                        }
                    },
                    _ => format!("{VALUE}("),
                };
                (span, assign.as_ref(), open)
            }
            RuleHead::Set { .. } => return,
        };
        match assign {
            Some(assign) => self.edits.around(edit::assigned(assign), &open, ")"),
            None => {
                let end = edit::range(head).1;
                self.edits.insert(end, &format!(" := {open}true)"));
            }
        }
        for body in bodies.iter().filter(|body| body.is_else) {
            match &body.assign {
                Some(assign) => self.edits.around(edit::assigned(assign), &open, ")"),
                None => self
                    .unfit
                    .push(Form::new(span, "has an `else` without a value")),
            }
        }
    }

    /// The machine loads `input` and `data` where a body first needs them; where that is inside of
    /// a comprehension that comes to nothing, they are undefined in what follows, and
    /// `not input.banned` is true. So each such body begins with a use of both that always holds.
    fn load_roots(&mut self, rule: &Rule, opening: &str) {
        const LOAD: &str = "not [input, data.__portcullis] == 0";
        let Rule::Spec { head, bodies, .. } = rule else {
            return;
        };
        if bodies.is_empty() {
            let (RuleHead::Compr { span, .. }
            | RuleHead::Set { span, .. }
            | RuleHead::Func { span, .. }) = head;
            let end = edit::range(span).1;
            self.edits.insert(end, &format!("{opening}{LOAD} }}"));
        }
        for body in bodies {
            match body.query.stmts.first() {
                Some(first) => {
                    let start = edit::range(&first.span).0;
                    self.edits.insert(start, &format!("{LOAD}; "));
                }
                // `else := value` and nothing more.
                None => match &body.assign {
                    Some(assign) => {
                        let end = edit::assigned(assign).1;
                        self.edits.insert(end, &format!("{opening}{LOAD} }}"));
                    }
                    None => self.unfit.push(Form::new(&body.span, "has an empty body")),
                },
            }
        }
    }
}

impl Visitor for Guards {
    /// The machine goes on past `x := input.nothing`; it does stop at `x == x`.
    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            let Literal::Expr { expr, .. } = &statement.literal else {
                continue;
            };
            let Expr::AssignExpr { lhs, rhs, .. } = expr.as_ref() else {
                continue;
            };
            let place = edit::range(&statement.span);
            if let Expr::Var { span, .. } = lhs.as_ref()
                && span.text() != "_"
                && !forms::is_defined(rhs, &|_| true)
                && self.seen.insert(place)
            {
                let check = format!("; {0} == {0}", span.text());
                self.edits.insert(place.1, &check);
            }
        }
    }

    fn nested(&mut self) {
        self.is_nested = true;
    }

    fn object_comprehension(&mut self, whole: &Span, key: &Expr, value: &Expr, _: &Query) {
        let source = whole.source.contents();
        let place = edit::range(whole);
        let (key, value) = (edit::of(key), edit::of(value));
        if !self.seen.insert(place) {
            return;
        }
        let gap = source.get(key.1..value.0).unwrap_or_default();
        let colon = edit::find(&whole.source, (key.1, value.0), ":");
        let Some(colon) = colon.filter(|_| !gap.contains(['(', ')'])) else {
            let what = "has an object comprehension that cannot be guarded";
            return self.unfit.push(Form::new(whole, what));
        };
        self.edits.around(place, &format!("{PAIRS}("), ")");
        self.edits.around((key.0, value.1), "[", "]");
        self.edits.replace((colon, colon.saturating_add(1)), ",");
    }
}
