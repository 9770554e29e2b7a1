//! The virtual machine takes a conflict for undefined, or for its last value: where OPA and the
//! interpreter stop, `not rule` would be true. So the machine is given a policy in which each value
//! that may conflict first passes through a call that the host answers, and the host stops it.
//!
//! Calls are put around what the syntax tree's spans say; nothing moves to another line.

use std::collections::{BTreeMap, BTreeSet};

use regorus::{
    rvm::vm::RegoVM,
    unstable::{self as ast, Expr, Ref, Rule, RuleAssign, RuleHead, Span},
};

use crate::{
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
            if source.text.contains("__portcullis") {
                return Err(format!("{} uses a name of ours", source.path));
            }
            let mut edits = Edits::default();
            let package = walk::package_path(tree);
            for rule in &tree.policy {
                if values.contains(&path_of(&package, rule)) {
                    edits.values_of(rule)?;
                }
                walk::rule(rule, &mut edits);
            }
            if let Some(reason) = edits.unfit {
                return Err(reason);
            }
            Ok(Module {
                path: source.path.clone(),
                text: edits.apply(&source.text),
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
                && iterates(rule, &package, tree, &definitions)
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

fn iterates(
    rule: &Rule,
    package: &[String],
    tree: &ast::Module,
    rules: &BTreeMap<Vec<String>, Vec<Definition>>,
) -> bool {
    let mut names: BTreeSet<&str> = rules
        .keys()
        .filter_map(|path| path.strip_prefix(package)?.first().map(String::as_str))
        .collect();
    names.extend(
        tree.imports
            .iter()
            .filter_map(|import| import.r#as.as_ref().map(|alias| alias.text())),
    );
    let mut finder = Iterates {
        names,
        found: false,
    };
    walk::rule(rule, &mut finder);
    finder.found
}

struct Iterates<'a> {
    /// What a bare name may be other than a variable.
    names: BTreeSet<&'a str>,
    found: bool,
}

impl Visitor for Iterates<'_> {
    fn iterates(&mut self, variable: Option<&str>) {
        self.found |= !variable.is_some_and(|name| name != "_" && self.names.contains(name));
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

/// Texts to put in, and single bytes to replace, by where.
#[derive(Default)]
struct Edits {
    /// At one place, what closes stands before what opens.
    closing: BTreeMap<usize, String>,
    opening: BTreeMap<usize, String>,
    colons: BTreeSet<usize>,
    objects: BTreeSet<(usize, usize)>,
    /// Why there is no guarding this module.
    unfit: Option<String>,
}

impl Edits {
    fn apply(&self, text: &str) -> String {
        let mut edited = String::with_capacity(text.len());
        for (offset, character) in text.char_indices() {
            self.at(offset, &mut edited);
            if self.colons.contains(&offset) {
                edited.push(',');
            } else {
                edited.push(character);
            }
        }
        self.at(text.len(), &mut edited);
        edited
    }

    fn at(&self, offset: usize, edited: &mut String) {
        for texts in [&self.closing, &self.opening] {
            edited.push_str(texts.get(&offset).map_or("", String::as_str));
        }
    }

    fn around(&mut self, (start, end): (usize, usize), open: &str, close: &str) {
        // What is put around later is inside: the walk goes from the outside in.
        self.opening.entry(start).or_default().push_str(open);
        self.closing.entry(end).or_default().insert_str(0, close);
    }

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
            self.around(assigned(assign), &open, ")");
        }
        Ok(())
    }
}

impl Visitor for Edits {
    fn object_comprehension(&mut self, whole: &Span, key: &Expr, value: &Expr) {
        let source = whole.source.contents();
        let (place, key, value) = (range(whole), range(key.span()), range(value.span()));
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
        self.around(place, &format!("{PAIRS}("), ")");
        self.around((key.0, value.1), "[", "]");
        self.colons.insert(key.1.saturating_add(colon));
    }
}

fn why(span: &Span, what: &str) -> String {
    format!("{}:{} {what}", span.source.file(), walk::place(span).0)
}

/// What a span covers. regorus leaves out the quotes of a string at either end.
fn range(span: &Span) -> (usize, usize) {
    let offset = |at: u32| usize::try_from(at).unwrap_or_default();
    let (start, end) = (offset(span.start), offset(span.end));
    let bytes = span.source.contents().as_bytes();
    let quote = |at: Option<usize>| {
        let at = at.and_then(|at| bytes.get(at));
        usize::from(matches!(at, Some(b'"' | b'`')))
    };
    (
        start.saturating_sub(quote(start.checked_sub(1))),
        end.saturating_add(quote(Some(end))),
    )
}

/// Where an assigned value stands: after the operator and what is blank.
fn assigned(assign: &RuleAssign) -> (usize, usize) {
    let (start, end) = range(&assign.span);
    let text = assign
        .span
        .source
        .contents()
        .get(start..end)
        .unwrap_or_default();
    let value = text.trim_start_matches([':', '=']).trim_start();
    (
        start.saturating_add(text.len().saturating_sub(value.len())),
        end,
    )
}
