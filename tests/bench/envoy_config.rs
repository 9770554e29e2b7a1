//! What Envoy is started with: a listener for each chain of filters, which answers by itself what the
//! chain lets through. The policy of the native ones is the gate's own data in Envoy's words.

use crate::{
    Outcome,
    chains::{ALLOW, Chain, Filters, READS},
    workload::Workload,
};
use portcullis_engine::words;
use serde_json::{Map, Value, json};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The modules.
pub struct Files {
    pub portcullis: PathBuf,
    pub empty: PathBuf,
}

/// Which takes the events that are uploaded.
const COLLECTOR: &str = "logs";

/// The bootstrap document.
///
/// # Errors
///
/// When the workload's configuration lacks what a chain is made of.
pub fn bootstrap(
    chains: &[Chain],
    files: &Files,
    workload: &Workload,
    collector: SocketAddr,
) -> Outcome<Value> {
    let mut listeners = Vec::new();
    for chain in chains {
        let mut filters = filters(chain, files, workload)?;
        filters.push(filter("router", "router.v3.Router", json!({})));
        let any = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
        listeners.push(json!({
            "name": chain.name,
            "address": loopback(),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": any,
                    "stat_prefix": chain.name,
                    "generate_request_id": false,
                    "route_config": {"virtual_hosts": [{
                        "name": "bench",
                        "domains": ["*"],
                        "routes": [{
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
                        }],
                    }]},
                    "http_filters": filters,
                },
            }]}],
        }));
    }
    Ok(json!({
        "admin": {"address": loopback()},
        "static_resources": {"listeners": listeners, "clusters": [{
            "name": COLLECTOR,
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": COLLECTOR,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                    "address": collector.ip().to_string(),
                    "port_value": collector.port(),
                }}}}]}],
            },
        }]},
    }))
}

fn filters(chain: &Chain, files: &Files, workload: &Workload) -> Outcome<Vec<Value>> {
    let gate = &workload.gate;
    let ours = |gate: Value| {
        wasm(
            chain.name,
            vm("bench", &files.portcullis),
            &gate.to_string(),
        )
    };
    Ok(match chain.filters {
        Filters::None => vec![],
        Filters::EmptyWasm => vec![wasm(chain.name, vm("bench", &files.empty), "")],
        Filters::Portcullis => vec![ours(gate.clone())],
        Filters::Policy(text) => vec![ours(with_policy(gate, text)?)],
        Filters::InTheModule => {
            // The environment is the whole VM's, so it is another one.
            let variables = json!({"key_values": {words::NATIVE_CRYPTO: "off"}});
            let vm = vm("bench-in-the-module", &files.portcullis);
            let vm = with(&vm, "environment_variables", variables);
            let gate = with_policy(gate, ALLOW)?;
            vec![wasm(chain.name, vm, &gate.to_string())]
        }
        Filters::Bodies { parse } => {
            let policy = if parse { READS } else { ALLOW };
            let body = json!({"digest": "if_present", "parse": parse});
            vec![ours(with(&with_policy(gate, policy)?, "body", body))]
        }
        Filters::Signs(algorithm) => {
            let (half, key) = match algorithm {
                "hmac-sha256" => ("secret", "a secret of thirty-two bytes or more"),
                "ed25519" => ("private_key", workload.signing.ed25519.as_str()),
                _ => ("private_key", workload.signing.p256.as_str()),
            };
            let key = json!({"id": "bench", "algorithm": algorithm, half: key});
            let upstream = json!({"sign": {"key": key}});
            vec![ours(with(&with_policy(gate, ALLOW)?, "upstream", upstream))]
        }
        Filters::Tells { uploads } => {
            let told = match uploads {
                true => json!({"cluster": COLLECTOR, "authority": "logs.bench.test"}),
                false => json!({"proxy": true}),
            };
            vec![ours(with(gate, "decision_log", told))]
        }
        Filters::Candidate => {
            let policy = at(gate, "/policy")?;
            let policy = with(policy, "candidate", policy.clone());
            vec![ours(with(gate, "policy", policy))]
        }
        Filters::Buffer => {
            let config = json!({"max_request_bytes": 2 << 20});
            vec![filter("buffer", "buffer.v3.Buffer", config)]
        }
        Filters::JwtAuthn => vec![jwt_authn(gate, false)?],
        Filters::JwtAuthnRbac { cached } => {
            let subject = |user: &str| {
                json!({"sourced_metadata": {"metadata_matcher": {
                    "filter": "envoy.filters.http.jwt_authn",
                    "path": [{"key": PAYLOAD}, {"key": "sub"}],
                    "value": {"string_match": {"exact": user}},
                }}})
            };
            vec![jwt_authn(gate, cached)?, rbac(gate, subject)?]
        }
        Filters::Rbac => {
            let account = |user: &str| json!({"header": {"name": "x-account", "string_match": {"exact": user}}});
            vec![rbac(gate, account)?]
        }
    })
}

