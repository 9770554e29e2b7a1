//! Where manifests load the module: its image, its configuration and its environment, whatever the kind is called.

use crate::manifests::{Manifest, parsed};
use serde_json::{Value, json};

/// One gate in a manifest.
pub struct Module {
    /// Of the manifest.
    pub at: String,
    /// Where the image is, and the digest that stands beside it.
    pub image: Option<(String, String)>,
    pub configuration: Value,
    /// What the proxy's environment must have.
    pub environment: Vec<String>,
    /// The filter as Envoy gets it, the code aside.
    pub filter: Value,
}

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// Every gate of a manifest.
pub fn modules(manifest: &Manifest) -> Vec<Module> {
    match manifest.kind() {
        "WasmPlugin" => vec![plugin(manifest)],
        "EnvoyExtensionPolicy" => extensions(manifest),
        "ConfigMap" => bootstrap(manifest)
            .iter()
            .flat_map(|envoy| filters(manifest, envoy))
            .collect(),
        _ => filters(manifest, &manifest.value),
    }
}

/// The Envoy that a ConfigMap has.
pub fn bootstrap(manifest: &Manifest) -> Option<Value> {
    let text = manifest
        .value
        .pointer("/data/envoy.yaml")?
        .as_str()
        .unwrap();
    Some(parsed(&manifest.file, text.to_owned()))
}

/// As pilot/pkg/model/extensions.go of istio/istio makes a filter of it.
fn plugin(manifest: &Manifest) -> Module {
    let spec = manifest.spec();
    let name = format!("{}.{}", manifest.namespace().unwrap(), manifest.name());
    let variables = spec["vmConfig"]["env"].as_array().unwrap();
    assert!(
        variables.iter().all(|one| one["valueFrom"] == "HOST"),
        "{variables:?}"
    );
    let environment = texts(variables.iter().map(|one| &one["name"]));
    let filter = json!({
        "name": name, "root_id": spec["pluginName"], "failure_policy": spec["failStrategy"],
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "environment_variables": {"host_env_keys": environment}},
        "configuration": text(&spec["pluginConfig"]),
    });
    Module {
        at: format!("WasmPlugin/{}", manifest.name()),
        image: Some((string(&spec["url"]), string(&spec["sha256"]))),
        configuration: spec["pluginConfig"].clone(),
        environment,
        filter: json!({"@type": WASM, "config": filter}),
    }
}

/// As internal/xds/translator/wasm.go of envoyproxy/gateway makes filters of it.
fn extensions(manifest: &Manifest) -> Vec<Module> {
    let all = manifest.spec()["wasm"].as_array().unwrap();
    all.iter()
        .map(|wasm| {
            let image = &wasm["code"]["image"];
            let environment = texts(wasm["env"]["hostKeys"].as_array().unwrap());
            let filter = json!({
                "name": wasm["name"], "root_id": wasm["rootID"], "fail_open": wasm["failOpen"],
                "vm_config": {"vm_id": manifest.name(), "runtime": "envoy.wasm.runtime.v8", "environment_variables": {"host_env_keys": environment}},
                "configuration": text(&wasm["config"]),
            });
            Module {
                at: format!("EnvoyExtensionPolicy/{}", manifest.name()),
                image: Some((string(&image["url"]), string(&image["sha256"]))),
                configuration: wasm["config"].clone(),
                environment,
                filter: json!({"@type": WASM, "config": filter}),
            }
        })
        .collect()
}

/// Envoy's own configuration of the filter, wherever it stands.
fn filters(manifest: &Manifest, value: &Value) -> Vec<Module> {
    let below = |value: &Value| filters(manifest, value);
    if value["@type"] == WASM {
        let config = &value["config"];
        let vm = &config["vm_config"];
        let remote = &vm["code"]["remote"];
        let variables = &vm["environment_variables"];
        assert!(variables["key_values"].is_null(), "{variables}");
        return vec![Module {
            at: format!("{}/{}", manifest.kind(), manifest.name()),
            image: remote.is_object().then(|| {
                (
                    string(&remote["http_uri"]["uri"]),
                    string(&remote["sha256"]),
                )
            }),
            configuration: serde_json::from_str(config["configuration"]["value"].as_str().unwrap())
                .unwrap(),
            environment: texts(variables["host_env_keys"].as_array().unwrap()),
            filter: value.clone(),
        }];
    }
    match value {
        Value::Array(all) => all.iter().flat_map(below).collect(),
        Value::Object(all) => all.values().flat_map(below).collect(),
        _ => Vec::new(),
    }
}

fn text(configuration: &Value) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration.to_string()})
}

fn texts<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<String> {
    values.into_iter().map(string).collect()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
