//! The virtual machine takes a conflict for undefined, or for its last value: where OPA and the
//! interpreter stop, `not rule` would be true. So the machine is given a policy in which each value
//! that may conflict first passes through a call that the host answers, and the host stops it.
//!
//! Calls are put around what the syntax tree's spans say; nothing moves to another line.

use std::collections::{BTreeMap, BTreeSet};

use regorus::{
    rvm::vm::RegoVM,
    unstable::{self as ast, Expr, Literal, Query, Ref, Rule, RuleAssign, RuleHead, Span},
};

use crate::{
    edit::{self, Edits},
    forms,
    source::Module,
    value::Value,
    walk::{self, Visitor},
};

/// A complete rule's or a function's value.
const VALUE: &str = "__portcullis_value";
/// A partial object's key and value.
const ENTRY: &str = "__portcullis_entry";
/// An object comprehension as the set of its pairs.
const PAIRS: &str = "__portcullis_pairs";

/// The guards' names and numbers of arguments.
pub(crate) const NAMES: [(&str, usize); 3] = [(VALUE, 1), (ENTRY, 2), (PAIRS, 1)];

/// The modules with their guards, or why they cannot be guarded.
pub(crate) type Guarded = Result<Vec<Module>, String>;

pub(crate) fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Guarded {
    let values = conflicting(trees);
    sources
        .iter()
        .zip(trees)
        .map(|(source, tree)| {
            let mut guards = Guards::default();
            let package = walk::package_path(tree);
            for rule in &tree.policy {
                if values.contains(&path_of(&package, rule)) {
                    guards.values_of(rule)?;
                }
                walk::rule(rule, &mut guards);
            }
            if let Some(reason) = guards.unfit {
                return Err(reason);
            }
            Ok(Module {
                path: source.path.clone(),
                text: guards.edits.apply(&source.text),
            })
        })
        .collect()
}

/// What the machine was told in one evaluation.
#[derive(Default)]
pub(crate) struct Conflicts {
    /// By rule: the arguments it last had, and the value it gave. A rule is in no two calls at
    /// once, since recursion is refused; and one that is asked the same again must say the same.
    values: BTreeMap<u16, (Vec<Value>, Value)>,
}

impl Conflicts {
    /// # Errors
    /// Says what conflicts.
    pub fn answer(
        &mut self,
        name: &str,
        arguments: &[Value],
        machine: &RegoVM,
    ) -> Result<Value, String> {
        match (name, arguments) {
            (VALUE, [value]) => self.value(value, machine),
            (ENTRY, [key, value]) => entry(key, value, machine),
            (PAIRS, [Value::Set(pairs)]) => pairs_to_object(pairs.iter_sorted()),
            _ => Err(format!("the machine asks for `{name}`, which is not known")),
        }
    }

    fn value(&mut self, value: &Value, machine: &RegoVM) -> Result<Value, String> {
        let call = machine
            .get_call_stack()
            .last()
            .ok_or("a value outside of a rule")?;
        let rule = machine
            .get_program()
            .rule_infos
            .get(usize::from(call.rule_index))
            .ok_or("a value of no rule")?;
        let count = rule.function_info.as_ref().map_or(0, |info| {
            usize::try_from(info.num_params).unwrap_or_default()
        });
        // A function's arguments follow its result.
        let arguments = machine
            .get_registers()
            .get(1..count.saturating_add(1))
            .unwrap_or_default();
        if let Some((before, known)) = self.values.get(&call.rule_index)
            && before == arguments
        {
            if known == value {
                return Ok(value.clone());
            }
            return Err(format!("`{}` has more than one value", rule.name));
        }
        self.values
            .insert(call.rule_index, (arguments.to_vec(), value.clone()));
        Ok(value.clone())
    }
}

/// The object so far is the rule's result.
fn entry(key: &Value, value: &Value, machine: &RegoVM) -> Result<Value, String> {
    let call = machine
        .get_call_stack()
        .last()
        .ok_or("an entry outside of a rule")?;
    match machine.get_registers().get(usize::from(call.result_reg)) {
        Some(Value::Object(entries)) => match entries.get(key) {
            Some(known) if known != value => Err("a key has more than one value".to_owned()),
            _ => Ok(value.clone()),
        },
        _ => Err("an entry of no object".to_owned()),
    }
}

