//! What anybody can write, taken for what is proven.

use regorus::unstable::{ArithOp, BoolOp, Expr, Span};

use super::{
    Finding, Lint,
    input::header,
    nodes::{self, Node},
    policy::{self, Placed, Policy},
};
use crate::syntax;

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    // A policy may verify by itself, in any of its modules, what another reads.
    let verifies = policy
        .placed()
        .any(|placed| calls(&placed, policy, verifies_token));
    let signed = policy
        .placed()
        .any(|placed| reads_signature(&placed, policy));
    for placed in policy.placed() {
        for node in nodes::of_rule(placed.rule) {
            match node {
                Node::Reference(expr) => read(policy, &placed, expr, verifies, findings),
                Node::Expr(expr) => {
                    if !verifies {
                        decoded(policy, &placed, expr, findings);
                    }
                    if !signed {
                        client_time(policy, &placed, expr, findings);
                    }
                    checked_claim(policy, &placed, expr, findings);
                }
                _ => {}
            }
        }
    }
}

fn verifies_token(name: &str) -> bool {
    name == "io.jwt.decode_verify" || name.starts_with("io.jwt.verify_")
}

fn calls(placed: &Placed<'_>, policy: &Policy<'_>, is: fn(&str) -> bool) -> bool {
    nodes::of_rule(placed.rule)
        .into_iter()
        .any(|node| match node {
            Node::Expr(expr) => policy
                .builtin(placed, expr)
                .is_some_and(|(name, _)| is(&name)),
            _ => false,
        })
}

fn reads_signature(placed: &Placed<'_>, policy: &Policy<'_>) -> bool {
    nodes::of_rule(placed.rule)
        .into_iter()
        .any(|node| match node {
            Node::Reference(expr) => placed.scope.input(expr, policy).is_some_and(|path| {
                let mut path = path.iter().flatten();
                path.next().is_some_and(|first| first == "verified")
                    && path
                        .next()
                        .is_some_and(|next| next.starts_with("signature"))
            }),
            _ => false,
        })
}

fn decoded(policy: &Policy<'_>, placed: &Placed<'_>, expr: &Expr, findings: &mut Vec<Finding>) {
    if let Some((name, _)) = policy.builtin(placed, expr)
        && name == "io.jwt.decode"
    {
        let span = function(expr).unwrap_or_else(|| expr.span());
        let message = "`io.jwt.decode` reads what anybody wrote: nothing of the token is verified";
        let finding = policy::at(Lint::UnverifiedToken, span, message);
        findings.push(finding.hint(
            "let the gate verify it, by `jwt.providers`, and read `input.verified.jwt.claims`",
        ));
    }
}

/// Headers by which the gateways and proxies of this world say who asks.
const IDENTITY: [&str; 26] = [
    "remote-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-user",
    "x-authenticated-user",
    "x-authenticated-userid",
    "x-client-cert",
    "x-consumer-id",
    "x-consumer-username",
    "x-email",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-user",
    "x-groups",
    "x-remote-user",
    "x-role",
    "x-roles",
    "x-ssl-client-s-dn",
    "x-subject",
    "x-user",
    "x-user-email",
    "x-user-id",
    "x-user-name",
    "x-user-roles",
    "x-username",
];

fn read(
    policy: &Policy<'_>,
    placed: &Placed<'_>,
    expr: &Expr,
    verifies: bool,
    findings: &mut Vec<Finding>,
) {
    let Some(path) = placed.scope.input(expr, policy) else {
        return;
    };
    let Some(name) = header(&path) else {
        return;
    };
    // Told where the name gets its value.
    if syntax::reference(expr).is_none_or(|(_, segments)| segments.is_empty()) {
        return;
    }
    if policy
        .world
        .absent
        .iter()
        .any(|absent| absent.covers(&path))
    {
        return;
    }
    if name == "authorization" && !verifies {
        let message = "the `authorization` header is what the client claims";
        let finding = policy::at(Lint::AuthorizationHeader, expr.span(), message);
        findings.push(finding.hint("`input.verified` has what it proves"));
    }
    if IDENTITY.contains(&name) {
        let message = format!("any client can send `{name}`: it says nothing of who asks");
        let finding = policy::at(Lint::IdentityHeader, expr.span(), message);
        findings.push(finding.hint("`input.verified` has what is proven of who asks"));
    }
}

