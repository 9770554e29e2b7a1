//! What Envoy is started with: a listener for each chain of filters, which answers by itself what the
//! chain lets through. The policy of the native ones is the gate's own data in Envoy's words.

use crate::{
    Outcome,
    workload::{Requests, Tokens, Workload},
};
use portcullis_engine::words;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

pub struct Chain {
    pub name: &'static str,
    filters: Filters,
    pub sent: Requests,
}

enum Filters {
    None,
    EmptyWasm,
    Portcullis,
    /// The gate with another policy, which lets every verified token through.
    Policy(&'static str),
    /// The gate that lets every verified token through, with signatures checked by its own code.
    InTheModule,
    /// The gate that lets every verified token through, and holds bodies to their digests; it parses
    /// them, or does not.
    Bodies {
        parse: bool,
    },
    /// The gate that lets every verified token through, and signs what it lets through with a key of this
    /// algorithm, by its name in RFC 9421.
    Signs(&'static str),
    /// Envoy's own holding of bodies.
    Buffer,
    JwtAuthn,
    JwtAuthnRbac {
        cached: bool,
    },
    Rbac,
}

/// What a chain goes by.
#[derive(Clone, Copy)]
pub enum Sees {
    Nothing,
    /// The header `x-account`.
    Account,
    Token,
    /// The token, and not what its subject may do.
    Identity,
}

/// In the order in which they take turns.
pub const CHAINS: &[Chain] = &[
    Chain::new("none", Filters::None, Requests::Warm),
    Chain::new("empty_wasm", Filters::EmptyWasm, Requests::Warm),
    Chain::new("portcullis_warm", Filters::Portcullis, Requests::Warm),
    Chain::new(
        "portcullis_first_sight",
        Filters::Portcullis,
        Requests::FirstSight(Tokens::Rs256),
    ),
    // What is left of the gate where the policy costs nothing: the rest is the evaluation.
    Chain::new("portcullis_allow", Filters::Policy(ALLOW), Requests::Warm),
    // A hundred calls of a builtin: one that the virtual machine calls by itself, and one of ours,
    // for which it stops.
    Chain::new(
        "portcullis_100_native",
        Filters::Policy(NATIVE),
        Requests::Warm,
    ),
    Chain::new("portcullis_100_ours", Filters::Policy(OURS), Requests::Warm),
    // Without a cache every token is seen for the first time; it is sent the very same ones.
    Chain::new(
        "jwt_authn_rbac",
        Filters::JwtAuthnRbac { cached: false },
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "jwt_authn_cached_rbac",
        Filters::JwtAuthnRbac { cached: true },
        Requests::Warm,
    ),
    Chain::new("rbac", Filters::Rbac, Requests::Warm),
    // A signature checked by Envoy's own code for the gate, by the gate's code, and for `jwt_authn`, with
    // nothing to decide behind it.
    Chain::new(
        "portcullis_rs256",
        Filters::Policy(ALLOW),
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "portcullis_rs256_rust",
        Filters::InTheModule,
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "jwt_authn_rs256",
        Filters::JwtAuthn,
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "portcullis_es256",
        Filters::Policy(ALLOW),
        Requests::FirstSight(Tokens::Es256),
    ),
    Chain::new(
        "portcullis_es256_rust",
        Filters::InTheModule,
        Requests::FirstSight(Tokens::Es256),
    ),
    Chain::new(
        "jwt_authn_es256",
        Filters::JwtAuthn,
        Requests::FirstSight(Tokens::Es256),
    ),
    // What an attacker's tokens cost.
    Chain::new(
        "portcullis_forged",
        Filters::Policy(ALLOW),
        Requests::FirstSight(Tokens::Forged),
    ),
    Chain::new(
        "jwt_authn_forged",
        Filters::JwtAuthn,
        Requests::FirstSight(Tokens::Forged),
    ),
    // What it takes to sign for the upstream.
    Chain::new(
        "portcullis_signs_hmac",
        Filters::Signs("hmac-sha256"),
        Requests::Warm,
    ),
    Chain::new(
        "portcullis_signs_ed25519",
        Filters::Signs("ed25519"),
        Requests::Warm,
    ),
    Chain::new(
        "portcullis_signs_p256",
        Filters::Signs("ecdsa-p256-sha256"),
        Requests::Warm,
    ),
    // What it takes to hold a body, to hash it, and to read it for the policy.
    Chain::new("buffer_1mib", Filters::Buffer, Requests::Bodies),
    Chain::new(
        "portcullis_digest_1mib",
        Filters::Bodies { parse: false },
        Requests::Bodies,
    ),
    Chain::new(
        "portcullis_parse_1mib",
        Filters::Bodies { parse: true },
        Requests::Bodies,
    ),
];

const ALLOW: &str =
    "package envoy.authz\n\ndefault allow := false\n\nallow if input.verified.jwt\n";
const READS: &str = "package envoy.authz\n\ndefault allow := false\n\nallow if {\n\tinput.verified.jwt\n\tnot input.parsed_body.banned\n}\n";
const NATIVE: &str = include_str!("workload/variants/native.rego");
const OURS: &str = include_str!("workload/variants/ours.rego");

impl Chain {
    const fn new(name: &'static str, filters: Filters, sent: Requests) -> Chain {
        Chain {
            name,
            filters,
            sent,
        }
    }

    pub fn sees(&self) -> Sees {
        match self.filters {
            Filters::None | Filters::EmptyWasm | Filters::Buffer => Sees::Nothing,
            Filters::Portcullis | Filters::JwtAuthnRbac { .. } => Sees::Token,
            Filters::Policy(_)
            | Filters::InTheModule
            | Filters::Bodies { .. }
            | Filters::Signs(_)
            | Filters::JwtAuthn => Sees::Identity,
            Filters::Rbac => Sees::Account,
        }
    }
}

pub fn named(name: &str) -> Outcome<&'static Chain> {
    let found = CHAINS.iter().find(|chain| chain.name == name);
    found.ok_or_else(|| format!("no chain `{name}`").into())
}

/// The modules.
pub struct Files {
    pub portcullis: PathBuf,
    pub empty: PathBuf,
}

/// The bootstrap document.
pub fn bootstrap(chains: &[Chain], files: &Files, workload: &Workload) -> Outcome<Value> {
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
        "static_resources": {"listeners": listeners},
    }))
}