fn pairs_to_object<'a>(pairs: impl Iterator<Item = &'a Value>) -> Result<Value, String> {
    let mut entries = BTreeMap::new();
    for pair in pairs {
        if let Value::Array(pair) = pair
            && let [key, value] = pair.as_slice()
            && entries.insert(key.clone(), value.clone()).is_some()
        {
            return Err("a key of an object has more than one value".to_owned());
        }
    }
    Ok(Value::from(entries))
}

/// The rules of which more than one value may come. Partial sets cannot conflict.
fn conflicting(trees: &[Ref<ast::Module>]) -> BTreeSet<Vec<String>> {
    let mut definitions: BTreeMap<Vec<String>, Vec<Definition>> = BTreeMap::new();
    for tree in trees {
        let package = walk::package_path(tree);
        for rule in &tree.policy {
            definitions
                .entry(path_of(&package, rule))
                .or_default()
                .extend(Definition::of(rule));
        }
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
        let package = walk::package_path(tree);
        for rule in &tree.policy {
            let path = path_of(&package, rule);
            if let Some([only]) = definitions.get(&path).map(Vec::as_slice)
                && only.values.contains(&None)
                && walk::iterates(rule, &walk::names(tree, trees))
            {
                conflicting.insert(path);
            }
        }
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

fn path_of(package: &[String], rule: &Rule) -> Vec<String> {
    let refr = match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. }
            | RuleHead::Set { refr, .. }
            | RuleHead::Func { refr, .. } => refr,
        },
        Rule::Default { refr, .. } => refr,
    };
    package
        .iter()
        .cloned()
        .chain(walk::static_prefix(refr))
        .collect()
}

/// The guards of one module.
#[derive(Default)]
struct Guards {
    edits: Edits,
    objects: BTreeSet<(usize, usize)>,
    queries: BTreeSet<(usize, usize)>,
    /// Why there is no guarding this module.
    unfit: Option<String>,
}

impl Guards {
    fn values_of(&mut self, rule: &Rule) -> Result<(), String> {
        let Rule::Spec { head, bodies, span } = rule else {
            return Ok(());
        };
        let (assign, open) = match head {
            RuleHead::Func { assign, .. } => (assign.as_ref(), format!("{VALUE}(")),
            RuleHead::Compr { refr, assign, .. } => match refr.as_ref() {
                Expr::RefBrack { index, .. } => match index.as_ref() {
                    Expr::Var { span, .. } => {
                        (assign.as_ref(), format!("{ENTRY}({}, ", span.text()))
                    }
                    _ => return Err(why(span, "has a key that is no variable")),
                },
                _ => (assign.as_ref(), format!("{VALUE}(")),
            },
            RuleHead::Set { .. } => return Ok(()),
        };
        let heads = bodies.iter().filter(|body| !body.is_else).count();
        if heads > 1 {
            return Err(why(span, "has several bodies"));
        }
        for assign in std::iter::once(assign).chain(
            bodies
                .iter()
                .filter(|body| body.is_else)
                .map(|body| body.assign.as_ref()),
        ) {
            let Some(assign) = assign else {
                return Err(why(
                    span,
                    "is `true` in one place and something else in another",
                ));
            };
            self.edits.around(edit::assigned(assign), &open, ")");
        }
        Ok(())
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
                && self.queries.insert(place)
            {
                edit::append(
                    &mut self.edits,
                    query,
                    statement,
                    &format!("{0} == {0}", span.text()),
                );
            }
        }
    }

    fn object_comprehension(&mut self, whole: &Span, key: &Expr, value: &Expr) {
        let source = whole.source.contents();
        let place = edit::range(whole);
        let (key, value) = (edit::range(key.span()), edit::range(value.span()));
        // A body of several rule values is walked more than once.
        if !self.objects.insert(place) {
            return;
        }
        let gap = source.get(key.1..value.0).unwrap_or_default();
        let Some(colon) = gap.find(':').filter(|_| !gap.contains(['#', '(', ')'])) else {
            self.unfit = Some(why(
                whole,
                "has an object comprehension that cannot be guarded",
            ));
            return;
        };
        self.edits.around(place, &format!("{PAIRS}("), ")");
        self.edits.around((key.0, value.1), "[", "]");
        let colon = key.1.saturating_add(colon);
        self.edits.replace((colon, colon.saturating_add(1)), ",");
    }
}

fn why(span: &Span, what: &str) -> String {
    format!("{}:{} {what}", span.source.file(), walk::place(span).0)
}
