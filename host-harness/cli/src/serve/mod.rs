//! `portcullis serve`: a reverse proxy around the very module that Envoy loads.

mod asked;
mod body;
mod bundle_url;
pub mod clusters;
mod feed;
mod heard;
mod history;
mod keeper;
mod line;
mod log;
mod native;
mod proxy;
mod teller;
mod vm;
mod watch;
mod wire;

use crate::{
    failure::{Exit, Failure},
    module, registry, secrets,
};
use bundle_url::BundleUrl;
use clap::Args;
use clusters::Clusters;
use history::History;
use hyper::Uri;
use log::DecisionLog;
use native::Native;
use portcullis_gatefile::GateFile;
use portcullis_host::Module;
use portcullis_registry::image;
use proxy::Proxy;
use serde_json::Value;
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use teller::{Format, Teller};
use vm::{Filter, Parts};
use watch::Watch;

/// Serve the gate in front of an upstream, on this machine
///
/// A reverse proxy for HTTP/1.1 and HTTP/2 without TLS, around the module that Envoy loads. Each
/// decision is a line on stdout: JSON, or on a terminal text, which names the line of the policy that
/// decided. It ends with SIGTERM or SIGINT, after the requests that run. Upgrades (WebSocket) and
/// CONNECT are answered with 501.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis serve --config gate.yaml --upstream http://127.0.0.1:9000
  portcullis serve --config gate.yaml --upstream http://127.0.0.1:9000 --watch
  portcullis serve --upstream http://127.0.0.1:9000 --listen 127.0.0.1:0    # any free port
  portcullis serve --upstream http://127.0.0.1:9000 --cluster idp=http://127.0.0.1:9100
  portcullis serve --upstream http://127.0.0.1:9000 --bundle-url http://127.0.0.1:8888/authz.tar.gz
  portcullis serve --upstream http://127.0.0.1:9000 --decision-log decisions.jsonl
  portcullis explain --log decisions.jsonl ID    # why: ID is what a decision's line ends with")]
pub struct Serve {
    /// The configuration, YAML or JSON
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    /// Where allowed requests go: `http://HOST:PORT`
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Where a cluster is that the configuration names, such as an issuer's key server:
    /// `NAME=http://HOST:PORT` or `NAME=https://HOST:PORT`; once for each
    #[arg(long = "cluster", value_name = "NAME=URL")]
    clusters: Vec<String>,
    /// Take the policy's bundle from here, in place of where the configuration says:
    /// `http://HOST:PORT/PATH`
    #[arg(long, value_name = "URL")]
    bundle_url: Option<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The module [default: PORTCULLIS_WASM, or the one near this command]
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Read configuration, policies and data again when they change, and say which of the last 50
    /// requests they decide otherwise
    #[arg(long)]
    watch: bool,
    /// How decisions are printed [default: text on a terminal, else json]
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// Add each decision to this file with the policy's input, credentials masked: a JSON document a
    /// line, for `portcullis explain --log`. A new file is its owner's only; an old one stays as it is
    #[arg(long, value_name = "FILE")]
    decision_log: Option<PathBuf>,
}

