//! An Envoy with a listener for each of its settings and each kind of gate, and the upstream behind all.

use crate::upstream::Upstream;
use portcullis_tests::Listeners;
use serde_json::{Value, json};
use std::net::SocketAddr;

const SCENARIO: &str = "tests/paths";

/// What Envoy is told of paths.
type Settings = fn() -> Value;

/// All that is tried, as the tables call it.
pub const SETTINGS: [(&str, Settings); 5] = [
    ("nothing set", || json!({})),
    ("normalized, merged", normalized),
    ("UNESCAPE_AND_FORWARD", || escaped("UNESCAPE_AND_FORWARD")),
    ("REJECT_REQUEST", || escaped("REJECT_REQUEST")),
    ("UNESCAPE_AND_REDIRECT", || escaped("UNESCAPE_AND_REDIRECT")),
];

fn normalized() -> Value {
    json!({"normalize_path": true, "merge_slashes": true})
}

fn escaped(action: &str) -> Value {
    let mut settings = normalized();
    settings["path_with_escaped_slashes_action"] = json!(action);
    settings
}

/// Whether a gate tells requests apart by their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Plain,
    ByPath,
}

/// What Envoy's route makes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Passes,
    /// `prefix_rewrite` of `/` to `/rewritten/`.
    Prefix,
    /// `prefix_rewrite` of `/p/` to `/`; other paths pass.
    Stripped,
    /// `regex_rewrite` of the first slash to `/r/`.
    Regex,
}

impl Route {
    pub const ALL: [Route; 4] = [Route::Passes, Route::Prefix, Route::Stripped, Route::Regex];

    /// What a client says in `x-route`.
    pub fn name(self) -> &'static str {
        match self {
            Route::Passes => "passes",
            Route::Prefix => "prefix",
            Route::Stripped => "stripped",
            Route::Regex => "regex",
        }
    }

    /// The same in Envoy's configuration.
    fn config(self) -> Value {
        let all = || json!({"safe_regex": {"regex": "(?s).*"}});
        let (mut matches, action) = match self {
            Route::Passes => (all(), json!({})),
            Route::Prefix => (
                json!({"prefix": "/"}),
                json!({"prefix_rewrite": "/rewritten/"}),
            ),
            Route::Stripped => (json!({"prefix": "/p/"}), json!({"prefix_rewrite": "/"})),
            Route::Regex => (
                all(),
                json!({"regex_rewrite": {"pattern": {"regex": "^/"}, "substitution": "/r/"}}),
            ),
        };
        if self != Route::Passes {
            matches["headers"] =
                json!([{"name": "x-route", "string_match": {"exact": self.name()}}]);
        }
        let mut route = action;
        route["cluster"] = json!("upstream");
        json!({"match": matches, "route": route})
    }
}

pub struct Gates {
    pub upstream: Upstream,
    listeners: Listeners,
}

/// Every listener there is.
pub fn listeners() -> Vec<(usize, Gate)> {
    let settings = 0..SETTINGS.len();
    settings
        .flat_map(|index| [(index, Gate::Plain), (index, Gate::ByPath)])
        .collect()
}

impl Gates {
    /// So many listeners alike, once they have their shapes. Nothing where there is no Envoy.
    pub async fn start(count: usize, shape: impl FnOnce(&mut Value)) -> Option<Gates> {
        let upstream = Upstream::start().await.unwrap();
        let started = Listeners::start(SCENARIO, count, upstream.address, shape);
        Some(Gates {
            upstream,
            listeners: started.unwrap()?,
        })
    }

    /// What Envoy was started with.
    pub fn config(&self) -> &Value {
        &self.listeners.config
    }

    /// The address of one of [`listeners`].
    pub fn address(&self, index: usize) -> SocketAddr {
        self.listeners.address(index).unwrap()
    }

    /// No filter has crashed.
    pub fn assert_well(&self) {
        portcullis_tests::assert_well(&self.listeners.envoy);
    }
}

/// The connection manager of a listener.
pub fn manager(config: &mut Value, index: usize) -> &mut Value {
    let listener = &mut config["static_resources"]["listeners"][index];
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

/// Makes the listeners of a bootstrap those that are wanted.
pub fn shape_all(config: &mut Value) {
    for (index, (settings, gate)) in listeners().into_iter().enumerate() {
        shape(manager(config, index), settings, gate);
    }
}

fn shape(manager: &mut Value, settings: usize, gate: Gate) {
    for (name, value) in SETTINGS[settings].1().as_object().unwrap() {
        manager[name] = value.clone();
    }
    // One bad stream is not to end the others of its connection.
    manager["http2_protocol_options"] =
        json!({"override_stream_error_on_invalid_http_message": true});
    let routes = [Route::Prefix, Route::Stripped, Route::Regex, Route::Passes];
    manager["route_config"]["virtual_hosts"][0]["routes"] = routes.map(Route::config).into();
    if gate == Gate::ByPath {
        let named = |name: &str| json!({"context_extensions": {"route": name}});
        let routes = json!([
            {"match": {"path": "/healthz"}, "gate": "off"},
            {"match": {"path_prefix": "/open"}, "policy": named("open")},
            {"match": {"path_prefix": "/closed"}, "policy": named("closed")},
        ]);
        tell_gate(manager, "routes", routes);
    }
}

/// Puts a section into the configuration of a manager's gate, its first filter.
pub fn tell_gate(manager: &mut Value, section: &str, value: Value) {
    let plugin = &mut manager["http_filters"][0]["typed_config"]["config"];
    let document = &mut plugin["configuration"]["value"];
    let mut gate: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
    gate[section] = value;
    *document = json!(gate.to_string());
}
