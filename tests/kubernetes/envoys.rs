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
use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// A certificate of nobody's: what the pods' image has in this place is not here.
const AUTHORITY: &str = include_str!("authority.pem");

/// A listener, a method, a path, headers, and the status that comes back.
type Ask = (&'static str, &'static str, &'static str, Headers, u16);
type Headers = &'static [(&'static str, &'static str)];

const NONE: Headers = &[];
const FOLDED: Headers = &[("x_user", "root")];
const PREFLIGHT: Headers = &[
    ("origin", "https://shop.example.com"),
    ("access-control-request-method", "POST"),
];

const ASKS: &[Ask] = &[
    ("gate", "GET", "/orders", NONE, 401),
    ("gate", "GET", "/orders%2f7", NONE, 400),
    ("gate", "GET", "/healthz", FOLDED, 400),
    ("gate", "GET", "/healthz", NONE, 200),
    ("metrics", "GET", "/stats/prometheus", NONE, 200),
    ("metrics", "GET", "/ready", NONE, 200),
    ("metrics", "GET", "/config_dump", NONE, 404),
    ("metrics", "POST", "/ready", NONE, 404),
    ("metrics", "POST", "/quitquitquit", NONE, 404),
    ("WasmPlugin/gate", "GET", "/orders", NONE, 401),
    ("WasmPlugin/gate", "GET", "/orders%2f7", NONE, 400),
    ("WasmPlugin/gate", "OPTIONS", "/orders", PREFLIGHT, 200),
    ("EnvoyFilter/payments-gate", "POST", "/payments", NONE, 401),
    (
        "EnvoyFilter/payments-gate",
        "POST",
        "/payments",
        FOLDED,
        400,
    ),
    ("EnvoyExtensionPolicy/gate", "GET", "/orders", NONE, 401),
    (
        "EnvoyExtensionPolicy/gate",
        "OPTIONS",
        "/orders",
        PREFLIGHT,
        200,
    ),
];

/// Starts one Envoy with all gates of the worlds, and asks each.
pub fn every_gate_decides(worlds: &[World]) {
    let Some(binary) = envoy() else { return };
    let upstream = Upstream::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (config, environment) = configuration(worlds, upstream.address, folder.path());
    let envoy = match Envoy::start(&binary, &config, &environment).unwrap() {
        Exit::Serving(envoy) => envoy,
        Exit::Ended { log, .. } => panic!("{log}"),
    };
    let listeners = envoy.listeners().unwrap();
    for (listener, method, path, headers, status) in ASKS {
        let answer = send(listeners[*listener], &exchange(method, path, headers)).unwrap();
        assert_eq!(
            answer.status,
            *status,
            "{listener}: {method} {path}\n{}",
            envoy.log()
        );
    }
    // One that nothing asked could have any gate, or none.
    for listener in listeners.keys() {
        assert!(
            ASKS.iter().any(|(asked, ..)| asked == listener),
            "{listener}"
        );
    }
    assert_well(&envoy);
}

/// The Envoy of the ConfigMap, and beside its listeners one for each other gate.
fn configuration(
    worlds: &[World],
    upstream: SocketAddr,
    folder: &Path,
) -> (Value, BTreeMap<String, String>) {
    let all: Vec<&Manifest> = worlds.iter().flat_map(|world| &world.manifests).collect();
    let mut envoy = all.iter().find_map(|one| bootstrap(one)).unwrap();
    let mut environment = BTreeMap::new();
    for manifest in &all {
        for module in modules(manifest) {
            let value =
                |name: String| (name, "0123456789abcdef0123456789abcdef0123456789abcdef".to_owned());
            environment.extend(module.environment.into_iter().map(value));
            if manifest.kind() != "ConfigMap" {
                let mut filter = patched(&all, module.filter);
                walk(&mut filter, &mut |value| relocate(value, upstream));
                let filter = discovered(manifest, &filter, folder)
                    .unwrap_or_else(|| json!({"name": "gate", "typed_config": filter}));
                let manager = merged(&all, manifest, json!({"http_filters": [filter, router()]}));
                push(&mut envoy, "listeners", listener(&module.at, manager));
            }
        }
    }
    for cluster in clusters(&all) {
        push(&mut envoy, "clusters", cluster);
    }
    walk(&mut envoy, &mut |value| relocate(value, upstream));
    envoy["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    (envoy, environment)
}

/// The filter of an EnvoyFilter: one of its patches says where, the other one what, and Envoy brings them together by
/// name. From a file here, where Istio serves it.
fn discovered(manifest: &Manifest, filter: &Value, folder: &Path) -> Option<Value> {
    let patches = manifest.spec()["configPatches"].as_array()?;
    let value = |to: &str| {
        let patch = patches.iter().find(|patch| patch["applyTo"] == to)?;
        Some(patch["patch"]["value"].clone())
    };
    let (mut here, mut resource) = (value("HTTP_FILTER")?, value("EXTENSION_CONFIG")?);
    resource["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
    resource["typed_config"] = filter.clone();
    let file = folder.join("extensions.json");
    fs::write(
        &file,
        json!({"version_info": "1", "resources": [resource]}).to_string(),
    )
    .unwrap();
    let source = here["config_discovery"]["config_source"].as_object_mut()?;
    source.remove("ads")?;
    source.insert("path_config_source".into(), json!({"path": file}));
    Some(here)
}

/// What EnvoyPatchPolicies put into the filter, and Envoy Gateway's listeners have it under.
fn patched(all: &[&Manifest], mut filter: Value) -> Value {
    if filter["config"]["fail_open"].is_null() {
        return filter;
    }
    for operation in operations(all) {
        if let Some(path) = operation["jsonPath"].as_str() {
            assert!(
                path.ends_with(".typed_config.config") && operation["op"] == "add",
                "{operation}"
            );
            let field = operation["path"]
                .as_str()
                .unwrap()
                .trim_start_matches('/')
                .to_owned();
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
    manager["route_config"] =
        json!({"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]});
    let filters = all
        .iter()
        .filter(|one| one.kind() == "EnvoyFilter" && one.namespace() == of.namespace());
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
    envoy["static_resources"][list]
        .as_array_mut()
        .unwrap()
        .push(value);
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
            "127.0.0.1" if socket["port_value"] != 0 => {
                *socket = json!({"address": "127.0.0.1", "port_value": upstream.port()})
            }
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

fn exchange(method: &str, path: &str, headers: Headers) -> Exchange {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    Exchange {
        method: method.into(),
        path: path.into(),
        lines: [("host", "orders")]
            .iter()
            .chain(headers)
            .map(header)
            .collect(),
        shown: Vec::new(),
        body: Vec::new(),
        framing: Framing::default(),
        route: String::new(),
        virtual_host: String::new(),
        route_metadata: Vec::new(),
        tls: None,
    }
}
