//! Finds the tests of a policy, as OPA does: rules with a name that begins with `test_`, or with
//! `todo_test_` where it is not to run yet.
//!
//! What a test is told apart by is written into the policy: of several rules of one name each becomes
//! a test of its own, and one that makes up an object says which of its entries it is at.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{self as ast, Expr, Query, Ref, Rule, RuleHead};

use super::Test;
use crate::{
    bind,
    edit::{self, Edits},
    error::LoadErrors,
    parse::Parsed,
    source::{Entrypoint, Sources},
    syntax,
};

const PREFIX: &str = "test_";
const SKIPPED_PREFIX: &str = "todo_test_";

/// How a printed line begins that tells of an entry.
pub(super) const ENTRY: &str = "__portcullis_entry ";

/// The tests in the order of their places, and the sources in which each has a rule of its own.
///
/// # Errors
/// What does not parse.
pub(super) async fn tests(sources: Sources) -> Result<(Vec<Test>, Sources), LoadErrors> {
    let Sources {
        modules,
        data,
        version,
    } = sources;
    let mut parsed = Parsed::new(modules, version).await?;
    let braced = bind::braces(&parsed.modules, &parsed.trees).await;
    parsed.take(braced).await?;
    let mut tests = Vec::new();
    let mut count = BTreeMap::new();
    let modules = edit::modules(&parsed.modules, &parsed.trees, |tree| {
        let mut edits = Edits::default();
        for rule in &tree.policy {
            tests.extend(test(rule, tree, &mut count, &mut edits));
        }
        edits
    })
    .await;
    let sources = Sources {
        modules,
        data,
        version,
    };
    Ok((tests, sources))
}

/// A rule to compile for: then every rule is analyzed, and a variable that is never bound is found.
///
/// # Errors
/// What does not parse.
pub(super) async fn rule(sources: &Sources) -> Result<Option<Entrypoint>, LoadErrors> {
    let parsed = Parsed::new(sources.modules.clone(), sources.version).await?;
    let found = parsed.trees.iter().find_map(|tree| {
        let package = syntax::package_path(tree);
        let is_value = |rule: &&Ref<Rule>| match &***rule {
            Rule::Spec { head, .. } => !matches!(head, RuleHead::Func { .. }),
            Rule::Default { args, .. } => args.is_empty(),
        };
        let mut rules = tree.policy.iter().filter(is_value);
        rules.find_map(|rule| Entrypoint::parse(&syntax::path_of(&package, rule).join("/")).ok())
    });
    Ok(found)
}

fn test(
    rule: &Ref<Rule>,
    tree: &ast::Module,
    count: &mut BTreeMap<String, usize>,
    edits: &mut Edits,
) -> Option<Test> {
    let package = syntax::package_path(tree);
    let head = syntax::head(rule);
    let segments = syntax::static_prefix(head);
    let is_test = |name: &String| name.starts_with(PREFIX) || name.starts_with(SKIPPED_PREFIX);
    let last = segments.iter().position(is_test)?;
    let mut name: Vec<String> = segments
        .iter()
        .take(last.saturating_add(1))
        .cloned()
        .collect();
    let mut path: Vec<String> = package.iter().chain(&name).cloned().collect();
    let is_skipped = name
        .last()
        .is_some_and(|name| name.starts_with(SKIPPED_PREFIX));

    let seen = count.entry(path.join(".")).or_insert(0);
    let number = *seen;
    *seen = seen.saturating_add(1);
    if number > 0
        && !is_skipped
        && let (Some(shown), Some(asked)) = (name.last_mut(), path.last_mut())
    {
        *asked = format!("__portcullis_{number}_{asked}");
        shown.push_str(&format!("#{number:02}"));
        edits.replace(place_of(head, last)?, asked);
    }

    let keys = syntax::dynamic_keys(head);
    let is_object = matches!(
        &**rule,
        Rule::Spec {
            head: RuleHead::Compr { .. },
            ..
        }
    ) && keys.iter().any(|key| syntax::text_of(key).is_none());
    if is_object && !is_skipped {
        tell_entries(rule, &keys, edits);
    }
    let span = rule.span();
    let (line, column) = syntax::place(span);
    Some(Test {
        package: syntax::written("data", &package),
        name: name
            .split_first()
            .map_or_else(String::new, |(root, rest)| syntax::written(root, rest)),
        file: span.source.file().clone(),
        line,
        column,
        is_skipped,
        is_object,
        is_function: matches!(
            &**rule,
            Rule::Spec {
                head: RuleHead::Func { .. },
                ..
            }
        ),
        is_rule: segments.len() == last.saturating_add(1) && keys.len() < 2,
        path: syntax::written("data", &path),
    })
}

/// Where a segment of a head's name stands, counted from its root. One in brackets is none to rename.
fn place_of(head: &Expr, segment: usize) -> Option<(usize, usize)> {
    let mut way = vec![head];
    while let Some(Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. }) = way.last() {
        way.push(refr.as_ref());
    }
    match way.iter().rev().nth(segment)? {
        Expr::Var { span, .. } => Some(edit::range(span)),
        Expr::RefDot { field, .. } => Some(edit::range(&field.0)),
        _ => None,
    }
}

/// As soon as the names in its keys have values, a body prints them.
fn tell_entries(rule: &Rule, keys: &[&Expr], edits: &mut Edits) {
    let Rule::Spec { bodies, .. } = rule else {
        return;
    };
    // From the root on.
    let texts: Vec<&str> = keys
        .iter()
        .rev()
        .filter_map(|key| text(key, edit::of(key)))
        .collect();
    let call = format!("print(\"{ENTRY}\", json.marshal([{}]))", texts.join(", "));
    let names: BTreeSet<&str> = texts.iter().flat_map(|text| words(text)).collect();
    for body in bodies {
        match after(&body.query, &names) {
            Some(end) => edits.insert(end, &format!("; {call}")),
            None => {
                if let Some(first) = body.query.stmts.first() {
                    edits.insert(edit::range(&first.span).0, &format!("{call}; "));
                }
            }
        }
    }
}

/// The end of the last statement that is the first to name one of these.
fn after(query: &Query, names: &BTreeSet<&str>) -> Option<usize> {
    let statements: Vec<((usize, usize), BTreeSet<&str>)> = query
        .stmts
        .iter()
        .map(|statement| {
            let range = edit::range(&statement.span);
            let contents = statement.span.source.contents();
            (
                range,
                words(contents.get(range.0..range.1).unwrap_or_default()).collect(),
            )
        })
        .collect();
    names
        .iter()
        .filter_map(|name| statements.iter().find(|(_, words)| words.contains(name)))
        .map(|((_, end), _)| *end)
        .max()
}

fn text(expr: &Expr, (start, end): (usize, usize)) -> Option<&str> {
    expr.span().source.contents().get(start..end)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .filter(|word| word.starts_with(|first: char| first.is_alphabetic() || first == '_'))
}
