//! What Envoy is started with: a listener for each scenario, the filter with its configuration, one
//! upstream behind all.

use crate::{
    prepare::{CATCH_ALL, Prepared, VIRTUAL_HOST},
    scenario::Mtls,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
};

pub const LISTENER: &str = "scenario_";

pub fn listener(index: usize) -> String {
    format!("{LISTENER}{index}")
}

/// The bootstrap document; Envoy reads JSON where the file's name says so.
pub fn bootstrap(
    scenarios: &[&Prepared<'_>],
    module: &Path,
    upstream: SocketAddr,
    access_log: &Path,
) -> Value {
    // One list for all, since it is part of what makes two filters share a VM.
    let variables: BTreeSet<&str> = scenarios
        .iter()
        .flat_map(|prepared| {
            prepared
                .scenario
                .file
                .environment
                .keys()
                .map(String::as_str)
        })
        .collect();
    let listeners: Vec<Value> = scenarios
        .iter()
        .enumerate()
        .map(|(index, prepared)| {
            json!({
                "name": listener(index),
                "address": address("127.0.0.1", 0),
                "filter_chains": [{
                    "transport_socket": transport_socket(prepared),
                    "filters": [{
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager(index, prepared, module, &variables, access_log),
                    }],
                }],
            })
        })
        .collect();
    json!({
        "admin": {"address": address("127.0.0.1", 0)},
        "static_resources": {
            "listeners": listeners,
            "clusters": [cluster("upstream", upstream)],
        },
    })
}

/// Adds what the gate asks to a bootstrap document.
pub fn add_clusters(bootstrap: &mut Value, clusters: &BTreeMap<String, SocketAddr>) {
    let all = bootstrap.pointer_mut("/static_resources/clusters");
    if let Some(all) = all.and_then(Value::as_array_mut) {
        all.extend(clusters.iter().map(|(name, at)| cluster(name, *at)));
    }
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": address(&at.ip().to_string(), at.port()),
            }}]}],
        },
    })
}

/// TLS that asks for a certificate, and lets those through who show none; where the scenario has it.
pub fn transport_socket(prepared: &Prepared<'_>) -> Option<Value> {
    let listener = prepared.mtls.as_ref()?;
    let verification = match listener.mtls {
        Mtls::Validate => "VERIFY_TRUST_CHAIN",
        Mtls::AcceptUntrusted => "ACCEPT_UNTRUSTED",
    };
    Some(json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": false,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": {"inline_string": listener.certificate},
                    "private_key": {"inline_string": listener.key},
                }],
                "validation_context": {
                    "trusted_ca": {"inline_string": listener.trusted},
                    "trust_chain_verification": verification,
                },
            },
        },
    }))
}

fn manager(
    index: usize,
    prepared: &Prepared<'_>,
    module: &Path,
    variables: &BTreeSet<&str>,
    access_log: &Path,
) -> Value {
    let names = &prepared.scenario.file.envoy;
    let to_upstream = json!({"cluster": "upstream"});
    let mut routes: Vec<Value> = names
        .routes
        .iter()
        .map(|route| {
            json!({
                "name": route.name,
                "match": {"prefix": route.prefix},
                "route": to_upstream,
                "metadata": {"filter_metadata": {"portcullis": route.metadata}},
            })
        })
        .collect();
    routes.push(json!({"name": CATCH_ALL, "match": {"prefix": "/"}, "route": to_upstream}));
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": listener(index),
        "generate_request_id": false,
        // So that the gate sees it: Envoy removes it otherwise.
        "forward_client_cert_details": "ALWAYS_FORWARD_ONLY",
        "use_remote_address": names.edge,
        "skip_xff_append": true,
        "http_protocol_options": {"enable_trailers": true},
        // Without it Envoy answers a handshake itself.
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        // Wider than the gate's own limits, so that the gate is asked.
        "max_request_headers_kb": 512,
        "common_http_protocol_options": {"max_headers_count": 2000},
        "route_config": {
            "name": "scenario",
            "virtual_hosts": [{
                "name": names.virtual_host.as_deref().unwrap_or(VIRTUAL_HOST),
                "domains": ["*"],
                "routes": routes,
            }],
        },
        "http_filters": [
            {"name": "portcullis", "typed_config": wasm(prepared, module, variables)},
            {"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            }},
        ],
        "access_log": [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": access_log.to_string_lossy(),
                "log_format": {"json_format": {
                    "listener": listener(index),
                    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "record": "%FILTER_STATE(wasm.portcullis:PLAIN)%",
                }},
            },
        }],
    })
}

fn wasm(prepared: &Prepared<'_>, module: &Path, variables: &BTreeSet<&str>) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            // What gates of one name have seen, they have seen together.
            "name": format!("portcullis {}", prepared.scenario.name),
            "root_id": "portcullis",
            "failure_policy": "FAIL_RELOAD",
            "allow_on_headers_stop_iteration": prepared.scenario.file.envoy.allow_on_headers_stop_iteration,
            "vm_config": {
                "vm_id": "portcullis-scenarios",
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module.to_string_lossy()}},
                "environment_variables": {"host_env_keys": variables},
            },
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": String::from_utf8_lossy(&prepared.document),
            },
        },
    })
}

fn address(host: &str, port: u16) -> Value {
    json!({"socket_address": {"address": host, "port_value": port}})
}
