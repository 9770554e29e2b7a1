//! Secrets stand in no manifest: how the proxy's environment comes to them.

use super::{facts::Facts, options::Options, yaml};
use serde_json::Value;

/// The lines of `place`, and below them `env` of a container: each variable from a key of its name in one
/// Secret. Nothing, where the configuration asks for none.
pub fn below(place: &[&str], indent: &str, facts: &Facts, options: &Options) -> Vec<String> {
    if facts.variables.is_empty() {
        return Vec::new();
    }
    // A name such as `NO` is none to YAML 1.1.
    let written = |name: &str| yaml::write(&Value::from(name)).trim_end().to_owned();
    let secret = written(&options.name);
    let reference = |name: &String| {
        let name = written(name);
        format!(
            "{indent}- {{name: {name}, valueFrom: {{secretKeyRef: {{name: {secret}, key: {name}}}}}}}"
        )
    };
    let place = place.iter().map(|line| (*line).to_owned());
    place.chain(facts.variables.iter().map(reference)).collect()
}
