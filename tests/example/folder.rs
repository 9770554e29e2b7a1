//! A folder of `envoy/`, started as it stands: only where files are, where it listens and whom it reaches is the
//! test's.

use super::Answer;
use portcullis_gatefile::Document;
use portcullis_runner::{Envoy, Exit};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};
use tempfile::TempDir;

pub struct Example {
    /// What Envoy is started with.
    pub config: Value,
    folder: TempDir,
    moved: Vec<(String, String)>,
}

/// The example, while its Envoy runs.
pub struct Running {
    pub envoy: Envoy,
    pub example: Example,
    addresses: BTreeMap<String, SocketAddr>,
}

/// What belongs to the machine in an example.
const FILES: &str = "/etc/portcullis";
const CERTIFICATES: &str = "/etc/ssl/certs";
const MODULE: &str = "target/wasm32-wasip1/release/portcullis.wasm";

/// By which a line of the access log is found: a port alone may be that of a connection before.
const PORT: &str = "port_of_the_client";
const STARTED: &str = "milliseconds_since_the_epoch";

const PATIENCE: Duration = Duration::from_secs(60);

impl Example {
    /// `envoy/NAME/envoy.yaml`, with a copy of what lies in folders beside it.
    pub fn read(name: &str) -> Example {
        let source = crate::root().join("envoy").join(name);
        let folder = tempfile::tempdir().unwrap();
        let below = |part: &str| folder.path().join(part).display().to_string();
        let moved = vec![
            (FILES.to_owned(), below("files")),
            (CERTIFICATES.to_owned(), below("certificates")),
            (MODULE.to_owned(), crate::module().display().to_string()),
            (format!("envoy/{name}/"), below("beside/")),
        ];
        let mut example = Example {
            config: Value::Null,
            folder,
            moved,
        };
        let main = source.join("envoy.yaml");
        let text = example.moved(&fs::read_to_string(&main).unwrap());
        example.config = match Document::parse(&main, text) {
            Ok(document) => document.value,
            Err(error) => panic!("{error}"),
        };
        example.copy_folders(&source, "");
        example.on_free_ports();
        example
    }

    /// A text of the example, with the test's paths in place of the machine's.
    pub fn moved(&self, text: &str) -> String {
        let moved = self.moved.iter();
        moved.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn copy_folders(&self, source: &Path, below: &str) {
        for entry in fs::read_dir(source.join(below)).unwrap() {
            let name = entry.unwrap().file_name();
            let inside = Path::new(below).join(name);
            let file = source.join(&inside);
            let inside = inside.to_str().unwrap();
            if file.is_dir() {
                self.copy_folders(source, inside);
            } else if !below.is_empty() {
                let text = self.moved(&fs::read_to_string(file).unwrap());
                put(&self.beside(inside), &text);
            }
        }
    }

    /// Nothing is reachable from outside of this machine, and nothing else here is in the way.
    fn on_free_ports(&mut self) {
        let free = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        self.config["admin"]["address"] = free.clone();
        let listeners = &mut self.config["static_resources"]["listeners"];
        for listener in listeners.as_array_mut().unwrap() {
            listener["address"] = free.clone();
            let access_log = &mut manager(listener)["access_log"];
            if access_log.is_array() {
                let log = &mut access_log[0];
                let path = self.folder.path().join("access.jsonl");
                log["name"] = json!("envoy.access_loggers.file");
                log["typed_config"]["@type"] = json!(
                    "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
                );
                log["typed_config"]["path"] = json!(path);
                let format = &mut log["typed_config"]["log_format"]["json_format"];
                format[PORT] = json!("%DOWNSTREAM_DIRECT_REMOTE_PORT%");
                format[STARTED] = json!("%START_TIME(%s%3f)%");
            }
        }
    }

    /// The one address that a cluster reaches, which has no name to look up.
    pub fn point(&mut self, cluster: &str, to: SocketAddr) {
        let cluster = self.cluster(cluster);
        cluster["type"] = json!("STATIC");
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = json!({
            "socket_address": {"address": to.ip().to_string(), "port_value": to.port()},
        });
    }

    pub fn cluster(&mut self, name: &str) -> &mut Value {
        let clusters = self.config["static_resources"]["clusters"].as_array_mut();
        let mut clusters = clusters.unwrap().iter_mut();
        clusters.find(|it| it["name"] == name).unwrap()
    }

    /// What the filter of the first listener with this name has.
    pub fn filter(&mut self, listener: &str, filter: &str) -> &mut Value {
        let listeners = self.config["static_resources"]["listeners"].as_array_mut();
        let mut listeners = listeners.unwrap().iter_mut();
        let listener = listeners.find(|it| it["name"] == listener).unwrap();
        let filters = manager(listener)["http_filters"].as_array_mut();
        let mut filters = filters.unwrap().iter_mut();
        filters.find(|it| it["name"] == filter).unwrap()
    }

    /// A file that the example looks for below `/etc/portcullis`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    /// A file of a folder beside the example's `envoy.yaml`.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join("beside").join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        put(&self.file(name), text);
    }

    /// The same in a folder beside the example's `envoy.yaml`.
    pub fn put_beside(&self, name: &str, text: &str) {
        put(&self.beside(name), text);
    }

    /// Files of one folder at once, as Kubernetes changes those of a Secret: behind a link that is moved.
    pub fn put_together(&self, folder: &str, files: &[(&str, &str)]) {
        let folder = self.file(folder);
        let version = (0..).map(|number| format!("..version-{number}"));
        let version = version.into_iter().find(|it| !folder.join(it).exists());
        let version = version.unwrap();
        for (name, text) in files {
            put(&folder.join(&version).join(name), text);
        }
        link(&version, &folder.join("..data"));
        // Once: from then on only the link above is moved.
        for (name, _) in files {
            let file = folder.join(name);
            if !file.is_symlink() {
                link(&format!("..data/{name}"), &file);
            }
        }
    }

    /// The authorities that this machine believes.
    pub fn put_certificates(&self, text: &str) {
        let file = self.folder.path().join("certificates/ca-certificates.crt");
        put(&file, text);
    }

    pub fn start(self, binary: &Path, environment: &[(&str, &str)]) -> Running {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = environment.collect();
        let envoy = match Envoy::start(binary, &self.config, &environment).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        Running {
            addresses: envoy.listeners().unwrap(),
            envoy,
            example: self,
        }
    }
}

impl Running {
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.addresses[listener]
    }

    /// What the access log says of the last request of a connection.
    pub fn line(&self, answer: &Answer) -> Value {
        let since = answer.since.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let mut found = None;
        until("the access log has the line", || {
            let mut lines = self.access_log().into_iter().rev();
            found = lines.find(|line| {
                number(&line[PORT]) == answer.port.into() && number(&line[STARTED]) >= since
            });
            found.is_some()
        });
        found.unwrap()
    }

    fn access_log(&self) -> Vec<Value> {
        let file = self.example.folder.path().join("access.jsonl");
        let text = fs::read_to_string(file).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}

/// Which some fields of an access log are as a text.
fn number(field: &Value) -> u128 {
    let text = field
        .as_str()
        .map_or_else(|| field.to_string(), str::to_owned);
    text.parse().unwrap()
}

/// Waits until it is so.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(
            since.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

/// In a move, so that who watches sees the whole of it.
fn put(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let new = file.with_file_name("next");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

fn link(to: &str, at: &Path) {
    let new = at.with_file_name("next");
    std::os::unix::fs::symlink(to, &new).unwrap();
    fs::rename(new, at).unwrap();
}
