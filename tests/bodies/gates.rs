//! An Envoy with a listener for each way of looking at bodies, and the upstream behind all.

use crate::upstream::Upstream;
use portcullis_runner::envoy_clusters;
use portcullis_tests::Listeners;
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr};

const SCENARIO: &str = "tests/bodies";
/// More than the gates take, so that they are the ones who refuse.
const BUFFER_BYTES: u32 = 4 << 20;

pub struct Gates {
    pub upstream: Upstream,
    listeners: Listeners,
}

/// A listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// `body` in its gate's configuration.
    pub body: Value,
    /// Envoy's `allow_on_headers_stop_iteration`.
    pub stops_iteration: bool,
    /// Whether Envoy holds more than a gate takes; by itself 1 MiB.
    pub holds_more: bool,
}

impl Gates {
    /// Nothing where there is no Envoy.
    pub async fn start(listeners: &[Listener]) -> Option<Gates> {
        let upstream = Upstream::start().await.unwrap();
        let shape_all = |config: &mut Value| {
            envoy_clusters(config, &BTreeMap::new());
            let cluster = &mut config["static_resources"]["clusters"][0];
            cluster["typed_extension_protocol_options"] = json!({
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
                },
            });
            for (index, listener) in listeners.iter().enumerate() {
                let own = &mut config["static_resources"]["listeners"][index];
                shape(own, listener);
            }
        };
        let started = Listeners::start(SCENARIO, listeners.len(), upstream.address, shape_all);
        Some(Gates {
            upstream,
            listeners: started.unwrap()?,
        })
    }

    pub fn address(&self, index: usize) -> SocketAddr {
        self.listeners.address(index).unwrap()
    }

    /// No filter has crashed.
    pub fn assert_well(&self) {
        portcullis_tests::assert_well(&self.listeners.envoy);
    }
}

/// Makes a listener what is asked for, which takes tunnels too.
fn shape(config: &mut Value, listener: &Listener) {
    if listener.holds_more {
        config["per_connection_buffer_limit_bytes"] = json!(BUFFER_BYTES);
    }
    let manager = &mut config["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http2_protocol_options"] = json!({"allow_connect": true});
    manager["upgrade_configs"] =
        json!([{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]);
    let routes = manager["route_config"]["virtual_hosts"][0]["routes"]
        .as_array_mut()
        .unwrap();
    routes[0]["route"]["timeout"] = json!("3s");
    let mut tunnel = routes[0].clone();
    tunnel["match"] = json!({"connect_matcher": {}});
    routes.insert(0, tunnel);
    let filter = &mut manager["http_filters"][0]["typed_config"]["config"];
    filter["allow_on_headers_stop_iteration"] = json!(listener.stops_iteration);
    let document = &mut filter["configuration"]["value"];
    let mut gate: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
    gate["body"] = listener.body.clone();
    *document = json!(gate.to_string());
}
