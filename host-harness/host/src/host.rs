//! What the hostcalls of one VM work on: its contexts, its logs and its limits.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use crate::abi::Status;
use crate::calls::{HttpCall, HttpCallResponse};
use crate::clock::Clock;
use crate::error::{LogLevel, LogLine};
use crate::options::{PluginOptions, VmOptions};
use crate::proxy::{MetricKind, Proxy};
use crate::stream::Stream;
use crate::vm::Log;

/// How far tokens of HTTP calls are apart (`kCalloutIncrement` of proxy-wasm-cpp-host).
const NEXT_CALL: u32 = 4;

/// Lines that the error of a refused configuration carries at most.
const MAX_CAPTURED: usize = 1000;

pub(crate) struct Host {
    pub vm_id: String,
    pub vm_configuration: Vec<u8>,
    pub environment: Vec<(String, String)>,
    pub clusters: BTreeSet<String>,
    pub log_level: LogLevel,
    pub clock: Arc<dyn Clock>,
    pub proxy: Proxy,
    pub limits: StoreLimits,
    log: Log,
    /// Lines since the configuration began, for its error.
    pub captured: Option<Vec<LogLine>>,

    pub memory: Option<Memory>,
    pub malloc: Option<TypedFunc<u32, u32>>,
    /// `_initialize` and `_start` may only log and call basic WASI.
    pub starting: bool,

    pub roots: HashMap<u32, Root>,
    pub streams: HashMap<u32, Stream>,
    /// Made by the guest, and not taken yet.
    pub calls: Vec<HttpCall>,
    /// Calls that were not answered yet: a token, and the root context that waits for it.
    pub pending: HashMap<u32, u32>,
    last_call: u32,
    /// The context whose callback runs; 0 outside of callbacks.
    pub current: u32,
    /// `proxy_set_effective_context` within this callback; 0 for none.
    pub effective: u32,
    /// The guest changed its effective context, so streams other than the running one may have been acted on.
    pub crossed: bool,
    /// What `PluginConfiguration` reads: only while `proxy_on_configure` runs.
    pub readable_configuration: Option<Vec<u8>>,
    /// Metric ids of this VM: the index is the id's upper part.
    pub metrics: Vec<(String, MetricKind)>,
}

pub(crate) struct Root {
    pub plugin: PluginOptions,
    pub tick: Option<Duration>,
    pub done: Done,
    /// Of the last HTTP call that failed, and what to say of it while its callback runs.
    pub status: (u32, &'static str),
    /// Of an HTTP call: only while its callback runs.
    pub response: Option<HttpCallResponse>,
}

/// Of a root context that is shutting down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Running,
    /// `proxy_on_done` answered false: waits for `proxy_done`.
    Pending,
    Finished,
}

impl Root {
    pub fn new(plugin: PluginOptions) -> Self {
        Self {
            plugin,
            tick: None,
            done: Done::Running,
            status: (0, ""),
            response: None,
        }
    }
}

impl Host {
    pub fn new(options: &VmOptions, limits: StoreLimits, log: Log) -> Self {
        Self {
            vm_id: options.vm_id.clone(),
            vm_configuration: options.configuration.clone(),
            environment: options
                .environment
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            clusters: options.clusters.clone(),
            log_level: options.log_level,
            clock: Arc::clone(&options.clock),
            proxy: options.proxy.clone(),
            limits,
            log,
            captured: None,
            memory: None,
            malloc: None,
            starting: true,
            roots: HashMap::new(),
            streams: HashMap::new(),
            calls: Vec::new(),
            pending: HashMap::new(),
            last_call: 0,
            current: 0,
            effective: 0,
            crossed: false,
            readable_configuration: None,
            metrics: Vec::new(),
        }
    }

    pub fn log(&mut self, level: LogLevel, message: &[u8]) {
        if level < self.log_level {
            return;
        }
        let message = String::from_utf8_lossy(message);
        if let Some(captured) = &mut self.captured
            && captured.len() < MAX_CAPTURED
        {
            captured.push(LogLine {
                level,
                message: message.clone().into_owned(),
            });
        }
        (self.log)(level, &message);
    }

    /// `contextOrEffectiveContext`: a context that is gone counts as unset.
    pub fn context(&self) -> u32 {
        if self.effective != 0 && self.is_context(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    /// 0 is the VM's own context, which always exists.
    pub fn is_context(&self, id: u32) -> bool {
        id == 0 || self.roots.contains_key(&id) || self.streams.contains_key(&id)
    }

    pub fn stream(&mut self) -> Option<&mut Stream> {
        let id = self.context();
        self.streams.get_mut(&id)
    }

    /// The root that the running context belongs to.
    pub fn root(&mut self) -> Option<&mut Root> {
        let id = self.root_id()?;
        self.roots.get_mut(&id)
    }

    pub fn root_id(&self) -> Option<u32> {
        let id = self.context();
        let id = self.streams.get(&id).map_or(id, |stream| stream.root);
        self.roots.contains_key(&id).then_some(id)
    }

    /// With a root go its calls, unanswered.
    pub fn remove_root(&mut self, id: u32) {
        self.roots.remove(&id);
        self.pending.retain(|_, root| *root != id);
        self.calls.retain(|call| call.plugin.0 != id);
    }

    /// A token that no call has.
    pub fn next_call(&mut self) -> u32 {
        loop {
            self.last_call = self.last_call.wrapping_add(NEXT_CALL);
            if self.last_call != 0 && !self.pending.contains_key(&self.last_call) {
                return self.last_call;
            }
        }
    }

    pub fn stream_or(&mut self, status: Status) -> Result<&mut Stream, Status> {
        self.stream().ok_or(status)
    }
}
