//! Every gate of the manifests in a real Envoy, as Kubernetes, Istio and Envoy Gateway would start it. What is not here
//! (the identity provider, the services) has other addresses; names, filters, clusters and TLS are as they stand.

use crate::{
    manifests::Manifest,
    modules::{bootstrap, modules},
    world::World,
};
use portcullis_runner::{Envoy, Exchange, Exit, Framing, Upstream, send};
use portcullis_tests::{assert_well, envoy, module};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr};

const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// A certificate of nobody's: what the pods' image has in this place is not here.
const AUTHORITY: &str = include_str!("authority.pem");

/// A request to a listener, and what comes back.
struct Ask {
    listener: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    status: u16,
}

const PREFLIGHT: &[(&str, &str)] = &[
    ("origin", "https://shop.example.com"),
    ("access-control-request-method", "POST"),
];

const ASKS: &[Ask] = &[
    Ask { listener: "gate", method: "GET", path: "/orders", headers: &[], status: 401 },
    Ask { listener: "gate", method: "GET", path: "/orders%2f7", headers: &[], status: 400 },
    Ask { listener: "gate", method: "GET", path: "/healthz", headers: &[("x_user", "root")], status: 400 },
    Ask { listener: "gate", method: "GET", path: "/healthz", headers: &[], status: 200 },
    Ask { listener: "metrics", method: "GET", path: "/stats/prometheus", headers: &[], status: 200 },
    Ask { listener: "metrics", method: "GET", path: "/ready", headers: &[], status: 200 },
    Ask { listener: "metrics", method: "GET", path: "/config_dump", headers: &[], status: 404 },
    Ask { listener: "metrics", method: "POST", path: "/ready", headers: &[], status: 404 },
    Ask { listener: "metrics", method: "POST", path: "/quitquitquit", headers: &[], status: 404 },
    Ask { listener: "WasmPlugin/gate", method: "GET", path: "/orders", headers: &[], status: 401 },
    Ask { listener: "WasmPlugin/gate", method: "GET", path: "/orders%2f7", headers: &[], status: 400 },
    Ask { listener: "WasmPlugin/gate", method: "OPTIONS", path: "/orders", headers: PREFLIGHT, status: 200 },
    Ask { listener: "EnvoyFilter/payments-gate", method: "POST", path: "/payments", headers: &[], status: 401 },
    Ask { listener: "EnvoyFilter/payments-gate", method: "POST", path: "/payments", headers: &[("x_user", "root")], status: 400 },
    Ask { listener: "EnvoyExtensionPolicy/gate", method: "GET", path: "/orders", headers: &[], status: 401 },
    Ask { listener: "EnvoyExtensionPolicy/gate", method: "OPTIONS", path: "/orders", headers: PREFLIGHT, status: 200 },
];

/// Starts one Envoy with all gates of the worlds, and asks each.
pub fn every_gate_decides(worlds: &[World]) {
    let Some(binary) = envoy() else { return };
    let upstream = Upstream::start().unwrap();
    let (config, environment) = configuration(worlds, upstream.address);
    let envoy = match Envoy::start(&binary, &config, &environment).unwrap() {
        Exit::Serving(envoy) => envoy,
        Exit::Ended { log, .. } => panic!("{log}"),
    };
    let listeners = envoy.listeners().unwrap();
    for ask in ASKS {
        let answer = send(listeners[ask.listener], &exchange(ask)).unwrap();
        let (listener, method, path) = (ask.listener, ask.method, ask.path);
        assert_eq!(answer.status, ask.status, "{listener}: {method} {path}\n{}", envoy.log());
    }
    // One that nothing asked could be any Envoy's.
    for listener in listeners.keys() {
        assert!(ASKS.iter().any(|ask| ask.listener == listener), "{listener}");
    }
    assert_well(&envoy);
}

/// The Envoy of the ConfigMap, and beside its listeners one for each other gate.
fn configuration(worlds: &[World], upstream: SocketAddr) -> (Value, BTreeMap<String, String>) {
    let all: Vec<&Manifest> = worlds.iter().flat_map(|world| &world.manifests).collect();
    let mut envoy = all.iter().find_map(|one| bootstrap(one)).unwrap();
    let mut environment = BTreeMap::new();
    for manifest in &all {
        for module in modules(manifest) {
            let value = |name: String| (name, "of a test, and long enough to be a secret".to_owned());
            environment.extend(module.environment.into_iter().map(value));
            if manifest.kind() != "ConfigMap" {
                let filter = patched(&all, module.filter);
                let manager = merged(&all, manifest, json!({"http_filters": [{"name": "gate", "typed_config": filter}, router()]}));
                push(&mut envoy, "listeners", listener(&module.at, manager));
            }
        }
    }
    for cluster in clusters(&all) {
        push(&mut envoy, "clusters", cluster);
    }
    let mut here = |value: &mut Value| relocate(value, upstream);
    walk(&mut envoy, &mut here);
    let mut admin = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
    std::mem::swap(&mut envoy["admin"], &mut admin);
    (envoy, environment)
}

