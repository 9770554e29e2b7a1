//! Paths compared as texts, where segments are meant.

use regorus::unstable::{Expr, Span};

use super::{
    Finding, Lint,
    nodes::{self, Node},
    policy::{self, Placed, Policy},
};
use crate::syntax;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    /// As the client sent it.
    WithQuery,
    Alone,
}

/// How many names and functions are seen through.
const MAX_STEPS: usize = 8;

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    for placed in policy.placed() {
        for node in nodes::of_rule(placed.rule) {
            let Node::Expr(expr) = node else { continue };
            let Some((name, parameters)) = policy.builtin(&placed, expr) else {
                continue;
            };
            let [text, part, ..] = parameters else {
                continue;
            };
            let Some(literal) = syntax::text_of(part) else {
                continue;
            };
            match (name.as_str(), path(policy, &placed, text, MAX_STEPS)) {
                ("startswith", Some(_)) => prefix(part.span(), &literal, findings),
                ("endswith", Some(Path::WithQuery)) => {
                    let message =
                        "the path still has its query, whose end the client is free to choose";
                    let finding = policy::at(Lint::PathSuffix, expr.span(), message);
                    findings.push(finding.hint("take `input.parsed_path`, or cut the path at `?`"));
                }
                _ => {}
            }
        }
    }
}

fn prefix(span: &Span, literal: &str, findings: &mut Vec<Finding>) {
    let is_open = literal.starts_with('/') && literal.len() > 1 && !literal.ends_with(['/', '?']);
    if is_open {
        let message = format!("`{literal}` is the beginning of `{literal}-other`, too");
        let finding = policy::at(Lint::PathPrefix, span, message);
        let first = literal.trim_start_matches('/').split('/').next();
        findings.push(finding.hint(format!(
            "compare segments: `input.parsed_path[0] == \"{}\"`; or end the prefix with `/`",
            first.unwrap_or_default()
        )));
    }
}

/// What of the request's path an expression is.
fn path(policy: &Policy<'_>, placed: &Placed<'_>, expr: &Expr, most: usize) -> Option<Path> {
    let most = most.checked_sub(1)?;
    if let Some((name, parameters)) = policy.builtin(placed, expr) {
        let same = matches!(
            name.as_str(),
            "lower"
                | "upper"
                | "trim"
                | "trim_left"
                | "trim_prefix"
                | "trim_space"
                | "urlquery.decode"
        );
        let first = parameters.first().filter(|_| same)?;
        return path(policy, placed, first, most);
    }
    // `split(path, "?")[0]`
    if let Expr::RefBrack { refr, index, .. } = expr
        && let Some((name, parameters)) = policy.builtin(placed, refr)
    {
        let is_first = matches!(index.as_ref(), Expr::Number { span, .. } if span.text() == "0");
        let [text, mark] = parameters else {
            return None;
        };
        let cuts = name == "split" && is_first && syntax::text_of(mark).as_deref() == Some("?");
        return path(policy, placed, text, most)
            .filter(|_| cuts)
            .map(|_| Path::Alone);
    }
    if let Some(read) = placed.scope.input(expr, policy) {
        let own = ["attributes", "request", "http", "path"];
        let is_path = read.len() == own.len()
            && read
                .iter()
                .zip(own)
                .all(|(segment, own)| segment.as_deref() == Some(own));
        return is_path.then_some(Path::WithQuery);
    }
    let (scope, meant) = placed.scope.meaning(expr, policy)?;
    let there = Placed {
        module: scope.module(),
        rule: placed.rule,
        scope,
    };
    path(policy, &there, meant, most)
}
