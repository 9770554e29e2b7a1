//! What `image emit` writes: as Kubernetes' schemas have it, and in a real Envoy, which serves with each filter and
//! each cluster of it. The cases are those of the command's own tests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod command;
#[path = "kubernetes/python.rs"]
mod python;

use command::command;
use portcullis_gatefile::Document;
use portcullis_runner::{Envoy, Exchange, Exit, Upstream, send};
use portcullis_tests::{assert_well, envoy, module, root};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CASES: &str = "host-harness/cli/tests/image_emit";
const IMAGE: &str = "registry.example.com/gates/portcullis@sha256:";
const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TEXT: &str = "type.googleapis.com/google.protobuf.StringValue";

/// What one case emitted.
struct Emitted {
    name: String,
    files: Vec<PathBuf>,
    manifests: Vec<Value>,
}

fn cases() -> Vec<Value> {
    let text = fs::read_to_string(root().join(CASES).join("cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Emits a case into a folder of its own, for a proxy that is here.
fn emit(case: &Value, folder: &Path) -> Emitted {
    let mut gate = case["gate"].clone();
    let policy = fs::read_to_string(root().join(CASES).join("authz.rego")).unwrap();
    gate["policy"]["modules"] = json!({"authz.rego": policy});
    fs::create_dir_all(folder).unwrap();
    let config = folder.join("gate.yaml");
    fs::write(&config, gate.to_string()).unwrap();
    let mut arguments = texts(&case["arguments"]);
    // Nobody's: a proxy's own are not here.
    let authority = folder.join("authority.pem");
    let own = rcgen::generate_simple_self_signed(["nobody".to_owned()]).unwrap();
    fs::write(&authority, own.cert.pem()).unwrap();
    let module = module();
    if let Some(at) = arguments.iter().position(|it| it == "--ca-file") {
        arguments.drain(at..at + 2);
    }
    if let Some(at) = arguments.iter().position(|it| it == "--wasm-path") {
        arguments[at + 1] = module.to_str().unwrap().to_owned();
    }
    let output = command()
        .args([
            "image",
            "emit",
            &format!("{IMAGE}{}", "0123456789abcdef".repeat(4)),
        ])
        .arg("--unverified")
        .args(arguments)
        .arg("--ca-file")
        .arg(authority)
        .arg("--config")
        .arg(config)
        .arg("--output")
        .arg(folder.join("out"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", case["name"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let files: Vec<PathBuf> = said.lines().map(PathBuf::from).collect();
    let manifests = files.iter().map(|it| Document::read(it).unwrap().value);
    Emitted {
        name: case["name"].as_str().unwrap().to_owned(),
        manifests: manifests.collect(),
        files,
    }
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn kubernetes_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let emitted = cases()
        .into_iter()
        .enumerate()
        .map(|(index, case)| emit(&case, &folder.path().join(index.to_string())));
    let files: Vec<PathBuf> = emitted
        .flat_map(|emitted| emitted.files)
        .filter(|file| !file.to_string_lossy().ends_with(".envoy.yaml"))
        .collect();
    assert!(files.len() > 10, "{files:?}");
    if let Some(python) = python::with("kubernetes_validate") {
        let said = python.run("validate.py", &files);
        assert!(said.success, "{}", said.text);
    }
}

/// One listener for each case: a request that the policy allows comes to the upstream, another one does not.
#[test]
fn envoy_serves_with_each_of_them() {
    let Some(binary) = envoy() else { return };
    let upstream = Upstream::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut listeners, mut clusters) = (Vec::new(), BTreeMap::new());
    let here =
        json!({"socket_address": {"address": "127.0.0.1", "port_value": upstream.address.port()}});
    let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": here}}]}]);
    let own = json!({
        "name": "upstream", "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints},
    });
    clusters.insert("upstream".to_owned(), own);
    let mut environment = BTreeMap::new();
    for (index, case) in cases().iter().enumerate() {
        let emitted = emit(case, &folder.path().join(index.to_string()));
        let filter = filter(&emitted, &mut environment);
        listeners.push(listener(&emitted.name, filter));
        for cluster in brought(&emitted.manifests) {
            let name = cluster["name"].as_str().unwrap().to_owned();
            clusters.insert(name, cluster);
        }
    }
    assert_eq!(clusters.len(), 4, "{clusters:?}");
    let clusters: Vec<Value> = clusters.into_values().collect();
    let admin = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
    let config = json!({
        "admin": admin,
        "static_resources": {"listeners": listeners, "clusters": clusters},
    });
    validate(&binary, &config, &environment, folder.path());
    let envoy = match Envoy::start(&binary, &config, &environment).unwrap() {
        Exit::Serving(envoy) => envoy,
        Exit::Ended { log, .. } => panic!("{log}"),
    };
    for (name, address) in envoy.listeners().unwrap() {
        for (method, status) in [("GET", 200), ("DELETE", 403)] {
            let answer = send(address, &Exchange::bare(method, "/orders", "orders")).unwrap();
            assert_eq!(answer.status, status, "{name}: {method}\n{}", envoy.log());
        }
        assert_eq!(upstream.take().len(), 1, "{name}");
    }
    assert_well(&envoy);
}

/// As the command on top of a file says.
fn validate(binary: &Path, config: &Value, environment: &BTreeMap<String, String>, folder: &Path) {
    let file = folder.join("envoy.json");
    fs::write(&file, config.to_string()).unwrap();
    let output = Command::new(binary)
        .args(["--mode", "validate", "-c"])
        .arg(file)
        .envs(environment)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

/// The filter as the proxy would have it, with the module from here.
fn filter(emitted: &Emitted, environment: &mut BTreeMap<String, String>) -> Value {
    let manifests = emitted.manifests.iter();
    let mut found: Vec<Value> = manifests
        .flat_map(|manifest| match manifest["kind"].as_str() {
            None => manifest["http_filters"].as_array().unwrap().clone(),
            Some("WasmPlugin") => vec![of_plugin(&manifest["spec"])],
            Some("EnvoyFilter") => of_filter(&manifest["spec"]),
            Some("EnvoyExtensionPolicy") => vec![of_policy(&manifest["spec"], &emitted.manifests)],
            Some(_) => Vec::new(),
        })
        .collect();
    assert_eq!(found.len(), 1, "{}", emitted.name);
    let mut filter = found.remove(0);
    let vm = &mut filter["typed_config"]["config"]["vm_config"];
    vm["runtime"] = json!("envoy.wasm.runtime.v8");
    vm["code"] = json!({"local": {"filename": module()}});
    let names = vm["environment_variables"]["host_env_keys"].as_array();
    for name in names.into_iter().flatten() {
        let secret = "0123456789abcdef0123456789abcdef0123456789abcdef".to_owned();
        environment.insert(name.as_str().unwrap().to_owned(), secret);
    }
    if vm["environment_variables"].is_null() {
        vm.as_object_mut().unwrap().remove("environment_variables");
    }
    filter
}

/// As istiod makes one (pilot/pkg/model/extensions.go).
fn of_plugin(spec: &Value) -> Value {
    let env = spec["vmConfig"]["env"].as_array();
    let keys: Vec<&Value> = env.into_iter().flatten().map(|it| &it["name"]).collect();
    let policy = match spec["failStrategy"].as_str().unwrap() {
        "FAIL_RELOAD" => "FAIL_RELOAD",
        "FAIL_CLOSE" => "FAIL_CLOSED",
        other => panic!("{other}"),
    };
    wasm(
        &spec["pluginConfig"],
        &spec["pluginName"],
        json!(keys),
        policy,
    )
}

/// As the proxy brings its two patches together.
fn of_filter(spec: &Value) -> Vec<Value> {
    let patches = spec["configPatches"].as_array().unwrap();
    let value = |to: &str| {
        let mut of_kind = patches.iter().filter(|patch| patch["applyTo"] == to);
        of_kind.next().map(|patch| patch["patch"]["value"].clone())
    };
    let Some(resource) = value("EXTENSION_CONFIG") else {
        return Vec::new();
    };
    let asks = value("HTTP_FILTER").unwrap();
    assert_eq!(asks["name"], resource["name"]);
    vec![resource]
}

/// As Envoy Gateway makes one (internal/xds/translator/wasm.go), with the operations on it.
fn of_policy(spec: &Value, manifests: &[Value]) -> Value {
    let own = &spec["wasm"][0];
    let keys = own["env"]["hostKeys"].clone();
    let keys = if keys.is_null() { json!([]) } else { keys };
    let mut filter = wasm(&own["config"], &own["rootID"], keys, "UNSPECIFIED");
    filter["typed_config"]["config"]["fail_open"] = own["failOpen"].clone();
    for operation in operations(manifests) {
        if operation["jsonPath"].is_string() {
            let field = operation["path"].as_str().unwrap().trim_start_matches('/');
            filter["typed_config"]["config"][field] = operation["value"].clone();
        }
    }
    filter
}

fn operations(manifests: &[Value]) -> Vec<Value> {
    manifests
        .iter()
        .filter(|it| it["kind"] == "EnvoyPatchPolicy")
        .flat_map(|it| it["spec"]["jsonPatches"].as_array().unwrap())
        .map(|patch| patch["operation"].clone())
        .collect()
}

fn wasm(configuration: &Value, root: &Value, keys: Value, policy: &str) -> Value {
    let configuration = json!({"@type": TEXT, "value": configuration.to_string()});
    let vm = json!({"environment_variables": {"host_env_keys": keys}});
    json!({"name": "gate", "typed_config": {"@type": WASM, "config": {
        "name": "gate", "root_id": root, "failure_policy": policy, "vm_config": vm,
        "configuration": configuration,
    }}})
}

fn brought(manifests: &[Value]) -> Vec<Value> {
    let of_filters = manifests
        .iter()
        .filter_map(|it| it["spec"]["configPatches"].as_array())
        .flatten()
        .filter(|patch| patch["applyTo"] == "CLUSTER")
        .map(|patch| patch["patch"]["value"].clone());
    let of_policies = operations(manifests)
        .into_iter()
        .filter(|it| it["path"] == "")
        .map(|it| it["value"].clone());
    let plain = manifests
        .iter()
        .filter_map(|it| it["clusters"].as_array())
        .flatten()
        .cloned();
    of_filters.chain(of_policies).chain(plain).collect()
}

fn listener(name: &str, filter: Value) -> Value {
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]);
    let router = json!({"name": "router", "typed_config": {"@type": ROUTER}});
    let manager = json!({
        "@type": MANAGER,
        "stat_prefix": "gate",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [filter, router],
    });
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    })
}
