//! One Envoy with every gate of the manifests: the one of the ConfigMap, and beside its listeners what Istio and Envoy
//! Gateway make of the others. What is not here has other addresses; names, filters, clusters and TLS are as they stand.

use crate::{
    manifests::Manifest,
    modules::{Module, bootstrap as written, modules},
    parties::{Parties, SECRET},
    world::World,
};
use portcullis_tests::module as code;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
};

const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const HOST: &str = "idp.example.com";

/// The document, and what the environment must have. Gates of a mesh take connections from `callers` alone: each, as
/// `GATE as SERVICE`, is a listener that shows the certificate of that service, as a sidecar does.
pub fn bootstrap(
    worlds: &[World],
    callers: &[&str],
    upstream: SocketAddr,
    parties: &Parties,
    folder: &Path,
) -> (Value, BTreeMap<String, String>) {
    let all: Vec<&Manifest> = worlds.iter().flat_map(|world| &world.manifests).collect();
    let mut envoy = all.iter().find_map(|one| written(one)).unwrap();
    for cluster in clusters(&all) {
        push(&mut envoy, "clusters", cluster);
    }
    let idp = free_port();
    let here = |value: &mut Value| relocate(value, upstream, idp, parties);
    walk(&mut envoy, &here);
    envoy["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    // What comes by ECDS is asked for in somebody's name.
    envoy["node"] = json!({"id": "test", "cluster": "test"});
    push(&mut envoy, "listeners", provider(idp, parties));

    let mut environment = BTreeMap::new();
    for manifest in &all {
        for module in modules(manifest) {
            let names = module.environment.iter().cloned();
            environment.extend(names.map(|name| (name, SECRET.to_owned())));
            let mut filter = patched(&all, module.filter.clone());
            is_fit(&module, &filter["config"]);
            if manifest.kind() == "ConfigMap" {
                continue;
            }
            walk(&mut filter, &here);
            let filter = discovered(manifest, &filter, folder)
                .unwrap_or_else(|| json!({"name": "gate", "typed_config": filter}));
            let mut manager = manager(
                json!({"prefix": "/"}),
                json!({"cluster": "orders"}),
                "route",
            );
            manager["http_filters"]
                .as_array_mut()
                .unwrap()
                .insert(0, filter);
            change(&all, manifest, &mut manager);
            match manifest.kind() {
                "EnvoyExtensionPolicy" => push(
                    &mut envoy,
                    "listeners",
                    listener(&module.at, 0, http(manager), Value::Null),
                ),
                _ => meshed(&mut envoy, &module.at, callers, http(manager), parties),
            }
        }
    }
    (envoy, environment)
}

/// What the pages say of failures and of bodies: one crash is not the end, nothing passes meanwhile, and whoever looks at
/// bodies may hold the headers.
fn is_fit(module: &Module, filter: &Value) {
    let holds = &filter["allow_on_headers_stop_iteration"];
    assert_eq!(filter["failure_policy"], "FAIL_RELOAD", "{}", module.at);
    assert_ne!(filter["fail_open"], true, "{}", module.at);
    assert!(
        module.configuration["body"].is_null() || *holds == true,
        "{}",
        module.at
    );
}

/// What EnvoyPatchPolicies put into the filter that Envoy Gateway made.
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

/// What EnvoyFilters of the namespace change in a connection manager.
fn change(all: &[&Manifest], of: &Manifest, manager: &mut Value) {
    let filters = all
        .iter()
        .filter(|one| one.kind() == "EnvoyFilter" && one.namespace() == of.namespace());
    for patch in filters.flat_map(|one| one.spec()["configPatches"].as_array().unwrap()) {
        if patch["applyTo"] == "NETWORK_FILTER" {
            let change = patch["patch"]["value"]["typed_config"].as_object().unwrap();
            manager.as_object_mut().unwrap().extend(change.clone());
        }
    }
}

fn operations(all: &[&Manifest]) -> Vec<Value> {
    let policies = all.iter().filter(|one| one.kind() == "EnvoyPatchPolicy");
    policies
        .flat_map(|one| one.spec()["jsonPatches"].as_array().unwrap())
        .map(|patch| patch["operation"].clone())
        .collect()
}

/// Clusters that a patch adds, and those that Istio makes of a ServiceEntry and its DestinationRule.
fn clusters(all: &[&Manifest]) -> Vec<Value> {
    let of = |kind: &'static str| all.iter().filter(move |one| one.kind() == kind);
    let mut found: Vec<Value> = Vec::new();
    for added in operations(all).into_iter().filter(|one| one["path"] == "") {
        // The ConfigMap has one of this name, so that there can be no second: it must be the same.
        let twin = all.iter().find_map(|one| written(one)).unwrap();
        let twin = twin["static_resources"]["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == added["value"]["name"])
            .unwrap()
            .clone();
        for field in ["type", "load_assignment", "transport_socket"] {
            assert_eq!(twin[field], added["value"][field]);
        }
    }
    for (entry, rule) in of("ServiceEntry").zip(of("DestinationRule")) {
        let (host, port) = (&entry.spec()["hosts"][0], &entry.spec()["ports"][0]);
        let tls = &rule.spec()["trafficPolicy"]["tls"];
        assert!(
            rule.spec()["host"] == *host
                && tls["mode"] == "SIMPLE"
                && tls["caCertificates"] == "system",
            "{tls}"
        );
        let names = tls["subjectAltNames"].as_array().unwrap().iter();
        let names: Vec<Value> = names
            .map(|name| json!({"san_type": "DNS", "matcher": {"exact": name}}))
            .collect();
        let validation =
            json!({"trusted_ca": {"filename": "system"}, "match_typed_subject_alt_names": names});
        let name = format!("outbound|{}||{}", port["number"], host.as_str().unwrap());
        let mut cluster = cluster(
            &name,
            host.as_str().unwrap(),
            port["targetPort"].as_u64().unwrap(),
        );
        cluster["transport_socket"] = socket(
            "UpstreamTlsContext",
            json!({"sni": tls["sni"], "common_tls_context": {"validation_context": validation}}),
        );
        found.push(cluster);
    }
    found
}

/// The identity provider, at the address that all its clusters lead to.
fn provider(port: u16, parties: &Parties) -> Value {
    let mut answers = manager(
        json!({"path": "/.well-known/jwks.json"}),
        json!({"status": 200, "body": {"inline_string": parties.keys()}}),
        "direct_response",
    );
    answers["stat_prefix"] = json!("idp");
    let tls = json!({"common_tls_context": {"tls_certificates": parties.certificate(HOST)}});
    listener(
        "idp inside",
        port,
        http(answers),
        socket("DownstreamTlsContext", tls),
    )
}

/// A gate that takes connections of the mesh alone, as PeerAuthentication has it, and the sidecars of its callers.
fn meshed(envoy: &mut Value, gate: &str, callers: &[&str], http: Value, parties: &Parties) {
    let validation = json!({"trusted_ca": parties.authority()});
    let context = |service: &str| json!({"tls_certificates": parties.certificate(&identity(service)), "validation_context": validation});
    let port = free_port();
    let inbound =
        json!({"require_client_certificate": true, "common_tls_context": context("gate")});
    push(
        envoy,
        "listeners",
        listener(
            &format!("{gate} inside"),
            port,
            http,
            socket("DownstreamTlsContext", inbound),
        ),
    );
    for name in callers
        .iter()
        .filter(|name| name.starts_with(&format!("{gate} as ")))
    {
        let (_, caller) = name.split_once(" as ").unwrap();
        let mut cluster = cluster(name, "127.0.0.1", port.into());
        cluster["transport_socket"] = socket(
            "UpstreamTlsContext",
            json!({"common_tls_context": context(caller)}),
        );
        push(envoy, "clusters", cluster);
        let proxy = json!({"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "sidecar", "cluster": name});
        push(
            envoy,
            "listeners",
            listener(
                name,
                0,
                json!({"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}),
                Value::Null,
            ),
        );
    }
}

fn identity(service: &str) -> String {
    format!("spiffe://cluster.local/ns/shop/sa/{service}")
}

fn manager(matched: Value, action: Value, kind: &str) -> Value {
    let routes = json!([{"match": matched, kind: action}]);
    json!({
        "@type": MANAGER,
        "stat_prefix": "gate",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    })
}

fn http(manager: Value) -> Value {
    json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager})
}

fn listener(name: &str, port: u16, filter: Value, socket: Value) -> Value {
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [filter], "transport_socket": socket}],
    })
}

