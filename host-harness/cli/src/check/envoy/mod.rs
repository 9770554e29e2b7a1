//! Envoy's configuration: settings under which the gate is walked around, or decides on another request
//! than the upstream gets.

mod chains;
mod discovered;
mod filters;
mod gate;
mod identity;
mod node;
mod paths;
mod rewrites;

use super::finding::Finding;
use crate::failure::Failure;
use chains::Chains;
use discovered::Discovered;
use gate::Gate;
use node::Node;
use portcullis_gatefile::{Document, GateFile};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What gates are told beside Envoy's configuration.
#[derive(Clone, Copy)]
struct Told<'d> {
    discovered: &'d Discovered,
    /// Where what one is told does not stand in its filter.
    others: &'d [Value],
}

/// What is of the same connection manager, and of one chain of filters: the one that all requests take, or that of
/// an upgrade.
struct Manager<'d> {
    document: &'d Document,
    node: Node<'d>,
    /// Resources beside it with routes of its own.
    routes: Vec<Node<'d>>,
    filters: Vec<Node<'d>>,
    gate: Gate<'d>,
    /// The number of the gate's among the filters.
    index: usize,
}

impl<'d> Manager<'d> {
    /// Looks at everything that is said in it, and in its routes wherever they stand.
    fn walk(&self, look: &mut impl FnMut(&Node<'d>)) {
        self.node.walk(look);
        for routes in &self.routes {
            routes.walk(look);
        }
    }
}

/// Everything found in a bootstrap, or in resources as LDS and RDS have them, YAML or JSON. What the
/// gate is told is read there or in the file that a filter comes from (ECDS), or where it does not stand there, in
/// the configurations.
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
    let discovered = Discovered::read(&document);
    let told = Told {
        discovered: &discovered,
        others: &others,
    };
    let chains = Chains::read(&document, told);
    let managers = &chains.gated;
    if managers.is_empty() {
        if let Some(fault) = discovered::fault(file, &document) {
            return Err(fault);
        }
        let message = format!(
            "{}: there is no HttpConnectionManager with a wasm filter in it",
            file.display()
        );
        return Err(Failure::new(message)
            .hint("name a bootstrap, or resources as LDS has them; `--config` takes a gate.yaml"));
    }
    let mut findings = chains.findings();
    for manager in managers {
        findings.extend(paths::check(manager));
        findings.extend(filters::check(manager));
        findings.extend(identity::check(manager));
        findings.extend(rewrites::check(manager));
    }
    Ok(findings)
}
