//! What a configuration needs of its proxy, whatever the proxy is.

use super::{
    cluster::Cluster,
    options::{Options, Target},
};
use crate::{
    check::facts::holds_bodies,
    failure::{Failure, Problem},
    secrets::ByName,
};
use portcullis_gatefile::GateFile;
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

/// A configuration that may be handed on: checked, and no secret in it.
pub struct Facts {
    pub document: Value,
    /// The variables that the proxy's environment must have.
    pub variables: BTreeSet<String>,
    /// Whether headers wait for bodies, which a host must allow.
    pub holds_bodies: bool,
    /// Those that the manifests bring.
    pub clusters: Vec<Cluster>,
    /// Those that the proxy has already.
    pub existing: Vec<String>,
}

impl Facts {
    /// Reads a configuration and checks it, as `render` does.
    ///
    /// # Errors
    /// What the gate refuses; a secret that stands in it; a variable that no environment has; a cluster that nobody
    /// has; one that nobody asks for.
    pub fn read(file: &Path, options: &Options) -> Result<Facts, Failure> {
        let gate = GateFile::read(file)?;
        let secrets = ByName::default();
        gate.gate(&secrets)?;
        let document = gate.document.clone();
        if holds_private_key(&document) {
            let message = format!("{}: a private key stands in it", file.display());
            return Err(Failure::new(message).hint(
                "manifests are for many to read: put it into the proxy's environment, and `{env: NAME}` here",
            ));
        }
        let variables = secrets.into_asked();
        if let Some(name) = variables.iter().find(|name| !is_of_environment(name)) {
            let (file, name) = (file.display(), name.escape_debug());
            let message = format!("{file}: `{name}` is no name of a variable");
            return Err(Failure::new(message).hint(
                "letters, digits and `_`, and no digit first: what is emitted has it as it is",
            ));
        }
        let (clusters, existing) = clusters(&gate, options)?;
        Ok(Facts {
            variables,
            holds_bodies: holds_bodies(&document),
            clusters,
            existing,
            document,
        })
    }

    /// The text that the filter takes, as `render --format pretty` prints it.
    pub fn text(&self) -> String {
        format!("{:#}", self.document)
    }

    pub fn says(&self, pointer: &str, word: &str) -> bool {
        self.at(pointer).and_then(Value::as_str) == Some(word)
    }

    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.document.pointer(pointer)
    }

    /// The members of its routes' `match`, of any of them.
    pub fn is_matched_by(&self, member: &str) -> bool {
        let routes = self.at("/routes").and_then(Value::as_array);
        let mut matches = routes
            .into_iter()
            .flatten()
            .filter_map(|it| it.get("match"));
        matches.any(|it| it.get(member).is_some())
    }

    /// Where a number stands that a double does not hold as it is: a `Struct` has no others.
    pub fn inexact_number(&self) -> Option<String> {
        let mut path = Vec::new();
        find_inexact(&self.document, &mut path).then(|| path.join("."))
    }
}

/// A name (POSIX, Base Definitions section 3, "Name") that shells and Kubernetes take alike.
fn is_of_environment(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(is_of_name)
}

/// In a policy's data or modules, too: no key of the configuration is meant by `BEGIN ... PRIVATE KEY`.
fn holds_private_key(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("PRIVATE KEY-----"),
        Value::Array(items) => items.iter().any(holds_private_key),
        Value::Object(fields) => fields.values().any(holds_private_key),
        _ => false,
    }
}

fn find_inexact(value: &Value, path: &mut Vec<String>) -> bool {
    let mut below = |name: String, value: &Value| {
        path.push(name);
        let found = find_inexact(value, path);
        if !found {
            path.pop();
        }
        found
    };
    match value {
        Value::Number(number) => is_inexact(&number.to_string()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.any(|(index, item)| below(index.to_string(), item))
        }
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| below(name.clone(), value)),
        _ => false,
    }
}

/// A double keeps whole numbers up to 2^53, and of others seventeen digits are enough to name it.
fn is_inexact(number: &str) -> bool {
    /// 2^53.
    const MOST: i128 = 9_007_199_254_740_992;
    if let Ok(whole) = number.parse::<i128>() {
        return !(-MOST..=MOST).contains(&whole);
    }
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    let digits = digits.trim_start_matches(['-', '0', '.']);
    digits.bytes().filter(u8::is_ascii_digit).count() > 17
        || number.parse::<f64>().is_ok_and(f64::is_infinite)
}

/// All that the configuration names: brought, or there already.
fn clusters(gate: &GateFile, options: &Options) -> Result<(Vec<Cluster>, Vec<String>), Failure> {
    let mut given = Cluster::read(&options.cluster)?;
    let mut existing: BTreeSet<&str> = options
        .existing_cluster
        .iter()
        .map(String::as_str)
        .collect();
    let (mut brought, mut there, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (name, field) in portcullis_gatefile::clusters(&gate.document) {
        let is_there = existing.remove(name.as_str());
        match given.remove(&name) {
            Some(_) if is_there => problems.push(Problem {
                message: format!(
                    "--existing-cluster: `{}` has a --cluster, too",
                    name.escape_debug()
                ),
                hint: Some("the proxy has it, or the manifests bring it".to_owned()),
            }),
            Some(cluster) => brought.push(cluster),
            None if is_there || (options.target == Target::Istio && is_of_istio(&name)) => {
                there.push(name);
            }
            None => {
                let name = name.escape_debug();
                let place = gate.place(&field);
                problems.push(Problem {
                    message: format!("{place}: {field}: no --cluster says where `{name}` is"),
                    hint: Some(format!(
                        "--cluster {name}=https://HOST, or --existing-cluster {name} where the proxy has one of this name"
                    )),
                });
            }
        }
    }
    let unknown = given.keys().map(|name| ("--cluster", name.as_str()));
    let unknown = unknown.chain(
        existing
            .into_iter()
            .map(|name| ("--existing-cluster", name)),
    );
    problems.extend(unknown.map(|(option, name)| Problem {
        message: format!(
            "{option}: the configuration asks no `{}`",
            name.escape_debug()
        ),
        hint: Some("it asks those that its `cluster` fields name".to_owned()),
    }));
    match problems.is_empty() {
        true => Ok((brought, there)),
        false => Err(Failure(problems)),
    }
}

/// `outbound|443||idp.example.com`, with a subset perhaps: istiod's name for a service's port
/// (istio/istio, pilot/pkg/model/push_context.go, `BuildSubsetKey`).
fn is_of_istio(name: &str) -> bool {
    let mut parts = name.split('|');
    let (direction, port) = (parts.next(), parts.next());
    let (subset, host) = (parts.next(), parts.next());
    direction == Some("outbound")
        && port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && subset.is_some()
        && host.is_some_and(|host| !host.is_empty())
        && parts.next().is_none()
}
