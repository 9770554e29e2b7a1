//! For Envoy Gateway: an EnvoyExtensionPolicy, and an EnvoyPatchPolicy for what it has no words for.

use super::{
    facts::Facts,
    filter,
    manifest::{Emitted, Image, Manifest},
    options::Options,
    secrets,
    warnings::{self, Proxy},
};
use crate::failure::Failure;
use serde_json::{Value, json};

const API: &str = "gateway.networking.k8s.io";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

pub fn emit(image: &Image, facts: &Facts, options: &Options) -> Result<Emitted, Failure> {
    if let Some(path) = facts.inexact_number() {
        let message = format!("{path}: Kubernetes has doubles for such numbers, and this is none");
        return Err(Failure::new(message).hint("write it as text"));
    }
    let mut manifests = vec![Manifest {
        name: format!("{}.envoyextensionpolicy.yaml", options.name),
        value: policy(image, facts, options),
        about: String::new(),
    }];
    let patches = facts.holds_bodies || !facts.clusters.is_empty();
    if patches {
        let gateway = options.gateway.as_deref().ok_or_else(|| {
            let what = match facts.holds_bodies {
                true => "the configuration holds bodies",
                false => "the configuration names clusters",
            };
            Failure::new(format!(
                "{what}, which takes an EnvoyPatchPolicy, and that a gateway"
            ))
            .hint("--gateway NAME beside --route")
        })?;
        let patch = Manifest {
            name: format!("{}.envoypatchpolicy.yaml", options.name),
            value: patch(gateway, facts, options),
            about: "What an EnvoyExtensionPolicy has no words for: clusters, held headers, FAIL_RELOAD. It names what \
                    Envoy Gateway generates, so look at it again after an update of that."
                .to_owned(),
        };
        // First, so that the clusters are there before the gate asks them.
        manifests.insert(0, patch);
    }
    Ok(Emitted {
        warnings: warn(facts, options, patches),
        secrets: secrets(facts, options),
        commands: commands(&manifests, facts, options),
        manifests,
    })
}

fn policy(image: &Image, facts: &Facts, options: &Options) -> Value {
    let (kind, name) = match (&options.route, &options.gateway) {
        (Some(route), _) => ("HTTPRoute", Some(route)),
        (None, gateway) => ("Gateway", gateway.as_ref()),
    };
    let mut pulled = json!({"url": image.pinned, "sha256": image.sha256});
    if let Some(secret) = &options.pull_secret
        && let Some(fields) = pulled.as_object_mut()
    {
        let reference = json!({"kind": "Secret", "name": secret});
        fields.insert("pullSecretRef".to_owned(), reference);
    }
    let mut wasm = json!({
        "name": options.name,
        "rootID": "portcullis",
        "code": {"type": "Image", "image": pulled},
        "config": facts.document,
        "failOpen": false,
    });
    if !facts.variables.is_empty()
        && let Some(fields) = wasm.as_object_mut()
    {
        fields.insert("env".to_owned(), json!({"hostKeys": facts.variables}));
    }
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": options.name, "namespace": options.namespace()},
        "spec": {
            "targetRefs": [{"group": API, "kind": kind, "name": name}],
            "wasm": [wasm],
        },
    })
}

/// Operations on what Envoy Gateway generates, with the names of Envoy's protocol buffers
/// (envoyproxy/gateway, internal/xds/translator/jsonpatch.go).
fn patch(gateway: &str, facts: &Facts, options: &Options) -> Value {
    let mut patches: Vec<Value> = facts
        .clusters
        .iter()
        .map(|cluster| {
            let value = cluster.value(&options.ca_file);
            let operation = json!({"op": "add", "path": "", "value": value});
            json!({"type": CLUSTER, "name": cluster.name, "operation": operation})
        })
        .collect();
    let found = format!(
        "..http_filters[?(@.name=='{}')].typed_config.config",
        filter_name(options)
    );
    for listener in options.listeners() {
        let name = format!("{}/{gateway}/{listener}", options.namespace());
        for (setting, value) in filter::settings(facts) {
            let operation = json!({"op": "add", "jsonPath": found, "path": format!("/{setting}"), "value": value});
            patches.push(json!({"type": LISTENER, "name": name, "operation": operation}));
        }
    }
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyPatchPolicy",
        "metadata": {"name": options.name, "namespace": options.namespace()},
        "spec": {
            "type": "JSONPatch",
            "targetRef": {"group": API, "kind": "Gateway", "name": gateway},
            "jsonPatches": patches,
        },
    })
}