fn with_policy(gate: &Value, text: &str) -> Outcome<Value> {
    at(gate, "/policy")?;
    let policy = json!({"modules": {"authz.rego": text}});
    Ok(with(gate, "policy", policy))
}

/// The object with another value of this key.
fn with(object: &Value, key: &str, value: Value) -> Value {
    let mut changed = object.clone();
    if let Some(object) = changed.as_object_mut() {
        object.insert(key.into(), value);
    }
    changed
}

fn vm(id: &str, module: &Path) -> Value {
    json!({
        "vm_id": id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": module.to_string_lossy()}},
    })
}

fn wasm(name: &str, vm: Value, configuration: &str) -> Value {
    filter(
        "wasm",
        "wasm.v3.Wasm",
        json!({"config": {
            // Its own, so that the two chains of one module share no cache.
            "name": name,
            "root_id": name,
            "failure_policy": "FAIL_RELOAD",
            "allow_on_headers_stop_iteration": true,
            "vm_config": vm,
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": configuration,
            },
        }}),
    )
}

/// Where `jwt_authn` leaves the claims for `rbac`.
const PAYLOAD: &str = "payload";

fn jwt_authn(gate: &Value, cached: bool) -> Outcome<Value> {
    let provider = at(gate, "/jwt/providers/bench")?;
    let mut native = json!({
        "issuer": at(provider, "/issuer")?,
        "audiences": at(provider, "/audiences")?,
        "local_jwks": {"inline_string": at(provider, "/jwks/inline")?.to_string()},
        "payload_in_metadata": PAYLOAD,
    });
    if cached {
        native = with(&native, "jwt_cache_config", json!({}));
    }
    Ok(filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        json!({
            "providers": {"bench": native},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
        }),
    ))
}

/// A policy for each role: who has it and is not denied may do what it permits.
fn rbac(gate: &Value, is: impl Fn(&str) -> Value) -> Outcome<Value> {
    let data = at(gate, "/policy/data")?;
    let any_of = |users: Vec<&String>| {
        let users: Vec<Value> = users.into_iter().map(|user| is(user)).collect();
        json!({"or_ids": {"ids": users}})
    };
    let users = object(data, "/users")?;
    let denied = any_of(object(data, "/denied")?.keys().collect());
    let mut policies = Map::new();
    for (role, permissions) in object(data, "/roles")? {
        let mut permitted = Vec::new();
        for permission in permissions.as_array().ok_or("a role is no list")? {
            permitted.push(json!({"and_rules": {"rules": [
                {"header": {"name": ":method", "string_match": {"exact": at(permission, "/method")?}}},
                {"url_path": {"path": {"prefix": at(permission, "/path")?}}},
            ]}}));
        }
        let holders = users.iter().filter(|(_, of)| of.as_str() == Some(role));
        let holders = any_of(holders.map(|(user, _)| user).collect());
        policies.insert(
            role.clone(),
            json!({
                "permissions": permitted,
                "principals": [{"and_ids": {"ids": [holders, {"not_id": denied}]}}],
            }),
        );
    }
    Ok(filter(
        "rbac",
        "rbac.v3.RBAC",
        json!({
            "rules": {"action": "ALLOW", "policies": policies},
        }),
    ))
}

fn filter(name: &str, any: &str, config: Value) -> Value {
    let any = format!("type.googleapis.com/envoy.extensions.filters.http.{any}");
    let config = with(&config, "@type", any.into());
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
}

fn loopback() -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}})
}

fn at<'v>(value: &'v Value, pointer: &str) -> Outcome<&'v Value> {
    let found = value.pointer(pointer);
    found.ok_or_else(|| format!("the gate's configuration has no {pointer}").into())
}

fn object<'v>(value: &'v Value, pointer: &str) -> Outcome<&'v Map<String, Value>> {
    let found = at(value, pointer)?.as_object();
    found.ok_or_else(|| format!("{pointer} is no object").into())
}
