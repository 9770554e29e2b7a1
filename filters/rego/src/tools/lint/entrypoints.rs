//! What becomes of a request that no rule says anything about.

use regorus::unstable::{Expr, Literal, Rule, RuleHead};

use super::{
    Finding, Lint,
    definitions::Definition,
    nodes::{self, Node},
    policy::{self, Policy},
    unreachable::{always_holds, is_total},
};
use crate::{Choice, source::Entrypoint, syntax};

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    for (entrypoint, path) in policy.world.entrypoints.iter().zip(policy.entrypoints()) {
        let definitions = policy.definitions.at(&path);
        if let Some(finding) = undefined(policy, entrypoint, &path, definitions) {
            findings.push(finding);
        }
        findings.extend(definitions.iter().filter_map(allows_by_default));
        findings.extend(evaluator(policy, entrypoint, definitions));
    }
}

fn evaluator(
    policy: &Policy<'_>,
    entrypoint: &Entrypoint,
    definitions: &[Definition<'_>],
) -> Option<Finding> {
    let message = match policy.world.loaded?.evaluator(entrypoint)? {
        Choice::Rvm => format!("`{entrypoint}` runs on the virtual machine"),
        Choice::Interpreter { reason } => {
            format!("`{entrypoint}` runs on the interpreter, which is slower: {reason}")
        }
    };
    Some(match definitions.first() {
        Some(first) => policy::at(Lint::Evaluator, syntax::head(first.rule).span(), message),
        None => policy::of_all(Lint::Evaluator, message),
    })
}

fn undefined(
    policy: &Policy<'_>,
    entrypoint: &Entrypoint,
    path: &[String],
    definitions: &[Definition<'_>],
) -> Option<Finding> {
    let first = definitions.first()?;
    if has_value(policy, path, MAX_RULES) || is_either_or(definitions) {
        return None;
    }
    let span = syntax::head(first.rule).span();
    let message = format!("`{entrypoint}` has no value where none of its bodies holds");
    let finding = policy::at(Lint::EntrypointUndefined, span, message);
    let name = path.last()?;
    Some(finding.hint(format!(
        "such a request is refused with `policy.undefined`; say `default {name} := false`"
    )))
}

/// How many rules that stand for one another are followed.
const MAX_RULES: usize = 8;

/// Whether a rule certainly has a value.
fn has_value(policy: &Policy<'_>, path: &[String], most: usize) -> bool {
    let Some(most) = most.checked_sub(1) else {
        return false;
    };
    policy.definitions.at(path).iter().any(|definition| {
        let total =
            |expr: &Expr| is_total(expr) || reads_total(policy, definition.module, expr, most);
        match definition.rule {
            Rule::Default { .. }
            | Rule::Spec {
                head: RuleHead::Set { .. },
                ..
            } => true,
            Rule::Spec {
                head: RuleHead::Compr { refr, assign, .. },
                bodies,
                ..
            } => {
                // `results[key] := value` makes an object of what there is.
                if !syntax::dynamic_keys(refr).is_empty() {
                    return true;
                }
                let own = assign.as_ref().is_none_or(|assign| total(&assign.value));
                (bodies.is_empty() && own)
                    || bodies.iter().any(|body| {
                        let value = match body.is_else {
                            true => body.assign.as_ref().is_none_or(|it| total(&it.value)),
                            false => own,
                        };
                        value && always_holds(&body.query)
                    })
            }
            Rule::Spec { .. } => false,
        }
    })
}

/// A rule by its name, which has a value itself.
fn reads_total(policy: &Policy<'_>, module: usize, expr: &Expr, most: usize) -> bool {
    let path = syntax::reference(expr)
        .and_then(|(root, segments)| policy.rule_path(module, &root, &segments));
    let path: Option<Vec<String>> = path.and_then(|path| path.into_iter().collect());
    path.is_some_and(|path| has_value(policy, &path, most))
}

/// `allow := one if condition` beside `allow := other if not condition`.
fn is_either_or(definitions: &[Definition<'_>]) -> bool {
    let conditions: Vec<Condition<'_>> = definitions.iter().filter_map(Condition::of).collect();
    conditions.iter().any(|one| {
        let opposite = |other: &&Condition<'_>| one.text == other.text && other.is_negated;
        let found = conditions.iter().find(opposite);
        !one.is_negated && found.is_some_and(|other| one.gives_value() && other.gives_value())
    })
}

/// Of a definition with one body of one statement.
struct Condition<'a> {
    text: &'a str,
    is_negated: bool,
    value: Option<&'a Expr>,
}

impl<'a> Condition<'a> {
    fn of(definition: &Definition<'a>) -> Option<Condition<'a>> {
        let Rule::Spec {
            head: RuleHead::Compr { assign, .. },
            bodies,
            ..
        } = definition.rule
        else {
            return None;
        };
        let [body] = bodies.as_slice() else {
            return None;
        };
        let [statement] = body.query.stmts.as_slice() else {
            return None;
        };
        let (expr, is_negated) = match &statement.literal {
            Literal::Expr { expr, .. } => (expr, false),
            Literal::NotExpr { expr, .. } => (expr, true),
            _ => return None,
        };
        statement.with_mods.is_empty().then(|| Condition {
            text: expr.span().text(),
            is_negated,
            value: assign.as_ref().map(|assign| assign.value.as_ref()),
        })
    }

    /// Whether there is one where the condition holds: it may read what the condition reads.
    fn gives_value(&self) -> bool {
        let nodes = self.value.into_iter().flat_map(nodes::of_expr);
        nodes.into_iter().all(|node| match node {
            Node::Reference(expr) => !self.is_negated && expr.span().text() == self.text,
            Node::Expr(Expr::Object { .. } | Expr::Array { .. } | Expr::Set { .. }) => true,
            Node::Expr(expr) => is_total(expr),
            _ => false,
        })
    }
}

fn allows_by_default(definition: &Definition<'_>) -> Option<Finding> {
    let Rule::Default { value, refr, .. } = definition.rule else {
        return None;
    };
    if !allows(value) {
        return None;
    }
    let message = "every request that no rule refuses is allowed";
    let finding = policy::at(Lint::DefaultAllow, value.span(), message);
    let name = refr.span().text();
    Some(finding.hint(format!(
        "say `default {name} := false`, and what is allowed: then a mistake refuses"
    )))
}

/// Whether a value, as it is written, allows a request.
pub(super) fn allows(value: &Expr) -> bool {
    match value {
        Expr::Bool { span, .. } => span.text() == "true",
        Expr::Object { fields, .. } => fields.iter().any(|(_, key, value)| {
            syntax::text_of(key).as_deref() == Some("allowed")
                && matches!(value.as_ref(), Expr::Bool { span, .. } if span.text() == "true")
        }),
        _ => false,
    }
}
