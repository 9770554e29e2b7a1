//! What stands where in a policy, as it is written: its rules, their bodies, and the conditions in
//! them.

mod parts;

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Query, Rule, RuleHead, Span};

use self::parts::Parts;
use crate::{
    edit,
    error::LoadErrors,
    load::plain,
    parse::parse,
    source::{Module, RegoVersion},
    steps, syntax,
};

/// A file of Rego.
#[derive(Clone, Debug)]
pub struct ModuleOutline {
    /// As errors name it.
    pub path: String,
    /// `data.envoy.authz`.
    pub package: String,
    /// The same with any name for a segment: `data["a"]["b-c"]`.
    pub(super) reference: String,
    pub definitions: Vec<Definition>,
    /// As the places count. Templates are written out in it, on the same lines.
    pub(super) text: String,
    /// The module's own.
    pub(super) version: Option<RegoVersion>,
    /// As it is written.
    original: String,
}

/// Where something stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// Bytes of the text.
    pub start: usize,
    pub end: usize,
}

/// One definition of a rule. A rule may have several.
#[derive(Clone, Debug)]
pub struct Definition {
    /// `data.envoy.authz.allow`.
    pub rule: String,
    pub place: Place,
    pub kind: Kind,
    /// The patterns of a function's arguments, as they are written.
    pub arguments: Vec<String>,
    /// One for each body, and one where there is none.
    pub branches: Vec<Branch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Default,
    /// One value.
    Complete,
    /// A member of a set or of an object.
    Partial,
    Function,
}

/// A body of a definition: `if`, or `else`.
#[derive(Clone, Debug)]
pub struct Branch {
    pub place: Place,
    /// Asked only where those before it do not hold.
    pub is_else: bool,
    /// What the rule is where this holds; `true` where it does not say.
    pub value: Option<String>,
    pub conditions: Vec<Statement>,
}

/// A statement of a body.
#[derive(Clone, Debug)]
pub struct Statement {
    pub place: Place,
    /// As it is written.
    pub text: String,
    /// `not ...`.
    pub is_negated: bool,
    /// Only gives names to values: `some x`, `x := ...`. It may be undefined all the same.
    pub binds: bool,
    /// What it compares, calls or looks up, from the left, as it is written.
    pub(super) parts: Vec<String>,
    /// The same of what `with` replaces by: that sees nothing of the replacement.
    pub(super) given: Vec<String>,
    /// The paths of documents and rules that it refers to.
    pub(super) uses: Vec<String>,
    /// The functions of the policy that it calls, with the arguments.
    pub(super) calls: Vec<(String, Vec<String>)>,
    /// `with input as ...`, by what is replaced and what with.
    pub(super) with: Vec<(String, String)>,
}

/// The modules in their order.
///
/// # Errors
/// What is no Rego.
pub fn outline(modules: &[Module], version: RegoVersion) -> Result<Vec<ModuleOutline>, LoadErrors> {
    let plain: Result<Vec<Module>, _> = modules
        .iter()
        .cloned()
        .map(|module| plain(module, version))
        .collect();
    let plain = plain?;
    let mut engine = steps::finish(parse(&plain, version))?;
    let trees = engine.get_modules();
    let outlined = plain
        .iter()
        .zip(modules)
        .zip(trees)
        .map(|((module, written), tree)| {
            let package = syntax::package_path(tree);
            let prefix = format!("data.{}", package.join("."));
            let imports = tree.imports.iter().filter_map(|import| {
                let (root, segments) = syntax::reference(&import.refr)?;
                let path: Option<Vec<String>> = segments.into_iter().collect();
                let path = path?;
                let alias = match &import.r#as {
                    Some(alias) => alias.text().to_owned(),
                    None => path.last()?.clone(),
                };
                Some((alias, format!("{root}.{}", path.join("."))))
            });
            let own = trees
                .iter()
                .filter(|other| syntax::package_path(other) == package)
                .flat_map(|other| &other.policy)
                .filter_map(|rule| {
                    let root = syntax::static_prefix(syntax::head(rule))
                        .into_iter()
                        .next()?;
                    Some((root.clone(), format!("{prefix}.{root}")))
                });
            let names: Vec<(String, String)> = imports.chain(own).collect();
            let definitions = tree
                .policy
                .iter()
                .map(|rule| definition(&package, rule, &names))
                .collect();
            ModuleOutline {
                path: module.path.clone(),
                package: prefix,
                reference: reference(&package),
                definitions,
                text: module.text.clone(),
                version: module.version,
                original: written.text.clone(),
            }
        });
    Ok(outlined.collect())
}

impl Statement {
    /// Its parts, each with what is asked for it: under the same replacements.
    pub(super) fn asked(&self) -> Vec<(&str, String)> {
        let with = self.with.iter();
        let with: String = with
            .map(|(target, value)| format!(" with {target} as {value}"))
            .collect();
        let parts = self.parts.iter();
        let parts = parts.map(|part| (part.as_str(), format!("{part}{with}")));
        let given = self.given.iter().map(|part| (part.as_str(), part.clone()));
        parts.chain(given).collect()
    }
}

impl ModuleOutline {
    /// A line of the file, from 1, without the blanks around it.
    pub fn line(&self, line: u32) -> &str {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
        self.original.lines().nth(index).unwrap_or_default().trim()
    }
}

fn reference(package: &[String]) -> String {
    let mut reference = "data".to_owned();
    for segment in package {
        let quoted = serde_json::Value::from(segment.as_str());
        reference.push_str(&format!("[{quoted}]"));
    }
    reference
}

