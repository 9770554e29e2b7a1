//! Configurations of Envoy's that `portcullis check` warns of, so that it can be seen that it is right to.

use crate::gates::{manager, tell_gate};
use serde_json::{Value, json};

/// A listener that the gate is walked around on, or decides for nothing.
pub struct Warned {
    pub name: &'static str,
    shape: fn(&mut Value),
    pub sent: &'static str,
    /// What the policy reads, if it is asked.
    pub read: Option<&'static str>,
    pub received: &'static str,
    /// The id of the API key that the gate takes the client for.
    pub key: Option<&'static str>,
    /// What is found, beside the paths.
    pub found: &'static [&'static str],
}

pub const WARNED: [Warned; 4] = [
    Warned {
        name: "Lua after the gate",
        shape: |manager| put(manager, 1, lua()),
        sent: "/open",
        read: Some("/open"),
        received: "/closed",
        key: None,
        found: &["note envoy-filters"],
    },
    Warned {
        name: "a gate that a route switches off, and Lua before it",
        shape: |manager| {
            put(manager, 0, lua());
            let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
            let mut open = routes[0].clone();
            open["match"] = json!({"prefix": "/open"});
            open["typed_per_filter_config"] = json!({"portcullis": {
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
                "disabled": true,
            }});
            routes.as_array_mut().unwrap().insert(0, open);
        },
        sent: "/open",
        read: None,
        received: "/closed",
        key: None,
        found: &["warning envoy-filters"],
    },
    Warned {
        name: "a route that rewrites",
        shape: |manager| {
            let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
            routes[0]["route"]["prefix_rewrite"] = json!("/closed/");
        },
        sent: "/open",
        read: Some("/open"),
        received: "/closed/open",
        key: None,
        found: &["note envoy-rewrites"],
    },
    Warned {
        name: "a credential that Envoy adds before the gate",
        shape: |manager| {
            let from = json!([{"header": "authorization", "scheme": "ApiKey"}]);
            let keys = json!([{"id": "envoys", "hash": HASH, "subject": "envoy"}]);
            tell_gate(manager, "api_keys", json!({"from": from, "keys": keys}));
            let secret = json!({"credential": {"name": SECRET}, "header": "authorization"});
            let kind =
                "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic";
            let mut generic = json!({"@type": kind});
            generic
                .as_object_mut()
                .unwrap()
                .extend(secret.as_object().unwrap().clone());
            let config = json!({"credential": {"name": "generic", "typed_config": generic}});
            put(
                manager,
                0,
                filter("credential_injector", "CredentialInjector", config),
            );
        },
        sent: "/open",
        read: Some("/open"),
        received: "/open",
        key: Some("envoys"),
        found: &["warning envoy-filters"],
    },
];

const SECRET: &str = "key";
/// Of `key-a`.
const HASH: &str = "sha256:f10f781241e2246678b6b45c857069208152a53863e47fac33f607ab405006f4";

/// Makes the listeners of a bootstrap those above.
pub fn shape_all(config: &mut Value) {
    config["static_resources"]["secrets"] = json!([{
        "name": SECRET,
        "generic_secret": {"secret": {"inline_string": "ApiKey key-a"}},
    }]);
    for (index, warned) in WARNED.iter().enumerate() {
        (warned.shape)(manager(config, index));
    }
}

fn put(manager: &mut Value, index: usize, filter: Value) {
    let filters = manager["http_filters"].as_array_mut().unwrap();
    filters.insert(index, filter);
}

fn lua() -> Value {
    let code =
        "function envoy_on_request(request)\n  request:headers():replace(':path', '/closed')\nend";
    filter(
        "lua",
        "Lua",
        json!({"default_source_code": {"inline_string": code}}),
    )
}

fn filter(package: &str, name: &str, mut config: Value) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{package}.v3.{name}");
    config["@type"] = json!(kind);
    json!({"name": package, "typed_config": config})
}
