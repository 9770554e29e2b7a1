//! Envoy's configuration: settings under which the gate is walked around, or decides on another request
//! than the upstream gets.

mod filters;
mod gate;
mod node;
mod paths;
mod rewrites;

use super::finding::Finding;
use crate::failure::Failure;
use gate::Gate;
use node::Node;
use portcullis_gatefile::{Document, GateFile};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is of the same connection manager.
struct Manager<'d> {
    document: &'d Document,
    node: Node<'d>,
    filters: Vec<Node<'d>>,
    gate: Gate<'d>,
    /// The number of the gate's among the filters.
    index: usize,
}

/// Everything found in a bootstrap, or in resources as LDS and RDS have them, YAML or JSON. What the
/// gate is told is read there, or where it does not stand there, in the configurations.
///
/// # Errors
/// Where the file is not there, or has no gate in it.
pub fn check(file: &Path, configurations: &[PathBuf]) -> Result<Vec<Finding>, Failure> {
    std::fs::File::open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(format!("{}: no such file or folder", file.display()))
        }
        _ => Failure::io(file.display(), &error),
    })?;
    let document = match Document::read(file) {
        Ok(document) => document,
        Err(finding) => return Ok(vec![Finding::load(finding)]),
    };
    // What is wrong with one of them is found where it is checked itself.
    let others: Vec<Value> = configurations
        .iter()
        .filter_map(|file| GateFile::read(file).ok())
        .map(|gate| gate.document)
        .collect();
    let mut managers = Vec::new();
    let root = Node::root(&document.value);
    root.walk(&mut |node| managers.extend(manager(&document, node, &others)));
    if managers.is_empty() {
        let message = format!(
            "{}: there is no HttpConnectionManager with a wasm filter in it",
            file.display()
        );
        return Err(Failure::new(message)
            .hint("name a bootstrap, or resources as LDS has them; `--config` takes a gate.yaml"));
    }
    let mut findings = Vec::new();
    for manager in &managers {
        findings.extend(paths::check(manager));
        findings.extend(filters::check(manager));
        findings.extend(rewrites::check(manager, &root));
    }
    Ok(findings)
}

/// A connection manager that has a wasm filter.
fn manager<'d>(
    document: &'d Document,
    node: &Node<'d>,
    others: &'d [Value],
) -> Option<Manager<'d>> {
    let filters = node.field("http_filters")?.items();
    let gates = filters.iter().map(|filter| Gate::of(filter, others));
    let mut gates: Vec<(usize, Gate<'d>)> = gates
        .enumerate()
        .filter_map(|(index, gate)| Some((index, gate?)))
        .collect();
    // Of several wasm filters the one that says it is a gate.
    let named = gates.iter().position(|(_, gate)| gate.is_named);
    let chosen = named.unwrap_or(0);
    if gates.is_empty() {
        return None;
    }
    let (index, gate) = gates.swap_remove(chosen);
    Some(Manager {
        document,
        node: node.clone(),
        filters,
        gate,
        index,
    })
}
