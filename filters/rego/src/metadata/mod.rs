//! `rego.metadata.rule` and `rego.metadata.chain`: the annotations in a policy's comments. OPA puts
//! constants in the place of such calls when it compiles; so do we, before anything else is checked.
//!
//! Nothing moves to another line.

mod annotation;
mod comments;

use std::collections::BTreeMap;

use regorus::unstable::{self as ast, Ref, Rule, Span};

use crate::{
    edit::{self, Edits},
    error::{LoadError, LoadErrors},
    source::Module,
    steps, syntax,
    value::{self, Value},
    visit::{Call, Visitor},
    walk,
};
use annotation::{Annotation, Scope};

/// The paths, without `data`, that a module's annotations call entrypoints. A package stands for
/// everything in it. What is wrong with an annotation is no concern here.
#[cfg(feature = "tools")]
pub(crate) fn entrypoints(source: &Module, tree: &ast::Module) -> Vec<Vec<String>> {
    let package = syntax::package_path(tree);
    let statements = statements(tree);
    let annotated = comments::blocks(&source.text)
        .into_iter()
        .filter_map(|block| {
            let is_entrypoint = Annotation::read(&block.text).ok()?.is_entrypoint;
            let (_, statement) = statements.iter().find(|(at, _)| *at > block.row)?;
            match statement {
                Statement::Rule(index) if is_entrypoint => {
                    Some(syntax::path_of(&package, tree.policy.get(*index)?))
                }
                Statement::Package if is_entrypoint => Some(package.clone()),
                _ => None,
            }
        });
    annotated.collect()
}

const RULE: &str = "rego.metadata.rule";
const CHAIN: &str = "rego.metadata.chain";

/// None where nothing asks for annotations: then they are comments like any other.
///
/// # Errors
/// What is wrong with an annotation.
pub(crate) async fn modules(
    sources: &[Module],
    trees: &[Ref<ast::Module>],
) -> Result<Option<Vec<Module>>, LoadErrors> {
    let mut asked: Vec<Vec<Asked>> = Vec::new();
    for tree in trees {
        let mut finder = Finder {
            hidden: syntax::names(tree, trees).contains("rego"),
            rule: 0,
            found: BTreeMap::new(),
        };
        for (index, rule) in tree.policy.iter().enumerate() {
            finder.rule = index;
            walk::rule(rule, &mut finder);
        }
        asked.push(finder.found.into_values().collect());
        steps::pause().await;
    }
    if asked.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let set = Set::read(sources, trees)?;
    let mut asked = asked.into_iter().enumerate();
    let annotated = edit::modules(sources, trees, |tree| {
        let mut edits = Edits::default();
        if let Some((index, calls)) = asked.next() {
            for call in calls {
                let constant = match call.name {
                    RULE => set.primary((index, call.rule)),
                    _ => set.chain((index, call.rule), tree),
                };
                edits.replace(call.place, &call.written(&constant));
            }
        }
        edits
    })
    .await;
    Ok(Some(annotated))
}

/// A call that a constant is to replace.
struct Asked {
    name: &'static str,
    /// Its position in the module.
    rule: usize,
    place: (usize, usize),
    /// What takes the result, where it is the argument.
    output: Option<String>,
    is_statement: bool,
}

impl Asked {
    fn written(&self, constant: &Value) -> String {
        let literal = value::to_json(constant).to_string();
        match &self.output {
            Some(output) => format!("{output} = {literal}"),
            // A body could begin with such a brace.
            None if self.is_statement => format!("({literal})"),
            None => literal,
        }
    }
}

struct Finder {
    /// Something else is called `rego` here.
    hidden: bool,
    rule: usize,
    /// By their places: a body of several values is walked more than once.
    found: BTreeMap<(usize, usize), Asked>,
}

impl Visitor for Finder {
    fn call(&mut self, call: &Call<'_>) {
        let name = match call.name.as_deref() {
            Some(RULE) => RULE,
            Some(CHAIN) => CHAIN,
            _ => return,
        };
        let output = match call.arguments {
            [] => None,
            [output] if call.is_statement => {
                let (start, end) = edit::of(output);
                let text = call.span.source.contents().get(start..end);
                Some(text.unwrap_or("_").to_owned())
            }
            _ => return,
        };
        if !self.hidden {
            let asked = Asked {
                name,
                rule: self.rule,
                place: edit::range(call.span),
                output,
                is_statement: call.is_statement,
            };
            self.found.insert(asked.place, asked);
        }
    }
}

/// A rule: the positions of its module and of itself.
type RuleAt = (usize, usize);

/// The annotations of all modules.
#[derive(Default)]
struct Set {
    /// From the nearest to the farthest.
    rules: BTreeMap<RuleAt, Vec<Value>>,
    documents: BTreeMap<Vec<String>, Value>,
    packages: BTreeMap<Vec<String>, Value>,
    subpackages: BTreeMap<Vec<String>, Value>,
    paths: BTreeMap<RuleAt, Vec<String>>,
}

