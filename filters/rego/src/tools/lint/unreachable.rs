//! What can never matter: a condition that is always false, an `else` behind what always holds, a
//! definition that is there already.

use std::collections::BTreeSet;

use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Query, Rule, RuleHead, Span};

use super::{
    Finding, Lint,
    nodes::{self, Node},
    policy::{self, Policy},
};
use crate::syntax;

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    for (_, module) in policy.modules() {
        let mut seen = BTreeSet::new();
        for rule in &module.policy {
            for node in nodes::of_rule(rule) {
                if let Node::Statement(statement) = node
                    && is_false(statement)
                {
                    let message = "this is never true, so that nothing comes of what it stands in";
                    let finding = policy::at(Lint::NeverHolds, &statement.span, message);
                    findings.push(finding.hint("remove the body, or the condition"));
                }
            }
            unreachable_else(rule, findings);
            if !seen.insert(text(rule)) {
                let name = syntax::head(rule).span();
                let message = "this definition is there already, above";
                let finding = policy::at(Lint::DuplicateRule, name, message);
                findings.push(finding.hint("remove one of the two"));
            }
        }
    }
}

fn is_false(statement: &LiteralStmt) -> bool {
    match &statement.literal {
        Literal::Expr { expr, .. } => constant(expr) == Some(false),
        Literal::NotExpr { expr, .. } => constant(expr) == Some(true),
        _ => false,
    }
}

/// What a condition of constants comes to.
fn constant(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Bool { span, .. } => Some(span.text() == "true"),
        Expr::BoolExpr { op, lhs, rhs, .. } => {
            let (lhs, rhs) = (scalar(lhs)?, scalar(rhs)?);
            match op {
                BoolOp::Eq => Some(lhs == rhs),
                BoolOp::Ne => Some(lhs != rhs),
                _ => None,
            }
        }
        _ => None,
    }
}

fn scalar(expr: &Expr) -> Option<&regorus::Value> {
    match expr {
        Expr::String { value, .. }
        | Expr::RawString { value, .. }
        | Expr::Number { value, .. }
        | Expr::Bool { value, .. }
        | Expr::Null { value, .. } => Some(value),
        _ => None,
    }
}

fn unreachable_else(rule: &Rule, findings: &mut Vec<Finding>) {
    let Rule::Spec { head, bodies, .. } = rule else {
        return;
    };
    let assign = match head {
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => assign.as_ref(),
        RuleHead::Set { .. } => return,
    };
    if let RuleHead::Func { args, .. } = head
        && !args
            .iter()
            .all(|it| matches!(it.as_ref(), Expr::Var { .. }))
    {
        return;
    }
    for pair in bodies.windows(2) {
        let [before, after] = pair else { continue };
        let own = if before.is_else {
            before.assign.as_ref()
        } else {
            assign
        };
        let has_value = own.is_none_or(|own| is_total(&own.value));
        if after.is_else && has_value && always_holds(&before.query) {
            let place = after.assign.as_ref().map_or(&after.span, |it| &it.span);
            let message = "this `else` is never asked: what is before it always holds";
            let finding = policy::at(Lint::UnreachableElse, place, message);
            findings.push(finding.hint("remove it, or give what is before it a condition"));
        }
    }
}

/// Whether a body asks nothing.
pub(super) fn always_holds(query: &Query) -> bool {
    query.stmts.iter().all(|statement| {
        matches!(&statement.literal, Literal::Expr { expr, .. } if constant(expr) == Some(true))
            && statement.with_mods.is_empty()
    })
}

/// Whether an expression has a value whatever happens: constants, and comprehensions.
pub(super) fn is_total(expr: &Expr) -> bool {
    match expr {
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => true,
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().all(|item| is_total(item))
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .all(|(_, key, value)| is_total(key) && is_total(value)),
        other => scalar(other).is_some(),
    }
}

/// A rule as it is written, but for its indentation.
fn text(rule: &Rule) -> String {
    let span: &Span = rule.span();
    let lines: Vec<&str> = span.text().lines().map(str::trim).collect();
    lines.join("\n").trim_end().to_owned()
}
