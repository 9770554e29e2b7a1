//! For Istio: a WasmPlugin, and an EnvoyFilter for what it has no words for.
//!
//! Istiod hands a WasmPlugin to the proxy as an extension configuration, into which nobody merges: of
//! EnvoyFilter's EXTENSION_CONFIG it knows `ADD` alone (istio/istio,
//! pilot/pkg/networking/core/envoyfilter/extension_configuration_patch.go), and an HTTP_FILTER patch sees
//! no more than where that configuration comes from. So what a WasmPlugin cannot say makes all of the
//! filter an EnvoyFilter, whose image the proxy's agent pulls just the same (pkg/wasm/convert.go).

mod steps;

use super::{
    facts::Facts,
    filter::{self, WASM},
    manifest::{Emitted, Image, Manifest},
    options::{Options, Phase, Version},
    warnings::{self, Proxy},
};
use crate::failure::Failure;
use serde_json::{Map, Value, json};

/// With Envoy 1.35, and FAIL_RELOAD among the words of a WasmPlugin.
const NEW: Version = Version(1, 27);
/// Where a filter may be, when its image cannot be pulled: one that refuses everything.
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const API: &str = "gateway.networking.k8s.io";

pub fn emit(image: &Image, facts: &Facts, options: &Options) -> Result<Emitted, Failure> {
    let is_whole = facts.holds_bodies || options.own_vm;
    let mut emitted = Emitted::default();
    let mut patches: Vec<Value> = facts
        .clusters
        .iter()
        .map(|cluster| {
            let context = match is_gateway(options) {
                true => "GATEWAY",
                false => "SIDECAR_OUTBOUND",
            };
            patch(
                "CLUSTER",
                json!({"context": context}),
                "ADD",
                cluster.value(&options.ca_file),
            )
        })
        .collect();
    let about = match is_whole {
        true => {
            possible(facts, options)?;
            patches.extend(whole(image, facts, options));
            let why = match facts.holds_bodies {
                true => {
                    "headers wait for bodies (allow_on_headers_stop_iteration), which a WasmPlugin cannot say"
                }
                false => "a VM of its own (vm_id) is nothing that a WasmPlugin can say",
            };
            format!("All of the filter, and no WasmPlugin: {why}, and nothing can be added to one.")
        }
        false => {
            emitted.manifests.push(Manifest {
                name: format!("{}.wasmplugin.yaml", options.name),
                value: plugin(image, facts, options)?,
                about: String::new(),
            });
            "The clusters that the gate asks.".to_owned()
        }
    };
    let is_patched = !patches.is_empty();
    if is_patched {
        // Before the plugin: what it asks should be there first.
        let filter = Manifest {
            name: format!("{}.envoyfilter.yaml", options.name),
            value: resource("networking.istio.io/v1alpha3", "EnvoyFilter", options, {
                let mut spec = target(options, "workloadSelector", "labels");
                spec.insert("configPatches".to_owned(), patches.into());
                spec
            }),
            about,
        };
        emitted.manifests.insert(0, filter);
    }
    emitted.warnings = warn(facts, options, is_whole, is_patched);
    emitted.secrets = steps::secrets(facts, options);
    emitted.commands = steps::commands(&emitted.manifests, facts, options, is_whole);
    Ok(emitted)
}

/// Whether an EnvoyFilter can say all that is asked.
fn possible(facts: &Facts, options: &Options) -> Result<(), Failure> {
    let why = match facts.holds_bodies {
        true => "the configuration holds bodies, which only an EnvoyFilter can say",
        false => "--own-vm is an EnvoyFilter",
    };
    let hint = match facts.holds_bodies {
        true => "or `body: {hold: refuse}`, which refuses requests whose body has to be looked at",
        false => "or leave --own-vm out",
    };
    let fault = if options.istio.is_some_and(|it| it < NEW) {
        "an Istio of 1.27 or newer (Envoy 1.35): --istio names an older one"
    } else if options.pull_secret.is_some() {
        "an image that proxies may pull without a --pull-secret: istiod resolves those of WasmPlugins alone"
    } else if options.phase == Some(Phase::Authz) {
        "the first place in the chain: --phase authz is a WasmPlugin's"
    } else if options.priority.is_some() {
        "the first place in the chain: --priority is a WasmPlugin's"
    } else {
        return Ok(());
    };
    Err(Failure::new(format!("{why}; it takes {fault}")).hint(hint))
}

