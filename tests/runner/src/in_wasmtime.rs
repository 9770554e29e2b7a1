//! The shipped module in `portcullis-host`: compiled once, an instance for each scenario.

use crate::{
    callouts::{Call, Callouts},
    error::Error,
    prepare::Prepared,
    scenario::{Events, Fetches},
    servers::{self, Servers},
    subject::{Exchange, Observation, Ran, Received, Subject, UPSTREAM_BODY, upstream_response},
};
pub use portcullis_host::Module;
use portcullis_host::{
    CallToken, Outcome, PeerCertificate, PluginId, PluginOptions, Properties, Proxy, Response,
    StreamId, Vm, VmError, VmOptions,
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub struct InWasmtime {
    module: Module,
}

/// The module with one configuration.
pub struct PluginGate {
    vm: Vm,
    plugin: PluginId,
    proxy: Proxy,
    callouts: Callouts<CallToken>,
    ticked: Instant,
}

/// How long a request may wait for a decision, which is longer than the gate lets it.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(10);

impl InWasmtime {
    pub fn new(module: &Path) -> Result<InWasmtime, String> {
        let bytes = std::fs::read(module).map_err(|error| error.to_string())?;
        let module = Module::compile(&bytes).map_err(|error| error.to_string())?;
        Ok(InWasmtime { module })
    }
}

impl Subject for InWasmtime {
    fn run(&mut self, scenarios: &[&Prepared<'_>]) -> Result<Vec<Ran>, Error> {
        servers::side_by_side(scenarios, |prepared| self.scenario(prepared))
    }
}

impl InWasmtime {
    fn scenario(&self, prepared: &Prepared<'_>) -> Result<Ran, Error> {
        let servers = Servers::start(prepared)?;
        let clusters = servers.addresses(prepared.scenario);
        let mut gate = match PluginGate::load_with(&self.module, prepared, clusters) {
            Err(message) => return Ok(Ran::Refused(message)),
            Ok(gate) => gate,
        };
        let case = |(case, exchange)| {
            servers.before(prepared, case, |time| gate.idle(time))?;
            let seen = gate.exchange(exchange);
            servers.noted(prepared, case, seen, |time| gate.idle(time))
        };
        let answers = prepared.exchanges.iter().enumerate().map(case);
        Ok(Ran::Cases(answers.collect()))
    }
}

impl PluginGate {
    /// Starts an instance and configures it; the error is what it logged.
    pub fn load(module: &Module, prepared: &Prepared<'_>) -> Result<PluginGate, String> {
        PluginGate::load_with(module, prepared, BTreeMap::new())
    }

    /// With clusters that it may call.
    pub fn load_with(
        module: &Module,
        prepared: &Prepared<'_>,
        clusters: BTreeMap<String, SocketAddr>,
    ) -> Result<PluginGate, String> {
        PluginGate::load_in(Proxy::new(), module, prepared, clusters)
    }

    /// In a proxy where others were before.
    pub fn load_in(
        proxy: Proxy,
        module: &Module,
        prepared: &Prepared<'_>,
        clusters: BTreeMap<String, SocketAddr>,
    ) -> Result<PluginGate, String> {
        let options = VmOptions {
            proxy: proxy.clone(),
            vm_id: "portcullis-scenarios".into(),
            environment: prepared.scenario.file.environment.clone(),
            // A hang is a failure, not a hung run.
            time_limit: Some(Duration::from_secs(20)),
            clusters: clusters.keys().cloned().collect(),
            ..VmOptions::default()
        };
        let mut vm =
            Vm::start(module, options, Box::new(|_, _| {})).map_err(|error| error.to_string())?;
        let plugin = vm
            .configure(PluginOptions {
                name: "portcullis".into(),
                root_id: "portcullis".into(),
                configuration: prepared.document.clone(),
                allow_on_headers_stop_iteration: prepared
                    .scenario
                    .file
                    .envoy
                    .allow_on_headers_stop_iteration,
            })
            .map_err(|error| error.to_string())?;
        Ok(PluginGate {
            vm,
            plugin,
            proxy,
            callouts: Callouts::new(clusters),
            ticked: Instant::now(),
        })
    }

    /// What the gate shares with others.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// What the module has of linear memory, which never shrinks.
    pub fn memory_bytes(&self) -> usize {
        self.vm.memory_bytes()
    }

    /// Lets time pass until there is no work that is due at once, which comes to an end.
    pub fn rest(&mut self) -> Result<(), String> {
        const LONG: Duration = Duration::from_secs(60);
        let since = Instant::now();
        let is_due = |period: Duration| period < STEP;
        while self.vm.tick_period(self.plugin).is_some_and(is_due) {
            self.go_on(Duration::ZERO)?;
            if since.elapsed() > LONG {
                return Err(format!(
                    "there is something to do all the time, after {LONG:?}"
                ));
            }
        }
        Ok(())
    }

    /// Lets time pass, in which the gate's calls go on.
    pub fn idle(&mut self, time: Duration) -> Result<(), String> {
        let until = Instant::now().checked_add(time);
        while until.is_some_and(|until| Instant::now() < until) {
            self.go_on(STEP)?;
        }
        Ok(())
    }

    /// What a proxy does between requests: ticks, calls and their answers.
    fn go_on(&mut self, patience: Duration) -> Result<(), String> {
        let failed = |error: portcullis_host::VmError| error.to_string();
        let period = self.vm.tick_period(self.plugin);
        if period.is_some_and(|period| self.ticked.elapsed() >= period) {
            self.ticked = Instant::now();
            self.vm.tick(self.plugin).map_err(failed)?;
        }
        self.start_calls();
        if let Some((token, ended)) = self.callouts.next(patience) {
            self.vm.answer_call(token, ended).map_err(failed)?;
            self.start_calls();
        }
        Ok(())
    }

    fn start_calls(&mut self) {
        for call in self.vm.take_calls() {
            let token = call.token;
            let call = Call {
                cluster: call.cluster,
                headers: call.headers,
                body: call.body,
                timeout: call.timeout.unwrap_or(PATIENCE),
            };
            self.callouts.start(token, call);
        }
    }

    /// One request, from its bytes on the wire to the answer.
    pub fn exchange(&mut self, exchange: &Exchange) -> Result<Observation, String> {
        self.go_on(Duration::ZERO)?;
        let stream = self
            .vm
            .open_stream(self.plugin, properties(exchange))
            .map_err(|error| error.to_string())?;
        let seen = self.drive(stream, exchange);
        self.start_calls();
        let closed = self.vm.log(stream).and_then(|()| self.vm.close(stream));
        let seen = seen?;
        closed.map_err(|error| error.to_string())?;
        Ok(seen)
    }

    fn drive(&mut self, stream: StreamId, exchange: &Exchange) -> Result<Observation, String> {
        let failed = |error: portcullis_host::VmError| error.to_string();
        let headers = exchange.filter_headers()?;
        let ended = exchange.ends_at_its_headers();
        let mut outcome = self
            .vm
            .request_headers(stream, headers, ended)
            .map_err(failed)?;
        if !ended {
            outcome = self.send_body(stream, exchange, outcome)?;
        }
        let since = Instant::now();
        while outcome == Outcome::Pause && since.elapsed() < PATIENCE {
            self.go_on(STEP)?;
            outcome = self
                .vm
                .poll(stream)
                .map_err(failed)?
                .unwrap_or(Outcome::Pause);
        }
        match outcome {
            Outcome::LocalReply { reply, response } => {
                Ok(self.observe(stream, response, Some(reply.details), None))
            }
            Outcome::Continue => self.answered(stream, exchange),
            other => Err(format!("the filter ended the request with {other:?}")),
        }
    }

    /// Piece by piece, and the end by itself, as Envoy shows what comes over HTTP/1.1.
    fn send_body(
        &mut self,
        stream: StreamId,
        exchange: &Exchange,
        mut outcome: Outcome,
    ) -> Result<Outcome, String> {
        let failed = |error: portcullis_host::VmError| error.to_string();
        let goes_on = |outcome: &Outcome| matches!(outcome, Outcome::Continue | Outcome::Pause);
        for piece in exchange.pieces() {
            self.idle(exchange.framing.pause)?;
            outcome = self.vm.poll(stream).map_err(failed)?.unwrap_or(outcome);
            if !goes_on(&outcome) {
                return Ok(outcome);
            }
            outcome = match self.vm.request_body(stream, piece, false) {
                // Envoy reads no more of it until the filter goes on.
                Err(VmError::Backpressure { .. }) => return Ok(Outcome::Pause),
                other => other.map_err(failed)?,
            };
            self.go_on(Duration::ZERO)?;
            outcome = self.vm.poll(stream).map_err(failed)?.unwrap_or(outcome);
        }
        if !goes_on(&outcome) {
            return Ok(outcome);
        }
        let trailers = &exchange.framing.trailers;
        let last = if trailers.is_empty() {
            self.vm.request_body(stream, b"", true)
        } else {
            let trailers = trailers.iter().map(|(name, value)| (name, value));
            self.vm.request_trailers(stream, trailers.collect())
        };
        last.map_err(failed)
    }

    /// The upstream's part, once the filter let the request go.
    fn answered(&mut self, stream: StreamId, exchange: &Exchange) -> Result<Observation, String> {
        let failed = |error: portcullis_host::VmError| error.to_string();
        let headers = self
            .vm
            .stream(stream)
            .map_err(failed)?
            .request_headers()
            .clone();
        let body = self.vm.take_request_body(stream).map_err(failed)?;
        let upstream = Received::from_filter(headers, &body);
        let head = exchange.method == "HEAD";
        let mut outcome = self
            .vm
            .response_headers(stream, upstream_response(), head)
            .map_err(failed)?;
        if !head && outcome == Outcome::Continue {
            outcome = self
                .vm
                .response_body(stream, UPSTREAM_BODY.as_bytes(), true)
                .map_err(failed)?;
        }
        if outcome != Outcome::Continue {
            return Err(format!(
                "the filter answered the upstream's response with {outcome:?}"
            ));
        }
        let headers = self
            .vm
            .stream(stream)
            .map_err(failed)?
            .response_headers()
            .clone();
        let body = self.vm.take_response_body(stream).map_err(failed)?;
        Ok(self.observe(stream, Response { headers, body }, None, Some(upstream)))
    }

    fn observe(
        &self,
        stream: StreamId,
        response: Response,
        details: Option<String>,
        upstream: Option<Received>,
    ) -> Observation {
        let record = self.vm.filter_state(
            stream,
            &format!("wasm.{}", portcullis_engine::words::FILTER_STATE),
        );
        Observation {
            status: response.status().unwrap_or_default(),
            headers: response.headers,
            body: response.body,
            record: record.and_then(|bytes| serde_json::from_slice(bytes).ok()),
            details,
            upstream,
            fetches: Fetches::new(),
            events: Events::new(),
        }
    }
}

fn properties(exchange: &Exchange) -> Properties {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let properties = Properties::new()
        .source(loopback(40000))
        .destination(loopback(10000))
        .protocol("HTTP/1.1")
        .request_time(now)
        .route_name(&exchange.route)
        .virtual_host_name(&exchange.virtual_host)
        .route_metadata(
            "portcullis",
            exchange.route_metadata.iter().map(|(k, v)| (&**k, &**v)),
        );
    match exchange.certificate() {
        None => properties,
        Some(facts) => properties.peer_certificate(&PeerCertificate {
            uri_san: facts.uri_san.as_deref(),
            dns_san: facts.dns_san.as_deref(),
            subject: &facts.subject,
            sha256_digest: &facts.sha256,
        }),
    }
}
