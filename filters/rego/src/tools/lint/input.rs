//! Fields of `input` that are never there, so that whatever asks for them is undefined.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal};

use super::{
    Finding, Lint, Severity,
    document::{self, Missing},
    nodes::{self, Node},
    policy::{self, Placed, Policy},
    reach,
    scope::InputPath,
};
use crate::syntax;

/// A part of the input that the schema knows and that is not there all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Below `input`; a segment may end with `*`, for everything that begins like it.
    pub path: Vec<String>,
    /// Whether another configuration would bring it.
    pub is_configurable: bool,
    /// Why it is not there, such as `the configuration has no jwt`.
    pub why: String,
    /// What would be right.
    pub hint: String,
}

impl Absent {
    /// A path that is written with dots.
    pub fn new(path: &str, why: impl Into<String>, hint: impl Into<String>) -> Absent {
        Absent {
            path: path.split('.').map(str::to_owned).collect(),
            is_configurable: false,
            why: why.into(),
            hint: hint.into(),
        }
    }

    /// The same where another configuration would bring it.
    pub fn configurable(self) -> Absent {
        Absent {
            is_configurable: true,
            ..self
        }
    }

    /// Whether a path is this one, or below it.
    pub(super) fn covers(&self, path: &[Option<String>]) -> bool {
        self.path.len() <= path.len()
            && self.path.iter().zip(path).all(|(own, segment)| {
                let Some(segment) = segment else {
                    return false;
                };
                match own.strip_suffix('*') {
                    Some(prefix) => segment.starts_with(prefix),
                    None => segment == own,
                }
            })
    }
}

/// Where the client's headers stand.
pub(super) const HEADERS: [&str; 4] = ["attributes", "request", "http", "headers"];

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    let replaced = replaced(policy);
    let has_other_proofs = has_other_proofs(policy);
    // What the gate does not ask may have another input.
    let asked = reach::asked(policy);
    let is_asked = |placed: &Placed<'_>| {
        let set = policy.set(placed.module, placed.rule);
        asked.is_empty() || set.is_none_or(|set| asked.contains(&set))
    };
    for placed in policy.placed().filter(is_asked) {
        let nodes = nodes::of_rule(placed.rule);
        let negated: Vec<&Expr> = nodes.iter().copied().filter_map(negated).collect();
        for node in nodes {
            let Node::Reference(expr) = node else {
                continue;
            };
            let Some(path) = placed.scope.input(expr, policy) else {
                continue;
            };
            let is_replaced = |prefix: &InputPath| {
                let pairs = prefix.iter().zip(&path);
                prefix.len() <= path.len() && pairs.into_iter().all(|(own, segment)| own == segment)
            };
            if replaced.iter().any(is_replaced) {
                continue;
            }
            let Some(wrong) = Wrong::find(policy, &path) else {
                continue;
            };
            // What a name stands for is told where it gets its value.
            let own = syntax::reference(expr).map_or(0, |(_, segments)| segments.len());
            if wrong.index < path.len().saturating_sub(own) {
                continue;
            }
            // `not input.verified.peer` says that it has to be absent, and it is.
            let is_negated = negated.iter().any(|it| std::ptr::eq(*it, expr));
            if is_negated && wrong.lint == Lint::InputNotConfigured {
                continue;
            }
            let finding = policy::at(wrong.lint, expr.span(), wrong.message);
            let softer = wrong.lint == Lint::InputNotConfigured && has_other_proofs;
            findings.push(Finding {
                severity: match softer && path.first().is_some_and(is_verified) {
                    true => Severity::Note,
                    false => finding.severity,
                },
                ..finding.hint(wrong.hint)
            });
        }
    }
}

fn negated(node: Node<'_>) -> Option<&Expr> {
    match node {
        Node::Statement(statement) => match &statement.literal {
            Literal::NotExpr { expr, .. } => Some(expr),
            _ => None,
        },
        _ => None,
    }
}