impl Serve {
    pub fn run(self) -> Result<Exit, Failure> {
        let upstream = upstream(&self.upstream)?;
        let listen: SocketAddr = self.listen.parse().map_err(|_| {
            Failure::new(format!(
                "--listen: found `{}`, which is no address",
                self.listen
            ))
            .hint("an address and a port, such as 127.0.0.1:8080")
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::io("the runtime", &error))?;
        let bundle = self
            .bundle_url
            .as_deref()
            .map(BundleUrl::parse)
            .transpose()?;
        let mut given = self.clusters.clone();
        given.extend(bundle.iter().map(|it| it.cluster.clone()));
        let clusters = Clusters::new(&given, bundle, runtime.handle().clone())?;
        let clusters = Arc::new(clusters);
        let watch = self.watch.then(|| Watch::new(&self.config));
        let format = self.format.unwrap_or_else(Format::of_stdout);
        // Plain lines need no explanation, and so no second reading of the policy.
        let explains = self.watch || format == Format::Text || self.decision_log.is_some();
        let document = Document::read(&self.config, explains, &clusters)?;
        let wasm = module::find(self.wasm.as_deref())?;
        let listener = bind(listen)?;
        let log = self.decision_log.as_deref().map(DecisionLog::open);
        let teller = Teller::new(format, log.transpose()?)?;
        // Takes a moment, so what can be refused without it is refused before.
        let module = compile(&wasm)?;
        let current = Current::new(document.start(&module, &clusters)?);
        let history = match watch {
            None => None,
            Some(watch) => {
                let history = Arc::new(History::default());
                watch.spawn(module, clusters, current.clone(), Arc::clone(&history))?;
                Some(history)
            }
        };
        let proxy = Proxy::new(upstream, current.clone(), teller.clone(), history);
        let served = runtime.block_on(proxy.serve(listener));
        // Its calls are made by the runtime.
        current.get().filter.stop();
        // With it go the requests that still run, and each is told.
        drop(runtime);
        teller.finish();
        served?;
        Ok(Exit::Fine)
    }
}

/// A configuration at work: the module decides by it, and the native engine tells more of it.
pub struct Serving {
    pub filter: Filter,
    pub native: Arc<Native>,
    /// Bodies are shown to the filter.
    pub reads_bodies: bool,
}

/// What new requests go to. Requests keep the one they began with.
#[derive(Clone)]
pub struct Current(Arc<RwLock<Arc<Serving>>>);

impl Current {
    fn new(serving: Serving) -> Current {
        Current(Arc::new(RwLock::new(Arc::new(serving))))
    }

    pub fn get(&self) -> Arc<Serving> {
        // A swap is one assignment: a panic elsewhere leaves nothing half done.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn swap(&self, serving: Serving) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(serving);
    }
}

/// A configuration that the engine takes.
struct Document {
    file: GateFile,
    native: Native,
}

impl Document {
    /// Checked here first: the engine's errors have places, the guest's are log lines.
    fn read(config: &Path, explains: bool, clusters: &Clusters) -> Result<Document, Failure> {
        let mut file = GateFile::read(config)?;
        if let Some(bundle) = &clusters.bundle {
            bundle.edit(&mut file.document);
        }
        let gate = file.gate(&secrets::environment)?;
        clusters.check(&file)?;
        let native = Native::new(&file, gate, Arc::clone(&clusters.heard), explains);
        Ok(Document { file, native })
    }

    fn start(self, module: &Module, clusters: &Arc<Clusters>) -> Result<Serving, Failure> {
        let document = &self.file.document;
        let filter = Filter::start(Parts {
            module: module.clone(),
            configuration: document.to_string().into_bytes(),
            environment: secrets::named(document),
            clusters: Arc::clone(clusters),
        })
        .map_err(|message| {
            Failure::new(format!("the module refuses the configuration: {message}"))
        })?;
        Ok(Serving {
            filter,
            reads_bodies: reads_bodies(document),
            native: Arc::new(self.native),
        })
    }
}

/// Whether the configuration says anything of bodies, of whatever route.
fn reads_bodies(document: &Value) -> bool {
    let routes = document.get("routes").and_then(Value::as_array);
    let mut all = routes.into_iter().flatten().chain([document]);
    all.any(|part| part.get("body").is_some())
}

fn compile(file: &Path) -> Result<Module, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::io(file.display(), &error))?;
    Module::compile(&bytes).map_err(|error| {
        // What Wasmtime says of other files has many lines. `image` finds the word for them.
        let found = image::Module::read(bytes, portcullis_host::is_known).err();
        let failure = found.map_or_else(|| Failure::new(error.to_string()), registry::failure);
        failure.at(file.display())
    })
}

fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(listen).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        let failure = Failure::io(format!("--listen {listen}"), &error);
        match error.kind() {
            std::io::ErrorKind::AddrInUse => failure.hint("port 0 takes a free one"),
            _ => failure,
        }
    })
}

fn upstream(url: &str) -> Result<Uri, Failure> {
    let wrong = |why: String| {
        Failure::new(format!("--upstream: {why}"))
            .hint("a URL without a path, such as http://127.0.0.1:9000")
    };
    let uri = wire::base(url).map_err(wrong)?;
    match uri.scheme_str() {
        Some("https") => Err(wrong(format!(
            "found `{}`, but TLS to the upstream is not supported yet",
            url.escape_debug()
        ))),
        _ => Ok(uri),
    }
}