/// The filter of the first module of a policy (internal/xds/translator/wasm.go).
fn filter_name(options: &Options) -> String {
    let (namespace, name) = (options.namespace(), &options.name);
    format!("envoy.filters.http.wasm/envoyextensionpolicy/{namespace}/{name}/wasm/0")
}

fn warn(facts: &Facts, options: &Options, patches: bool) -> Vec<String> {
    let proxy = Proxy {
        validates: "a ClientTrafficPolicy with `tls.clientValidation` has to ask for certificates, and not as `optional` ones",
        logs: "the EnvoyProxy needs `logging: {level: {wasm: info}}`",
        access_log: "an access log shows it by `%FILTER_STATE(wasm.portcullis:PLAIN)%` (EnvoyProxy, `telemetry.accessLog`)",
        buffer: 32 << 10,
        buffers: "a ClientTrafficPolicy with `connection: {bufferLimit: 1Mi}` holds more",
    };
    let mut warnings = vec![
        "Envoy Gateway checks no signatures: that the image is the one that was verified is the digest's doing, so take \
         changes of it from `image emit` alone."
            .to_owned(),
        "Envoy Gateway switches the filter on for each route. An EnvoyExtensionPolicy of a route takes the place of the \
         gateway's, gate and all; and where a filter before it changes the path, a route without it can be reached. Attach it \
         to the gateway, let nobody else have such policies, and put exceptions into its `routes`."
            .to_owned(),
        "Envoy Gateway's own CORS, basic authentication, OIDC and JWT filters come before the gate: it sees the requests \
         that they let through."
            .to_owned(),
    ];
    let mut warn = |applies: bool, words: &str| {
        if applies {
            warnings.push(words.to_owned());
        }
    };
    warn(
        patches,
        "An EnvoyPatchPolicy counts only where the configuration of Envoy Gateway says `extensionApis: \
         {enableEnvoyPatchPolicy: true}`, and it names listeners as Envoy Gateway does (namespace/gateway/listener).",
    );
    warn(
        patches && facts.holds_bodies,
        "Held bodies need Envoy Gateway 1.5 or newer (Envoy 1.35); where the patch is not programmed, requests with such \
         a body are refused.",
    );
    warn(
        !patches,
        "Without an EnvoyPatchPolicy there is no FAIL_RELOAD: after one crash of the module every request is refused \
         until the proxy restarts.",
    );
    warnings.extend(warnings::of(facts, options, &proxy));
    warnings
}

fn secrets(facts: &Facts, options: &Options) -> Vec<String> {
    let place = [
        "In the EnvoyProxy that the Gateway's `infrastructure.parametersRef`, or its class, names:",
        "spec:",
        "  provider:",
        "    type: Kubernetes",
        "    kubernetes:",
        "      envoyDeployment:",
        "        container:",
        "          env:",
    ];
    secrets::below(&place, "            ", facts, options)
}

fn commands(manifests: &[Manifest], facts: &Facts, options: &Options) -> Vec<String> {
    let (name, namespace) = (&options.name, options.namespace());
    let files: Vec<String> = manifests
        .iter()
        .map(|it| format!("-f {}", it.name))
        .collect();
    let files = files.join(" ");
    let mut commands = vec![
        format!("kubectl apply --server-side --dry-run=server {files}"),
        format!("kubectl apply --server-side {files}"),
        format!(
            "kubectl get envoyextensionpolicy {name} -n {namespace} -o jsonpath='{{.status.ancestors[*].conditions}}'   # Accepted"
        ),
    ];
    if manifests.len() > 1 {
        commands.push(format!(
            "kubectl get envoypatchpolicy {name} -n {namespace} -o jsonpath='{{.status.ancestors[*].conditions}}'   # Programmed"
        ));
    }
    if let Some(gateway) = &options.gateway {
        let labels = format!(
            "gateway.envoyproxy.io/owning-gateway-name={gateway},gateway.envoyproxy.io/owning-gateway-namespace={namespace}"
        );
        commands.push(format!("egctl config envoy-proxy listener -n envoy-gateway-system -l {labels} | grep -c '{}'   # not 0", filter_name(options)));
        if !facts.variables.is_empty() {
            commands.push(format!(
                "kubectl rollout status deployment -n envoy-gateway-system -l {labels}   # after the variables"
            ));
        }
    }
    commands
}