fn cluster(name: &str, host: &str, port: u64) -> Value {
    let at = json!({"socket_address": {"address": host, "port_value": port}});
    let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": at}}]}]);
    json!({"name": name, "type": "STRICT_DNS", "load_assignment": {"cluster_name": name, "endpoints": endpoints}})
}

fn socket(kind: &str, mut context: Value) -> Value {
    context["@type"] = json!(format!("{TLS}.{kind}"));
    json!({"name": "envoy.transport_sockets.tls", "typed_config": context})
}

fn push(envoy: &mut Value, list: &str, value: Value) {
    envoy["static_resources"][list]
        .as_array_mut()
        .unwrap()
        .push(value);
}

/// Ports that are free, the module, the authority and the provider that are here, the services behind one upstream.
fn relocate(value: &mut Value, upstream: SocketAddr, idp: u16, parties: &Parties) {
    if let Some(vm) = value.get_mut("vm_config") {
        vm["code"] = json!({"local": {"filename": code()}});
    }
    if let Some(authority) = value.get_mut("trusted_ca") {
        *authority = parties.authority();
    }
    if let Some(socket) = value.get_mut("socket_address") {
        let port = match socket["address"].as_str().unwrap() {
            "0.0.0.0" => 0,
            "127.0.0.1" => upstream.port(),
            HOST => idp,
            _ => return,
        };
        *socket = json!({"address": "127.0.0.1", "port_value": port});
    }
}

fn walk(value: &mut Value, change: &dyn Fn(&mut Value)) {
    change(value);
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| walk(one, change)),
        Value::Object(all) => all.values_mut().for_each(|one| walk(one, change)),
        _ => {}
    }
}

/// What a listener has to have before anybody can be told of it.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
