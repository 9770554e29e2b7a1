//! What is to be done around Istio's manifests: how secrets come to the proxy, what to run and to check.

use super::{API, is_gateway};
use crate::image::emit::{facts::Facts, manifest::Manifest, options::Options, secrets};

pub fn secrets(facts: &Facts, options: &Options) -> Vec<String> {
    let place = [
        "In the pod template of the workload or gateway; istiod merges a container of this name:",
        "containers:",
        "  - name: istio-proxy",
        "    image: auto",
        "    env:",
    ];
    secrets::below(&place, "      ", facts, options)
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