fn plugin(image: &Image, facts: &Facts, options: &Options) -> Result<Value, Failure> {
    if let Some(path) = facts.inexact_number() {
        let message = format!(
            "{path}: a WasmPlugin's configuration has doubles for numbers, and this is none"
        );
        return Err(Failure::new(message).hint(
            "write it as text, or --own-vm for an EnvoyFilter, which takes the document as it is",
        ));
    }
    let mut spec = target(options, "selector", "matchLabels");
    let fail = match options.istio.is_some_and(|it| it < NEW) {
        true => "FAIL_CLOSE",
        false => "FAIL_RELOAD",
    };
    let mut traffic = Map::new();
    let mode = match is_gateway(options) {
        true => "CLIENT_AND_SERVER",
        // What the workload itself asks of others is none of the gate's.
        false => "SERVER",
    };
    traffic.insert("mode".to_owned(), mode.into());
    if !options.port.is_empty() {
        let ports = options.port.iter().map(|port| json!({"number": port}));
        traffic.insert("ports".to_owned(), ports.collect());
    }
    let fields = json!({
        "url": format!("oci://{}", image.pinned),
        "sha256": image.sha256,
        "imagePullPolicy": "IfNotPresent",
        "pluginName": "portcullis",
        "phase": options.phase.unwrap_or(Phase::Authn).as_str(),
        "priority": options.priority.unwrap_or(100),
        "failStrategy": fail,
        "match": [traffic],
        "pluginConfig": facts.document,
    });
    spec.extend(fields.as_object().cloned().unwrap_or_default());
    if let Some(secret) = &options.pull_secret {
        spec.insert("imagePullSecret".to_owned(), secret.clone().into());
    }
    if !facts.variables.is_empty() {
        let env = facts.variables.iter();
        let env: Vec<Value> = env
            .map(|name| json!({"name": name, "valueFrom": "HOST"}))
            .collect();
        spec.insert("vmConfig".to_owned(), json!({"env": env}));
    }
    Ok(resource(
        "extensions.istio.io/v1alpha1",
        "WasmPlugin",
        options,
        spec,
    ))
}

/// The filter's configuration, and the filter that asks for it: the first of all, where a WasmPlugin of the
/// phase AUTHN would be among the first.
fn whole(image: &Image, facts: &Facts, options: &Options) -> Vec<Value> {
    let context = match is_gateway(options) {
        true => "GATEWAY",
        false => "SIDECAR_INBOUND",
    };
    // Not a WasmPlugin's name, so that one of the same name is another's.
    let name = format!("envoyfilter.{}.{}", options.namespace(), options.name);
    let code = json!({"remote": {
        // The agent pulls it before Envoy sees this; so there is no cluster.
        "http_uri": {"uri": format!("oci://{}", image.pinned), "timeout": "30s", "cluster": "_"},
        "sha256": image.sha256,
    }});
    let configuration = json!({"name": name, "typed_config": filter::of(&name, &code, facts)});
    let discovered = json!({"name": name, "config_discovery": {
        // As long as there is no configuration, no request is served.
        "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
        "type_urls": [WASM, RBAC],
    }});
    let manager = json!({"filter": {"name": "envoy.filters.network.http_connection_manager"}});
    let mut patches = vec![patch(
        "EXTENSION_CONFIG",
        json!({"context": context}),
        "ADD",
        configuration,
    )];
    let insert = |listener: Value| {
        let matches = json!({"context": context, "listener": listener});
        patch("HTTP_FILTER", matches, "INSERT_FIRST", discovered.clone())
    };
    match options.port.is_empty() {
        true => patches.push(insert(json!({"filterChain": manager}))),
        false => patches.extend(
            options
                .port
                .iter()
                .map(|port| insert(json!({"portNumber": port, "filterChain": manager}))),
        ),
    }
    patches
}

fn patch(apply_to: &str, matches: Value, operation: &str, value: Value) -> Value {
    json!({"applyTo": apply_to, "match": matches, "patch": {"operation": operation, "value": value}})
}

fn resource(version: &str, kind: &str, options: &Options, spec: Map<String, Value>) -> Value {
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": options.name, "namespace": options.namespace()},
        "spec": spec,
    })
}

