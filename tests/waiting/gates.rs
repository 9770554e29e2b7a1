//! An Envoy with a listener for each case, each with a key set of its own, and what stands around it.

use crate::{client::Protocol, upstream::Upstream};
use portcullis_runner::{
    Envoy, Exit, Reply, Scenario, Server, envoy_bootstrap, envoy_clusters, envoy_listener,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr, path::Path};

const SCENARIO: &str = "tests/waiting";
/// What `gate.yaml` says.
const CLUSTER: &str = "waiting/idp";
const KEYS: &str = "/jwks.json";

pub struct Gates {
    pub upstream: Upstream,
    /// Tokens: one that is allowed once its key is there, one that is not.
    pub good: String,
    pub forged: String,
    envoy: Envoy,
    addresses: BTreeMap<String, SocketAddr>,
    keys: Server,
    key_set: Value,
}

#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// `allow_on_headers_stop_iteration`.
    pub stops_iteration: bool,
    /// How Envoy speaks to the upstream.
    pub upstream: Protocol,
}

impl Gates {
    /// All keys are held back. Nothing where there is no Envoy.
    pub async fn start(listeners: Vec<Listener>) -> Option<Gates> {
        let binary = portcullis_tests::envoy()?;
        let folder = portcullis_tests::root().join(SCENARIO);
        let scenario = Scenario::read(&folder, &folder).unwrap();
        let runner = portcullis_tests::runner(&[]).unwrap();
        let prepared = runner.prepare(&scenario).unwrap();
        let token = |case: usize| {
            let lines = &prepared.exchanges[case].lines;
            let (_, value) = lines
                .iter()
                .find(|(name, _)| name == "authorization")
                .unwrap();
            String::from_utf8(value.strip_prefix(b"Bearer ").unwrap().to_vec()).unwrap()
        };
        let (good, forged) = (token(0), token(1));
        let keys = Server::start().unwrap();
        for index in 0..listeners.len() {
            keys.set(&path(index), Reply::held());
        }
        let upstream = Upstream::start().await.unwrap();
        let alike: Vec<_> = listeners.iter().map(|_| &prepared).collect();
        let module = portcullis_tests::module();
        let mut config = envoy_bootstrap(&alike, &module, upstream.address, Path::new("/dev/null"));
        envoy_clusters(&mut config, &[(CLUSTER.to_owned(), keys.address)].into());
        speak_both(&mut config);
        for (index, listener) in listeners.iter().enumerate() {
            shape(
                &mut config["static_resources"]["listeners"][index],
                index,
                *listener,
            );
        }
        let started = tokio::task::spawn_blocking(move || {
            Envoy::start(&binary, &config, &BTreeMap::new()).unwrap()
        });
        let envoy = match started.await.unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        let addresses = envoy.listeners().unwrap();
        Some(Gates {
            key_set: runner.key_set(&scenario, &["a"]).unwrap(),
            upstream,
            good,
            forged,
            envoy,
            addresses,
            keys,
        })
    }

    pub fn address(&self, index: usize) -> SocketAddr {
        self.addresses[&envoy_listener(index)]
    }

    /// A listener gets its keys.
    pub fn let_go(&self, index: usize) {
        self.keys.set(&path(index), Reply::json(&self.key_set));
    }

    /// A listener's keys break off on their way.
    pub fn fail(&self, index: usize) {
        let reply = Reply {
            cut: Some(10),
            ..Reply::json(&self.key_set)
        };
        self.keys.set(&path(index), reply);
    }

    /// No filter has crashed.
    pub fn assert_well(&self) {
        portcullis_tests::assert_well(&self.envoy);
    }
}

fn path(index: usize) -> String {
    format!("/keys-{index}.json")
}

/// HTTP/1.1 with trailers to the one cluster, and HTTP/2 to another at the same address.
fn speak_both(config: &mut Value) {
    let clusters = config["static_resources"]["clusters"]
        .as_array_mut()
        .unwrap();
    let mut second = clusters[0].clone();
    second["name"] = json!("upstream_h2");
    second["load_assignment"]["cluster_name"] = json!("upstream_h2");
    let options = |http: Value| {
        json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": http,
        }})
    };
    clusters[0]["typed_extension_protocol_options"] =
        options(json!({"http_protocol_options": {"enable_trailers": true}}));
    second["typed_extension_protocol_options"] = options(json!({"http2_protocol_options": {}}));
    clusters.push(second);
}

/// Makes a listener what the case asks for.
fn shape(config: &mut Value, index: usize, listener: Listener) {
    let manager = &mut config["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_protocol_options"] = json!({"enable_trailers": true});
    let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
    if listener.upstream == Protocol::Http2 {
        route["cluster"] = json!("upstream_h2");
    }
    let filter = &mut manager["http_filters"][0]["typed_config"]["config"];
    filter["allow_on_headers_stop_iteration"] = json!(listener.stops_iteration);
    let document = &mut filter["configuration"]["value"];
    let changed = document.as_str().unwrap().replace(KEYS, &path(index));
    *document = json!(changed);
}
