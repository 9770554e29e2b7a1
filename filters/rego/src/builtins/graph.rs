//! `graph.*`, every step of which is paid for.

use std::collections::BTreeSet;

use regorus::value::Object;

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("graph.reachable", 2, reachable),
    own("graph.reachable_paths", 2, reachable_paths),
];

fn reachable(arguments: &[Value], world: &World<'_>) -> Outcome {
    let graph = operand::object(arguments, 0)?;
    let mut queue = initial(arguments, world)?;
    let mut reached = BTreeSet::new();
    while let Some(node) = queue.pop() {
        let Some(edges) = graph.get(node) else {
            continue;
        };
        world.charge_members(1)?;
        if reached.insert(node.clone()) {
            queue.extend(vertices(edges, world)?);
        }
    }
    Ok(Some(Value::from(reached)))
}

fn reachable_paths(arguments: &[Value], world: &World<'_>) -> Outcome {
    let graph = operand::object(arguments, 0)?;
    let mut paths = Paths {
        graph,
        world,
        found: BTreeSet::new(),
    };
    for root in initial(arguments, world)? {
        let Some(edges) = graph.get(root) else {
            continue;
        };
        let edges = vertices(edges, world)?;
        if edges.is_empty() {
            paths.add(&[root])?;
        }
        for first in edges {
            paths.walk(root, first)?;
        }
    }
    Ok(Some(Value::from(paths.found)))
}

struct Paths<'a> {
    graph: &'a Object,
    world: &'a World<'a>,
    found: BTreeSet<Value>,
}

impl<'a> Paths<'a> {
    /// Those that begin with the root and this one after it. What has been passed through is not
    /// passed through again, not even on another path, as OPA has it.
    fn walk(&mut self, root: &'a Value, first: &'a Value) -> Result<(), Failure> {
        let mut path = vec![root];
        let mut reached = BTreeSet::from([root]);
        // Of each node but the root on the path, the neighbours still to go to, last first.
        let mut pending: Vec<(&Value, Vec<&Value>)> = Vec::new();
        pending.extend(self.enter(first, &mut path)?);
        while let Some((node, edges)) = pending.last_mut() {
            let Some(next) = edges.pop() else {
                pending.pop();
                path.pop();
                continue;
            };
            self.world.charge_members(1)?;
            if reached.contains(next) {
                self.add(&path)?;
            } else {
                reached.insert(*node);
                pending.extend(self.enter(next, &mut path)?);
            }
        }
        Ok(())
    }

    /// Goes to a node; none where the path ends there.
    fn enter(
        &mut self,
        node: &'a Value,
        path: &mut Vec<&'a Value>,
    ) -> Result<Option<(&'a Value, Vec<&'a Value>)>, Failure> {
        let Some(edges) = self.graph.get(node) else {
            self.add(path)?;
            return Ok(None);
        };
        let mut edges = vertices(edges, self.world)?;
        edges.reverse();
        path.push(node);
        if edges.is_empty() {
            self.add(path)?;
            path.pop();
            return Ok(None);
        }
        Ok(Some((node, edges)))
    }

    fn add(&mut self, path: &[&Value]) -> Result<(), Failure> {
        self.world.charge_members(path.len().saturating_add(1))?;
        let path = path.iter().copied().cloned();
        self.found.insert(value::array(path));
        Ok(())
    }
}

fn initial<'a>(arguments: &'a [Value], world: &World<'_>) -> Result<Vec<&'a Value>, Failure> {
    match operand::any(arguments, 1)? {
        initial @ (Value::Array(_) | Value::Set(_)) => vertices(initial, world),
        other => Err(operand::mismatch(1, "{array, set}", other)),
    }
}

/// A node's neighbours; what is neither array nor set has none.
fn vertices<'a>(edges: &'a Value, world: &World<'_>) -> Result<Vec<&'a Value>, Failure> {
    match edges {
        Value::Array(items) => {
            world.charge_members(items.len())?;
            Ok(items.iter().collect())
        }
        Value::Set(items) => {
            world.charge_members(items.len())?;
            Ok(items.iter_sorted().collect())
        }
        _ => Ok(Vec::new()),
    }
}