/// Whose it is: of a gateway, or of what has the labels.
fn target(options: &Options, selector: &str, labels: &str) -> Map<String, Value> {
    let mut target = Map::new();
    match &options.gateway {
        Some(name) => {
            let gateway = json!([{"group": API, "kind": "Gateway", "name": name}]);
            target.insert("targetRefs".to_owned(), gateway);
        }
        None => {
            let wanted: Map<String, Value> = options
                .selector
                .iter()
                .map(|(label, value)| (label.clone(), value.clone().into()))
                .collect();
            target.insert(selector.to_owned(), json!({labels: wanted}));
        }
    }
    target
}

fn is_gateway(options: &Options) -> bool {
    options.gateway.is_some() || options.ingress
}

fn warn(facts: &Facts, options: &Options, is_whole: bool, is_patched: bool) -> Vec<String> {
    let proxy = Proxy {
        validates: match is_gateway(options) {
            true => "the gateway's listeners need TLS of the mode MUTUAL, with a CA of yours",
            false => {
                "the workloads need a PeerAuthentication of the mode STRICT, or who asks in plain text has no peer"
            }
        },
        logs: "the proxy's pods need the annotation `sidecar.istio.io/componentLogLevel: wasm:info`",
        access_log: "an access log shows it by `%FILTER_STATE(wasm.portcullis:PLAIN)%` (meshConfig.accessLogFormat)",
        buffer: 1 << 20,
        buffers: "an EnvoyFilter can set `per_connection_buffer_limit_bytes` of the listener",
    };
    let mut warnings = vec![
        "Istio checks no signatures: that the image is the one that was verified is the digest's doing, so take \
         changes of it from `image emit` alone."
            .to_owned(),
    ];
    let mut warn = |applies: bool, words: &str| {
        if applies {
            warnings.push(words.to_owned());
        }
    };
    warn(
        !facts.is_matched_by("cors_preflight"),
        "The gate comes before Istio's CORS filter and decides preflights too, which bring no credentials: where browsers \
         ask, `routes: [{match: {cors_preflight: true}, gate: \"off\"}]`, or a policy that allows them.",
    );
    warn(
        facts.at("/jwt/providers").is_some(),
        "The gate comes before Istio's own check of tokens and takes them out of the request: a RequestAuthentication \
         for the same workloads sees none, unless the provider says `forward: keep`.",
    );
    warn(
        true,
        "Istio leaves escaped slashes in paths, and repeated ones: `meshConfig.pathNormalization.normalization: \
         MERGE_SLASHES` at least, so that the gate and the upstream read one path.",
    );
    warn(
        facts
            .existing
            .iter()
            .any(|name| name.starts_with("outbound|")),
        "Clusters named `outbound|PORT||HOST` are istiod's, of a Service or a ServiceEntry of that host and port; for https \
         they take a DestinationRule with `tls: {mode: SIMPLE, sni: HOST, subjectAltNames: [HOST]}`.",
    );
    warn(
        !options.port.is_empty(),
        "Ports that --port does not name are not guarded. It names those on which the pod listens (of a Service the \
         targetPort: an ingress gateway's 8443, and not 443): one on which it does not listen guards nothing, in silence, \
         so check each.",
    );
    // Of a waypoint's listeners istiod knows no port (pilot/pkg/networking/core/listener_waypoint.go).
    warn(
        !options.port.is_empty() && options.gateway.is_some(),
        "Where the Gateway is a waypoint, --port selects nothing, and then nothing is guarded: leave --port out for one.",
    );
    warn(
        !is_whole && options.istio.is_some_and(|it| it < NEW),
        "Before Istio 1.27 a WasmPlugin has no FAIL_RELOAD: after one crash of the module every request is refused until \
         the proxy restarts.",
    );
    warn(
        !is_whole,
        "A WasmPlugin has no vm_id: what the gate remembers is in reach of other plugins of the proxy. --own-vm emits an \
         EnvoyFilter instead.",
    );
    warn(
        is_whole,
        "An EnvoyFilter that Istio cannot read, or that selects nothing, is passed over in silence, and then nothing is \
         guarded: check that the filter is there (`istioctl proxy-config listeners`). A WasmPlugin of an earlier `emit` must go.",
    );
    warn(
        is_patched && options.gateway.is_some(),
        "`targetRefs` of an EnvoyFilter are for gateways of the Gateway API, not for waypoints: in one of those nothing of \
         the EnvoyFilter is there.",
    );
    warnings.extend(warnings::of(facts, options, &proxy));
    warnings
}