impl Set {
    fn read(sources: &[Module], trees: &[Ref<ast::Module>]) -> Result<Set, LoadErrors> {
        let mut set = Set::default();
        let mut errors = Vec::new();
        for (index, (source, tree)) in sources.iter().zip(trees).enumerate() {
            for (rule_index, rule) in tree.policy.iter().enumerate() {
                set.paths.insert(
                    (index, rule_index),
                    syntax::path_of(&syntax::package_path(tree), rule),
                );
            }
            let statements = statements(tree);
            for block in comments::blocks(&source.text) {
                let read = Annotation::read(&block.text).and_then(|annotation| {
                    set.add(annotation, index, block.row, &statements, tree)
                });
                if let Err(what) = read {
                    let error = LoadError::new(&source.path, format!("in the metadata: {what}"));
                    errors.push(error.at(block.row, 1));
                }
            }
        }
        LoadErrors::refuse(errors)?;
        Ok(set)
    }

    /// Attaches an annotation to the first statement that follows it.
    fn add(
        &mut self,
        annotation: Annotation,
        module: usize,
        row: u32,
        statements: &[(u32, Statement)],
        tree: &ast::Module,
    ) -> Result<(), String> {
        let statement = statements.iter().find(|(at, _)| *at > row);
        let statement = statement.map(|(_, statement)| *statement);
        let scope = match (annotation.scope, statement) {
            (Some(scope), _) => scope,
            (None, Some(Statement::Package)) => Scope::Package,
            (None, Some(Statement::Rule(_))) if annotation.is_entrypoint => Scope::Document,
            (None, Some(Statement::Rule(_))) => Scope::Rule,
            (None, Some(Statement::Import)) => {
                return Err("an import has no annotations".to_owned());
            }
            (None, None) => return Err("nothing follows that it would describe".to_owned()),
        };
        if annotation.is_entrypoint && !matches!(scope, Scope::Document | Scope::Package) {
            return Err("only a document or a package can be an entrypoint".to_owned());
        }
        let value = annotation.value(scope);
        match (scope, statement) {
            (Scope::Rule, Some(Statement::Rule(rule))) => {
                self.rules
                    .entry((module, rule))
                    .or_default()
                    .insert(0, value);
                Ok(())
            }
            (Scope::Document, Some(Statement::Rule(rule))) => {
                let path = self.paths.get(&(module, rule)).cloned();
                once(&mut self.documents, path.unwrap_or_default(), value)
            }
            (Scope::Package, Some(Statement::Package)) => {
                once(&mut self.packages, syntax::package_path(tree), value)
            }
            (Scope::Subpackages, Some(Statement::Package)) => {
                once(&mut self.subpackages, syntax::package_path(tree), value)
            }
            (Scope::Rule | Scope::Document, _) => {
                Err(format!("the scope `{}` wants a rule", scope.name()))
            }
            (Scope::Package | Scope::Subpackages, _) => {
                Err(format!("the scope `{}` wants a package", scope.name()))
            }
        }
    }

    /// The nearest annotations of the scope of a rule, or an empty object.
    fn primary(&self, rule: RuleAt) -> Value {
        let nearest = self.rules.get(&rule).and_then(|values| values.first());
        nearest.cloned().unwrap_or_else(Value::new_object)
    }

    /// From the rule outwards: its own, its document's, its package's, the packages' above.
    fn chain(&self, rule: RuleAt, tree: &ast::Module) -> Value {
        let path = self.paths.get(&rule).cloned().unwrap_or_default();
        let package = syntax::package_path(tree);
        let mut links = match self.rules.get(&rule) {
            Some(values) => values
                .iter()
                .map(|value| link(&path, Some(value)))
                .collect(),
            None => vec![link(&path, None)],
        };
        let outer = [
            (&path, self.documents.get(&path)),
            (&package, self.packages.get(&package)),
        ];
        for (path, value) in outer {
            links.extend(value.map(|value| link(path, Some(value))));
        }
        for length in (1..=package.len()).rev() {
            let path = package.get(..length).unwrap_or_default().to_vec();
            let value = self.subpackages.get(&path);
            links.extend(value.map(|value| link(&path, Some(value))));
        }
        value::array(links)
    }
}

fn link(path: &[String], annotations: Option<&Value>) -> Value {
    let path = value::array(path.iter().map(|segment| value::string(segment)));
    let annotations = annotations.map(|value| (value::string("annotations"), value.clone()));
    value::object(
        [(value::string("path"), path)]
            .into_iter()
            .chain(annotations),
    )
}

fn once(
    known: &mut BTreeMap<Vec<String>, Value>,
    path: Vec<String>,
    value: Value,
) -> Result<(), String> {
    let shown = path.join(".");
    match known.insert(path, value) {
        None => Ok(()),
        Some(_) => Err(format!("`{shown}` has annotations of this scope already")),
    }
}

#[derive(Clone, Copy)]
enum Statement {
    Package,
    Import,
    Rule(usize),
}

/// By the lines they begin in.
fn statements(tree: &ast::Module) -> Vec<(u32, Statement)> {
    let row = |span: &Span| syntax::place(span).0;
    let package = [(row(&tree.package.span), Statement::Package)];
    let imports = tree
        .imports
        .iter()
        .map(|import| (row(&import.span), Statement::Import));
    let rules = tree.policy.iter().enumerate().map(|(index, rule)| {
        let (Rule::Spec { span, .. } | Rule::Default { span, .. }) = rule.as_ref();
        (row(span), Statement::Rule(index))
    });
    let mut statements: Vec<_> = package.into_iter().chain(imports).chain(rules).collect();
    statements.sort_by_key(|(row, _)| *row);
    statements
}