struct Wrong {
    /// The segment that is not there.
    index: usize,
    lint: Lint,
    message: String,
    hint: String,
}

impl Wrong {
    fn find(policy: &Policy<'_>, path: &[Option<String>]) -> Option<Wrong> {
        let world = policy.world;
        if let Some(absent) = world.absent.iter().find(|absent| absent.covers(path)) {
            let length = absent.path.len();
            return Some(Wrong {
                index: length.saturating_sub(1),
                lint: match absent.is_configurable {
                    true => Lint::InputNotConfigured,
                    false => Lint::InputNeverSet,
                },
                message: format!("`{}` is never set: {}", shown(path, length), absent.why),
                hint: absent.hint.clone(),
            });
        }
        if let Some(header) = header(path)
            && header.contains(|letter: char| letter.is_ascii_uppercase())
        {
            let length = HEADERS.len().saturating_add(1);
            return Some(Wrong {
                index: HEADERS.len(),
                lint: Lint::InputNeverSet,
                message: format!("`{}` is never set", shown(path, length)),
                hint: format!(
                    "names of headers are in lower case: `{}`",
                    header.to_ascii_lowercase()
                ),
            });
        }
        let Missing { index, known } = document::missing(world.schema, path)?;
        let length = index.saturating_add(1);
        let name = path.get(index)?.as_deref()?;
        let before = shown(path, index);
        let hint = match document::nearest(name, &known) {
            Some(near) => format!("did you mean `{before}.{near}`?"),
            None => match document::elsewhere(world.schema, name) {
                Some(path) => format!("did you mean `{path}`?"),
                None if known.is_empty() => format!("`{before}` has no fields"),
                None => format!("`{before}` has {}", listed(&known)),
            },
        };
        Some(Wrong {
            index,
            lint: Lint::InputNeverSet,
            message: format!(
                "`{}` is never set: the gate has no such field",
                shown(path, length)
            ),
            hint,
        })
    }
}

/// The name of the header that a path reads.
pub(super) fn header(path: &[Option<String>]) -> Option<&str> {
    let (headers, rest) = path.split_at_checked(HEADERS.len())?;
    let is_headers = headers
        .iter()
        .zip(HEADERS)
        .all(|(segment, own)| segment.as_deref() == Some(own));
    match (is_headers, rest.first()) {
        (true, Some(Some(name))) => Some(name),
        _ => None,
    }
}

fn is_verified(segment: &Option<String>) -> bool {
    segment.as_deref() == Some("verified")
}

/// Whether the policy asks for proofs that there can be: those that there cannot be are then one
/// way of several.
fn has_other_proofs(policy: &Policy<'_>) -> bool {
    policy.placed().any(|placed| {
        nodes::of_rule(placed.rule).into_iter().any(|node| {
            let Node::Reference(expr) = node else {
                return false;
            };
            let Some(path) = placed.scope.input(expr, policy) else {
                return false;
            };
            path.first().is_some_and(is_verified)
                && path.len() > 1
                && !policy.world.absent.iter().any(|it| it.covers(&path))
        })
    })
}

/// What `with` puts into the input: then it is not the gate's.
fn replaced(policy: &Policy<'_>) -> BTreeSet<InputPath> {
    let modules = policy.modules();
    let nodes = modules.flat_map(|(_, tree)| tree.policy.iter().flat_map(|it| nodes::of_rule(it)));
    nodes
        .filter_map(|node| match node {
            Node::Replaced(target) => syntax::reference(target),
            _ => None,
        })
        .filter(|(root, _)| root == "input")
        .map(|(_, path)| path)
        .collect()
}

/// So many segments of a path, as Rego writes them.
fn shown(path: &[Option<String>], length: usize) -> String {
    let mut text = "input".to_owned();
    for segment in path.iter().take(length) {
        match segment {
            Some(name) if is_name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Some(name) => text.push_str(&format!("[{name:?}]")),
            None => text.push_str("[_]"),
        }
    }
    text
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_')
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