fn definition(package: &[String], rule: &Rule, names: &[(String, String)]) -> Definition {
    let (kind, arguments) = match rule {
        Rule::Default { .. } => (Kind::Default, Vec::new()),
        Rule::Spec { head, .. } => match head {
            RuleHead::Func { args, .. } => {
                let arguments = args.iter().map(|argument| text(argument)).collect();
                (Kind::Function, arguments)
            }
            RuleHead::Set { .. } => (Kind::Partial, Vec::new()),
            RuleHead::Compr { refr, .. } if syntax::dynamic_keys(refr).iter().all(is_text) => {
                (Kind::Complete, Vec::new())
            }
            RuleHead::Compr { .. } => (Kind::Partial, Vec::new()),
        },
    };
    Definition {
        rule: format!("data.{}", syntax::path_of(package, rule).join(".")),
        place: place(rule.span()),
        kind,
        arguments,
        branches: branches(rule, names),
    }
}

fn is_text(key: &&Expr) -> bool {
    syntax::text_of(key).is_some()
}

fn branches(rule: &Rule, names: &[(String, String)]) -> Vec<Branch> {
    let (head_value, span, bodies) = match rule {
        Rule::Default { value, span, .. } => (Some(value), span, &[][..]),
        Rule::Spec { head, bodies, span } => match head {
            RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => (
                assign.as_ref().map(|assign| &assign.value),
                span,
                bodies.as_slice(),
            ),
            RuleHead::Set { key, .. } => (key.as_ref(), span, bodies.as_slice()),
        },
    };
    let head_value = head_value.map(|value| text(value));
    if bodies.is_empty() {
        return vec![Branch {
            place: place(span),
            is_else: false,
            value: head_value,
            conditions: Vec::new(),
        }];
    }
    bodies
        .iter()
        .enumerate()
        .map(|(index, body)| Branch {
            place: place(if index == 0 { span } else { &body.span }),
            is_else: body.is_else,
            value: match (&body.assign, body.is_else) {
                (Some(assign), _) => Some(text(&assign.value)),
                (None, true) => None,
                (None, false) => head_value.clone(),
            },
            conditions: conditions(&body.query, names),
        })
        .collect()
}

/// In an order in which each has what it needs, as far as can be told: Rego takes them in any.
fn conditions(query: &Query, names: &[(String, String)]) -> Vec<Statement> {
    let mut bound = BTreeSet::new();
    let mut left: Vec<&LiteralStmt> = query.stmts.iter().collect();
    let mut found = Vec::new();
    while !left.is_empty() {
        let ready = left
            .iter()
            .position(|statement| parts::is_ready(statement, &bound, names));
        let statement = left.remove(ready.unwrap_or_default());
        let (statement, variables) = condition(statement, &bound, names);
        found.push(statement);
        bound.extend(variables);
    }
    found
}

/// A statement, and the variables that have values after it.
fn condition(
    statement: &LiteralStmt,
    bound: &BTreeSet<String>,
    names: &[(String, String)],
) -> (Statement, BTreeSet<String>) {
    let mut parts = Parts::new(bound, names);
    let (mut is_negated, mut binds) = (false, false);
    match &statement.literal {
        Literal::SomeVars { .. } => binds = true,
        Literal::SomeIn {
            key,
            value,
            collection,
            ..
        } => {
            parts.expr(collection);
            for pattern in key.iter().chain([value]) {
                parts.pattern(pattern);
            }
            binds = true;
        }
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                binds = matches!(op, AssignOp::ColEq);
                if !binds {
                    parts.expr(lhs);
                }
                parts.expr(rhs);
                parts.pattern(lhs);
                parts.pattern(rhs);
            }
            expr => parts.expr(expr),
        },
        Literal::NotExpr { expr, .. } => {
            is_negated = true;
            parts.expr(expr);
            parts.variables.clear();
        }
        Literal::Every { domain, .. } => parts.expr(domain),
    }
    let within = parts.texts.len();
    for with in &statement.with_mods {
        parts.expr(&with.r#as);
    }
    let given = parts.texts.split_off(within);
    let with = statement
        .with_mods
        .iter()
        .map(|with| (text(&with.refr), text(&with.r#as)))
        .collect();
    let place = statement_place(statement);
    let found = Statement {
        place,
        text: slice(&statement.span, (place.start, place.end)),
        is_negated,
        binds,
        parts: parts.texts,
        given,
        uses: parts.uses,
        calls: parts.calls,
        with,
    };
    (found, parts.variables)
}

fn place(span: &Span) -> Place {
    placed(span, edit::range(span))
}

/// regorus leaves out the quotes of a string at either end of a span.
fn placed(span: &Span, (start, end): (usize, usize)) -> Place {
    let before = span.source.contents().get(..start).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count());
    Place {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column.saturating_add(1)).unwrap_or(u32::MAX),
        start,
        end,
    }
}

/// A statement with what `with` puts in other places.
fn statement_place(statement: &LiteralStmt) -> Place {
    let own = place(&statement.span);
    let inner = match &statement.literal {
        Literal::Expr { expr, .. } => Some(edit::of(expr)),
        _ => None,
    };
    let ends = statement
        .with_mods
        .iter()
        .map(|with| edit::of(&with.r#as).1);
    let end = ends
        .chain(inner.map(|(_, end)| end))
        .fold(own.end, usize::max);
    let start = inner.map_or(own.start, |(start, _)| start.min(own.start));
    placed(&statement.span, (start, end))
}

fn text(expr: &Expr) -> String {
    slice(expr.span(), edit::of(expr))
}

fn slice(span: &Span, (start, end): (usize, usize)) -> String {
    let text = span.source.contents().get(start..end);
    text.unwrap_or_default().to_owned()
}