/// `time.parse_rfc3339_ns(input....headers.date)`.
fn client_time(policy: &Policy<'_>, placed: &Placed<'_>, expr: &Expr, findings: &mut Vec<Finding>) {
    let Some((name, parameters)) = policy.builtin(placed, expr) else {
        return;
    };
    if !matches!(name.as_str(), "time.parse_rfc3339_ns" | "time.parse_ns") {
        return;
    }
    let sent = parameters.iter().any(|parameter| {
        nodes::of_expr(parameter)
            .into_iter()
            .any(|node| match node {
                Node::Reference(expr) => placed.scope.input(expr, policy).is_some_and(|path| {
                    header(&path).is_some()
                        || path
                            .first()
                            .is_some_and(|it| it.as_deref() == Some("parsed_query"))
                }),
                _ => false,
            })
    });
    if sent {
        let finding = policy::at(
            Lint::ClientTime,
            expr.span(),
            "this time is what the client says it is",
        );
        findings.push(finding.hint("`time.now_ns()` is the request's time, by the proxy's clock"));
    }
}

/// `input.verified.jwt.claims.exp > now`.
fn checked_claim(
    policy: &Policy<'_>,
    placed: &Placed<'_>,
    expr: &Expr,
    findings: &mut Vec<Finding>,
) {
    let Expr::BoolExpr { op, lhs, rhs, .. } = expr else {
        return;
    };
    if matches!(op, BoolOp::Eq | BoolOp::Ne) {
        return;
    }
    for (claim, now) in [(lhs, rhs), (rhs, lhs)] {
        if let Some((span, name)) = claim_of_time(policy, placed, claim)
            && is_now(policy, placed, now, MAX_NAMES)
        {
            let message = format!("the gate has checked `{name}`, with the provider's leeway");
            let finding = policy::at(Lint::CheckedClaim, span, message);
            findings.push(finding.hint("leave it out"));
        }
    }
}

/// `exp` or `nbf` of a verified token, in whatever unit.
fn claim_of_time<'e>(
    policy: &Policy<'_>,
    placed: &Placed<'_>,
    expr: &'e Expr,
) -> Option<(&'e Span, String)> {
    if let Expr::ArithExpr {
        op: ArithOp::Mul | ArithOp::Div,
        lhs,
        ..
    } = expr
    {
        return claim_of_time(policy, placed, lhs);
    }
    let path = placed.scope.input(expr, policy)?;
    let [Some(first), rest @ .., Some(claims), Some(name)] = path.as_slice() else {
        return None;
    };
    let of_token = match rest {
        [Some(one)] => one == "jwt",
        [Some(all), _] => all == "jwts",
        _ => false,
    };
    let is_time = matches!(name.as_str(), "exp" | "nbf");
    (first == "verified" && of_token && claims == "claims" && is_time)
        .then(|| (expr.span(), name.clone()))
}

const MAX_NAMES: usize = 4;

/// The present, in whatever unit, and nothing added to it.
fn is_now(policy: &Policy<'_>, placed: &Placed<'_>, expr: &Expr, most: usize) -> bool {
    let Some(most) = most.checked_sub(1) else {
        return false;
    };
    match expr {
        Expr::ArithExpr {
            op: ArithOp::Mul | ArithOp::Div,
            lhs,
            ..
        } => is_now(policy, placed, lhs, most),
        Expr::Call { .. } => match policy.builtin(placed, expr) {
            Some((name, parameters)) => match name.as_str() {
                "time.now_ns" => true,
                "round" | "floor" | "ceil" => parameters
                    .iter()
                    .any(|parameter| is_now(policy, placed, parameter, most)),
                _ => false,
            },
            None => false,
        },
        _ => match placed.scope.meaning(expr, policy) {
            Some((scope, meant)) => {
                let there = Placed {
                    module: scope.module(),
                    rule: placed.rule,
                    scope,
                };
                is_now(policy, &there, meant, most)
            }
            None => false,
        },
    }
}

fn function(call: &Expr) -> Option<&Span> {
    match call {
        Expr::Call { fcn, .. } => Some(fcn.span()),
        _ => None,
    }
}