/// What EnvoyPatchPolicies put into the filter, and Envoy Gateway's listeners have it under.
fn patched(all: &[&Manifest], mut filter: Value) -> Value {
    if filter["config"]["fail_open"].is_null() {
        return filter;
    }
    for operation in operations(all) {
        if let Some(path) = operation["jsonPath"].as_str() {
            assert!(path.ends_with(".typed_config.config") && operation["op"] == "add", "{operation}");
            let field = operation["path"].as_str().unwrap().trim_start_matches('/').to_owned();
            filter["config"][field] = operation["value"].clone();
        }
    }
    filter
}

fn operations(all: &[&Manifest]) -> Vec<Value> {
    all.iter()
        .filter(|one| one.kind() == "EnvoyPatchPolicy")
        .flat_map(|one| one.spec()["jsonPatches"].as_array().unwrap())
        .map(|patch| patch["operation"].clone())
        .collect()
}

/// Clusters that the manifests add, and those that Istio makes of ServiceEntries.
fn clusters(all: &[&Manifest]) -> Vec<Value> {
    let added = operations(all).into_iter().filter(|one| one["path"] == "");
    let entries = all.iter().filter(|one| one.kind() == "ServiceEntry").map(|one| {
        let (host, port) = (&one.spec()["hosts"][0], &one.spec()["ports"][0]);
        let name = format!("outbound|{}||{}", port["number"], host.as_str().unwrap());
        let at = json!({"socket_address": {"address": host, "port_value": port["targetPort"]}});
        let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": at}}]}]);
        json!({"name": name, "type": "STRICT_DNS", "load_assignment": {"cluster_name": name, "endpoints": endpoints}})
    });
    added
        .map(|one| one["value"].clone())
        // The ConfigMap's own is of the same name.
        .filter(|one| one["name"] != "idp")
        .chain(entries)
        .collect()
}

/// The connection manager as EnvoyFilters change it; Envoy Gateway has its own ways, which are these.
fn merged(all: &[&Manifest], of: &Manifest, mut manager: Value) -> Value {
    manager["@type"] = json!(MANAGER);
    manager["stat_prefix"] = json!("gate");
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "orders"}}]);
    manager["route_config"] = json!({"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]});
    let filters = all.iter().filter(|one| one.kind() == "EnvoyFilter" && one.namespace() == of.namespace());
    for patch in filters.flat_map(|one| one.spec()["configPatches"].as_array().unwrap()) {
        if patch["applyTo"] == "NETWORK_FILTER" {
            let change = patch["patch"]["value"]["typed_config"].as_object().unwrap();
            manager.as_object_mut().unwrap().extend(change.clone());
        }
    }
    manager
}

fn listener(name: &str, manager: Value) -> Value {
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    })
}

fn router() -> Value {
    json!({"name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}})
}

fn push(envoy: &mut Value, list: &str, value: Value) {
    envoy["static_resources"][list].as_array_mut().unwrap().push(value);
}

/// Ports that are free, the module and an authority that are here, the services behind one upstream.
fn relocate(value: &mut Value, upstream: SocketAddr) {
    if let Some(vm) = value.get_mut("vm_config") {
        vm["code"] = json!({"local": {"filename": module()}});
    }
    if let Some(authority) = value.get_mut("trusted_ca") {
        *authority = json!({"inline_string": AUTHORITY});
    }
    if let Some(socket) = value.get_mut("socket_address") {
        match socket["address"].as_str().unwrap() {
            "0.0.0.0" => *socket = json!({"address": "127.0.0.1", "port_value": 0}),
            "127.0.0.1" if socket["port_value"] != 0 => *socket = json!({"address": "127.0.0.1", "port_value": upstream.port()}),
            _ => {}
        }
    }
}

fn walk(value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    change(value);
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| walk(one, change)),
        Value::Object(all) => all.values_mut().for_each(|one| walk(one, change)),
        _ => {}
    }
}

fn exchange(ask: &Ask) -> Exchange {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    Exchange {
        method: ask.method.into(),
        path: ask.path.into(),
        lines: std::iter::once(&("host", "orders")).chain(ask.headers).map(header).collect(),
        shown: Vec::new(),
        body: Vec::new(),
        framing: Framing::default(),
        route: String::new(),
        virtual_host: String::new(),
        route_metadata: Vec::new(),
        tls: None,
    }
}
