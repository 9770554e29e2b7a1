//! What is to be done around Istio's manifests: how secrets come to the proxy, what to run and to check.

use super::{API, is_gateway};
use crate::image::emit::{facts::Facts, manifest::Manifest, options::Options, yaml};
use serde_json::Value;

pub fn secrets(facts: &Facts, options: &Options) -> Vec<String> {
    if facts.variables.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "In the pod template of the workload or gateway; istiod merges a container of this name:"
            .to_owned(),
        "containers:".to_owned(),
        "  - name: istio-proxy".to_owned(),
        "    image: auto".to_owned(),
        "    env:".to_owned(),
    ];
    lines.extend(references(facts, options, "      "));
    lines
}

/// `env` of a container: each variable from a key of its name in one Secret.
pub fn references(facts: &Facts, options: &Options, indent: &str) -> Vec<String> {
    // A name such as `NO` is none to YAML 1.1.
    let written = |name: &str| yaml::write(&Value::from(name)).trim_end().to_owned();
    let secret = written(&options.name);
    let reference = |name: &String| {
        let name = written(name);
        format!(
            "{indent}- {{name: {name}, valueFrom: {{secretKeyRef: {{name: {secret}, key: {name}}}}}}}"
        )
    };
    facts.variables.iter().map(reference).collect()
}

pub fn commands(
    manifests: &[Manifest],
    facts: &Facts,
    options: &Options,
    is_whole: bool,
) -> Vec<String> {
    let namespace = options.namespace();
    let files: Vec<String> = manifests
        .iter()
        .map(|it| format!("-f {}", it.name))
        .collect();
    let files = files.join(" ");
    let labels = match &options.gateway {
        Some(gateway) => format!("{API}/gateway-name={gateway}"),
        None => {
            let labels = options.selector.iter();
            let labels: Vec<String> = labels
                .map(|(label, value)| format!("{label}={value}"))
                .collect();
            labels.join(",")
        }
    };
    let filter = match is_whole {
        true => format!("envoyfilter.{namespace}.{}", options.name),
        false => format!("{namespace}.{}", options.name),
    };
    let mut commands = vec![
        format!("kubectl apply --server-side --dry-run=server {files}"),
        format!("kubectl apply --server-side {files}"),
        format!("istioctl analyze -n {namespace}"),
        format!(
            "POD=$(kubectl get pods -n {namespace} -l {labels} -o jsonpath='{{.items[0].metadata.name}}')"
        ),
    ];
    commands.extend(listeners(options, &filter));
    commands.push(format!(
        "istioctl proxy-config ecds -n {namespace} \"$POD\" -o json | grep '{filter}'   # not an RBAC filter: that is a pull that failed"
    ));
    for cluster in &facts.clusters {
        let host = cluster.host();
        commands.push(format!(
            "istioctl proxy-config clusters -n {namespace} \"$POD\" -o json | grep -c '{host}'   # not 0"
        ));
    }
    if !facts.variables.is_empty() {
        commands.push(format!(
            "kubectl rollout restart deployment -n {namespace} -l {labels}   # after the variables, which are read at the start"
        ));
    }
    commands
}

/// Whether the filter is where it should be: on each port, where ports were named.
fn listeners(options: &Options, filter: &str) -> Vec<String> {
    let listed = format!(
        "istioctl proxy-config listeners -n {} \"$POD\"",
        options.namespace()
    );
    if options.port.is_empty() {
        return vec![format!("{listed} -o json | grep -c '{filter}'   # not 0")];
    }
    let check = |port: &u16| match is_gateway(options) {
        true => format!("{listed} --port {port} -o json | grep -c '{filter}'   # not 0"),
        // A sidecar has all of its workload's ports in one listener, a filter chain or more for each.
        false => format!(
            "{listed} --port 15006 -o json | jq '[.[].filterChains[] | select(.filterChainMatch.destinationPort == {port}) | \
             tostring | contains(\"{filter}\")] | any'   # true"
        ),
    };
    options.port.iter().map(check).collect()
}
