//! An Envoy whose gates fetch their bundles from a server of the test's own.

use portcullis_runner::{
    Envoy, Exit, Reply, Runner, Scenario, Server, envoy_bootstrap, envoy_clusters, envoy_listener,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Where the server has the first gate's bundle.
pub const PATH: &str = "/app.tar.gz";

/// How long anything may take that comes in the end; a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Stage {
    pub envoy: Envoy,
    pub server: Server,
    /// Of keys.
    pub idp: Server,
    pub publisher: Publisher,
    /// What it was started with.
    pub config: Value,
    workers: u64,
    folder: TempDir,
}

/// Who makes and signs bundles: Python.
pub struct Publisher {
    pub runner: Runner,
    pub scenario: Scenario,
}

/// What a gate's configuration has otherwise.
pub type Edit<'a> = &'a dyn Fn(&mut Value);

/// Its configuration as it stands.
pub fn as_is(_: &mut Value) {}

impl Publisher {
    /// Nothing where there is no Python that could sign.
    pub fn new() -> Option<Publisher> {
        let folder = crate::root().join("tests/bundles");
        let scenario = Scenario::read(&folder, &folder).unwrap();
        let runner = crate::runner(&[]).unwrap();
        let publisher = Publisher { runner, scenario };
        let made = publisher.runner.bundle(&publisher.scenario, json!({}));
        crate::needed(made).map(|_| publisher)
    }

    /// As `bundle:` of a scenario's server says.
    pub fn bundle(&self, spec: Value) -> Vec<u8> {
        self.runner.bundle(&self.scenario, spec).unwrap()
    }

    /// The gate's configuration.
    pub fn document(&self) -> Value {
        let prepared = self.runner.prepare(&self.scenario).unwrap();
        serde_json::from_slice(&prepared.document).unwrap()
    }

    /// A token of the key that the gate fetches.
    pub fn token(&self) -> String {
        let prepared = self.runner.prepare(&self.scenario).unwrap();
        let mut lines = prepared.exchanges[0].lines.iter();
        let (_, bearer) = lines.find(|(name, _)| name == "authorization").unwrap();
        String::from_utf8(bearer.clone()).unwrap()
    }
}

/// What a server answers with a bundle.
pub fn reply(bundle: Vec<u8>, etag: &str) -> Reply {
    Reply {
        headers: vec![("etag".to_owned(), format!("\"{etag}\""))],
        body: bundle,
        ..Reply::default()
    }
}

impl Stage {
    /// A listener for each of the edits. The server has nothing yet. Nothing where there is no Envoy or
    /// no Python.
    pub fn start(workers: u32, gates: &[Edit<'_>]) -> Option<Stage> {
        Stage::shaped(workers, gates, |_, _| ())
    }

    /// With changes to what Envoy is started with, which has this folder for files.
    pub fn shaped(
        workers: u32,
        gates: &[Edit<'_>],
        shape: impl FnOnce(&mut Value, &Path),
    ) -> Option<Stage> {
        let binary = crate::envoy()?;
        let publisher = Publisher::new()?;
        let (server, idp) = (Server::start().unwrap(), Server::start().unwrap());
        server.set(PATH, Reply::held());
        let folder = tempfile::tempdir().unwrap();
        let mut config = {
            let prepared = publisher.runner.prepare(&publisher.scenario).unwrap();
            let alike: Vec<_> = gates.iter().map(|_| &prepared).collect();
            let module = crate::module();
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
            envoy_bootstrap(&alike, &module, nowhere, &folder.path().join("access"))
        };
        let name = &publisher.scenario.name;
        let clusters = [("bundles", server.address), ("idp", idp.address)];
        let clusters = clusters.map(|(cluster, at)| (format!("{name}/{cluster}"), at));
        envoy_clusters(&mut config, &clusters.into());
        let listeners = config["static_resources"]["listeners"].as_array_mut();
        for (listener, edit) in listeners.unwrap().iter_mut().zip(gates) {
            shape_listener(listener, edit);
        }
        shape(&mut config, folder.path());
        let envoy = match Envoy::start_with(&binary, &config, &BTreeMap::new(), workers).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        Some(Stage {
            envoy,
            server,
            idp,
            publisher,
            config,
            workers: workers.into(),
            folder,
        })
    }

    pub fn address(&self, index: usize) -> SocketAddr {
        self.envoy.listeners().unwrap()[&envoy_listener(index)]
    }

    /// The instances of one gate: Envoy's main thread has one as well.
    pub fn instances(&self) -> u64 {
        self.workers + 1
    }

    /// What the gates have counted, or a gauge of theirs.
    pub fn metric(&self, name: &str) -> u64 {
        let found = self.envoy.counter(&format!("wasmcustom.{name}"));
        found.unwrap_or_else(|| panic!("Envoy shows no `{name}`"))
    }

    /// What the log has since it was so long.
    pub fn log_since(&self, length: usize) -> String {
        self.envoy
            .log()
            .get(length..)
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until it is so.
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(
                since.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}\n{}",
                self.envoy.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the counter is that.
    pub fn until_counted(&self, name: &str, count: u64) {
        self.until(&format!("`{name}` is {count}"), || {
            self.metric(name) >= count
        });
    }

    /// Has a bundle of one revision activated by every instance of one gate.
    pub fn activate(&self, spec: Value) {
        let name = portcullis_engine::words::counter::BUNDLE_ACTIVATIONS;
        let count = self.metric(name) + self.instances();
        let etag = spec["revision"].as_str().unwrap().to_owned();
        let bundle = self.publisher.bundle(spec);
        self.server.set(PATH, reply(bundle, &etag));
        self.until_counted(name, count);
    }

    /// The lines of the access log, once there are so many.
    pub fn access(&self, count: usize) -> Vec<Value> {
        let file: PathBuf = self.folder.path().join("access");
        let mut text = String::new();
        self.until("the access log is whole", || {
            text = std::fs::read_to_string(&file).unwrap_or_default();
            text.lines().count() >= count && text.ends_with('\n')
        });
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }
}

/// Every connection goes to the worker that has the fewest, and what is allowed is answered by Envoy
/// itself: what takes time then is the gate.
fn shape_listener(listener: &mut Value, edit: Edit<'_>) {
    listener["connection_balance_config"] = json!({"exact_balance": {}});
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    }]);
    let format = &mut manager["access_log"][0]["typed_config"]["log_format"]["json_format"];
    format["status"] = json!("%RESPONSE_CODE%");
    format["flags"] = json!("%RESPONSE_FLAGS%");
    let document = document_of(listener);
    let mut changed: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
    edit(&mut changed);
    *document = json!(changed.to_string());
}

/// The gate's configuration in a listener, as text.
pub fn document_of(listener: &mut Value) -> &mut Value {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let filter = &mut manager["http_filters"][0]["typed_config"];
    &mut filter["config"]["configuration"]["value"]
}
