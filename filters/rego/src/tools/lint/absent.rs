//! Documents below `data`, among rules, that neither a rule nor the base data defines: under `not` what
//! is missing is as good as false.

use super::{
    Finding, Lint,
    nodes::{self, Node},
    policy::{self, Policy},
};
use crate::{inspect, syntax, value::Value};

pub(super) fn look(policy: &Policy<'_>, findings: &mut Vec<Finding>) {
    for placed in policy.placed() {
        let Some(names) = policy.names.get(placed.module) else {
            continue;
        };
        for node in nodes::of_rule(placed.rule) {
            let (Node::Reference(expr) | Node::Function(expr)) = node else {
                continue;
            };
            let Some((root, segments)) = syntax::reference(expr) else {
                continue;
            };
            if placed.scope.is_local(&root) {
                continue;
            }
            let Some(path) = names.path(&root, &segments) else {
                continue;
            };
            if let Some(missing) = missing(policy, &path) {
                let message = format!("nothing defines `data.{}`", missing.join("."));
                findings.push(policy::at(Lint::DataNeverSet, expr.span(), message).hint(
                    "it is undefined, and `not` of it is true: load the file that defines it, or \
                     correct its name",
                ));
            }
        }
    }
}

/// The shortest part of a path that is not there, where rules stand beside it: base data may come and
/// go, packages do not.
fn missing(policy: &Policy<'_>, path: &[Option<String>]) -> Option<Vec<String>> {
    let known: Vec<String> = path.iter().map_while(Clone::clone).collect();
    let sets = policy.rules.sets();
    if known.is_empty() || sets.iter().any(|set| inspect::agree(path, &set.path)) {
        return None;
    }
    let shared = sets.iter().map(|set| {
        let both = known.iter().zip(&set.path);
        both.take_while(|(own, other)| own == other).count()
    });
    let by_rules = shared.max().unwrap_or_default();
    let mut by_data = 0_usize;
    let mut document = policy.world.data;
    while let Value::Object(members) = document
        && let Some(segment) = known.get(by_data)
        && let Some(next) = members.get(&Value::from(segment.as_str()))
    {
        by_data = by_data.saturating_add(1);
        document = next;
    }
    let is_missing = by_rules > 0 && by_rules >= by_data && by_rules < known.len();
    is_missing.then(|| known.get(..=by_rules).unwrap_or_default().to_vec())
}