fn filters(chain: &Chain, files: &Files, workload: &Workload) -> Outcome<Vec<Value>> {
    let gate = &workload.gate;
    Ok(match chain.filters {
        Filters::None => vec![],
        Filters::EmptyWasm => vec![wasm(chain.name, vm("bench", &files.empty), "")],
        Filters::Portcullis => {
            let vm = vm("bench", &files.portcullis);
            vec![wasm(chain.name, vm, &gate.to_string())]
        }
        Filters::Policy(text) => {
            let vm = vm("bench", &files.portcullis);
            vec![wasm(chain.name, vm, &with_policy(gate, text)?)]
        }
        Filters::InTheModule => {
            // The environment is the whole VM's, so it is another one.
            let mut vm = vm("bench-in-the-module", &files.portcullis);
            if let Some(vm) = vm.as_object_mut() {
                let variables = json!({"key_values": {words::NATIVE_CRYPTO: "off"}});
                vm.insert("environment_variables".into(), variables);
            }
            vec![wasm(chain.name, vm, &with_policy(gate, ALLOW)?)]
        }
        Filters::Bodies { parse } => {
            let vm = vm("bench", &files.portcullis);
            let policy = if parse { READS } else { ALLOW };
            let mut gate: Value = serde_json::from_str(&with_policy(gate, policy)?)?;
            if let Some(gate) = gate.as_object_mut() {
                let body = json!({"digest": "if_present", "parse": parse});
                gate.insert("body".into(), body);
            }
            vec![wasm(chain.name, vm, &gate.to_string())]
        }
        Filters::Signs(algorithm) => {
            let vm = vm("bench", &files.portcullis);
            let mut gate: Value = serde_json::from_str(&with_policy(gate, ALLOW)?)?;
            let (half, key) = match algorithm {
                "hmac-sha256" => ("secret", "a secret of thirty-two bytes or more"),
                "ed25519" => ("private_key", workload.signing.ed25519.as_str()),
                _ => ("private_key", workload.signing.p256.as_str()),
            };
            let key = json!({"id": "bench", "algorithm": algorithm, half: key});
            if let Some(gate) = gate.as_object_mut() {
                gate.insert("upstream".into(), json!({"sign": {"key": key}}));
            }
            vec![wasm(chain.name, vm, &gate.to_string())]
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

fn with_policy(gate: &Value, text: &str) -> Outcome<String> {
    let mut gate = gate.clone();
    let policy = gate
        .pointer_mut("/policy")
        .ok_or("the gate has no policy")?;
    *policy = json!({"modules": {"authz.rego": text}});
    Ok(gate.to_string())
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
    if let (true, Some(native)) = (cached, native.as_object_mut()) {
        native.insert("jwt_cache_config".into(), json!({}));
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

fn filter(name: &str, any: &str, mut config: Value) -> Value {
    if let Some(config) = config.as_object_mut() {
        let any = format!("type.googleapis.com/envoy.extensions.filters.http.{any}");
        config.insert("@type".into(), any.into());
    }
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
