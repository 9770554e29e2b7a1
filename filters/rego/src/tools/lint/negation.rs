//! `not` of what may be absent, in a rule that allows: whoever shows nothing is let in.

use std::collections::BTreeSet;

use regorus::unstable::{Literal, LiteralStmt, Rule, RuleBody, RuleHead};

use super::{
    Finding, Lint,
    definitions::Definition,
    entrypoints::allows,
    nodes::{self, Node},
    policy::{self, Placed, Policy},
    reach,
    scope::Scope,
};
use crate::syntax;

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    let proving = proving(policy);
    for (path, definitions) in policy.definitions.all() {
        let is_asked = match policy.world.entrypoints.is_empty() {
            true => path.last().is_some_and(|name| name == "allow"),
            false => policy.entrypoints().any(|entrypoint| entrypoint == path),
        };
        if is_asked {
            for definition in definitions {
                rule(policy, definition, &proving, findings);
            }
        }
    }
}

/// The rules that ask for something verified, themselves or by others.
fn proving(policy: &Policy<'_>) -> BTreeSet<usize> {
    let sets = policy.rules.sets();
    let mut proving: BTreeSet<usize> = policy
        .placed()
        .filter(|placed| {
            nodes::of_rule(placed.rule)
                .into_iter()
                .any(|node| is_verified(policy, &placed.scope, node))
        })
        .filter_map(|placed| policy.set(placed.module, placed.rule))
        .collect();
    let own = proving.clone();
    proving.extend((0..sets.len()).filter(|&index| {
        let reached = reach::from(policy, std::iter::once(index));
        reached.iter().any(|it| own.contains(it))
    }));
    proving
}

fn is_verified<'a>(policy: &Policy<'a>, scope: &Scope<'a>, node: Node<'_>) -> bool {
    let Node::Reference(expr) = node else {
        return false;
    };
    let path = scope.input(expr, policy);
    path.is_some_and(|path| path.is_empty() || is_proof(&path, 1))
}

/// `verified` and at least so many segments in all.
fn is_proof(path: &[Option<String>], least: usize) -> bool {
    path.len() >= least
        && path
            .first()
            .is_some_and(|it| it.as_deref() == Some("verified"))
}

fn rule(
    policy: &Policy<'_>,
    definition: &Definition<'_>,
    proving: &BTreeSet<usize>,
    findings: &mut Vec<Finding>,
) {
    let Rule::Spec {
        head: RuleHead::Compr { assign, .. },
        bodies,
        ..
    } = definition.rule
    else {
        return;
    };
    let placed = Placed {
        module: definition.module,
        rule: definition.rule,
        scope: Scope::of(definition.module, definition.rule),
    };
    if policy.is_test(placed.module) {
        return;
    }
    for body in bodies {
        let assign = if body.is_else {
            body.assign.as_ref()
        } else {
            assign.as_ref()
        };
        if assign.is_none_or(|assign| allows(&assign.value)) {
            look_at(policy, &placed, body, proving, findings);
        }
    }
}

fn look_at(
    policy: &Policy<'_>,
    placed: &Placed<'_>,
    body: &RuleBody,
    proving: &BTreeSet<usize>,
    findings: &mut Vec<Finding>,
) {
    let asks = |statement: &LiteralStmt| {
        !matches!(statement.literal, Literal::NotExpr { .. })
            && nodes::of_statement(statement)
                .into_iter()
                .any(|node| proves(policy, placed, node, proving))
    };
    if body.query.stmts.iter().any(asks) {
        return;
    }
    for statement in &body.query.stmts {
        let Literal::NotExpr { expr, .. } = &statement.literal else {
            continue;
        };
        // `not input.verified.jwt` asks for nobody, and says so.
        let path = placed.scope.input(expr, policy);
        if path.is_some_and(|path| is_proof(&path, 3)) {
            let message = "this allows whoever shows no credential: what is not there is not true";
            let finding = policy::at(Lint::AbsentAllows, &statement.span, message);
            findings.push(
                finding.hint("ask first for what must be there, such as `input.verified.jwt`"),
            );
        }
    }
}

fn proves(
    policy: &Policy<'_>,
    placed: &Placed<'_>,
    node: Node<'_>,
    proving: &BTreeSet<usize>,
) -> bool {
    let expr = match node {
        Node::Reference(expr) | Node::Function(expr) => expr,
        _ => return false,
    };
    let Some((root, segments)) = syntax::reference(expr) else {
        return false;
    };
    if placed.scope.is_local(&root) {
        // It may have come from anywhere: from something proven, too.
        return placed
            .scope
            .input(expr, policy)
            .is_none_or(|path| is_proof(&path, 1));
    }
    if is_verified(policy, &placed.scope, node) {
        return true;
    }
    let Some(path) = policy.rule_path(placed.module, &root, &segments) else {
        return false;
    };
    let known: Vec<String> = path.into_iter().map_while(|segment| segment).collect();
    reach::at(policy, &known)
        .iter()
        .any(|index| proving.contains(index))
}
