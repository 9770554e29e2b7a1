//! Which rules are reached from where.

use std::collections::BTreeSet;

use super::policy::Policy;
use crate::check::RuleSet;

/// The rules that some rules use, directly or not, and these themselves.
pub(super) fn from(policy: &Policy<'_>, start: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let mut reached: BTreeSet<usize> = start.collect();
    let mut pending: Vec<usize> = reached.iter().copied().collect();
    while let Some(set) = pending
        .pop()
        .and_then(|index| policy.rules.sets().get(index))
    {
        pending.extend(set.uses.iter().filter(|&&next| reached.insert(next)));
    }
    reached
}

/// What the gate's entrypoints reach.
pub(super) fn asked(policy: &Policy<'_>) -> BTreeSet<usize> {
    let paths = policy.entrypoints();
    from(policy, paths.flat_map(|path| at(policy, &path)))
}

/// The rules that a path below `data` reads: itself, or what is below or above it.
pub(super) fn at(policy: &Policy<'_>, path: &[String]) -> Vec<usize> {
    let meets = |set: &RuleSet| set.path.iter().zip(path).all(|(own, other)| own == other);
    let sets = policy.rules.sets().iter().enumerate();
    sets.filter(|(_, set)| meets(set))
        .map(|(index, _)| index)
        .collect()
}
