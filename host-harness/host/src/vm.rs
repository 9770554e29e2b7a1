//! One instance of a module: started, configured, ticked, and dead after the first trap.

use std::time::Duration;

use wasmtime::{
    Store, StoreLimitsBuilder, Trap, TypedFunc, WasmBacktrace, WasmParams, WasmResults,
};

use crate::error::{ConfigureError, LogLevel, LogLine, VmError};
use crate::exports::Exports;
use crate::host::{Done, Host, Root};
use crate::module::{Module, TICK};
use crate::options::{PluginOptions, VmOptions};
use crate::properties::Properties;
use crate::stream::{Outcome, Stream};

/// V8's limit.
const MAX_TABLE: usize = 10_000_000;

/// Receives the lines that the guest logs.
pub type Log = Box<dyn FnMut(LogLevel, &str) + Send>;

/// A configured plugin: a root context of the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PluginId(pub(crate) u32);

/// One HTTP exchange: a stream context of the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId(pub(crate) u32);

/// An instance of a [`Module`]. After a trap it answers [`VmError::Dead`] to everything: its requests are to be
/// answered with 503 (`FAIL_CLOSED`), and a fresh one can be started from the module (`FAIL_RELOAD`).
pub struct Vm {
    pub(crate) store: Store<Host>,
    pub(crate) exports: Exports,
    pub(crate) buffer_limit: usize,
    module: Module,
    time_limit: Option<Duration>,
    dead: Option<String>,
    last_context: u32,
}

impl Vm {
    /// Instantiates the module and runs `_initialize` and `main`, or `_start`. `proxy_on_vm_start` runs with each
    /// [`configure`](Self::configure), as in Envoy.
    pub fn start(module: &Module, options: VmOptions, log: Log) -> Result<Self, VmError> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(options.memory_limit_bytes)
            .table_elements(MAX_TABLE)
            .build();
        let mut store = Store::new(module.engine(), Host::new(&options, limits, log));
        store.limiter(|host| &mut host.limits);
        if options.time_limit.is_some() {
            module.keep_time();
        }
        // A start section and `Exports::find` run under the same limit as a callback.
        store.set_epoch_deadline(ticks(options.time_limit));
        let instantiate = |error: wasmtime::Error| match time_limit_of(&error, options.time_limit) {
            Some(limit) => VmError::TimeLimit {
                callback: "(start)",
                limit,
            },
            None => VmError::Instantiate(reason(&error)),
        };
        let instance = module.pre().instantiate(&mut store).map_err(instantiate)?;
        let exports = Exports::find(&instance, &mut store).map_err(instantiate)?;
        let memory = instance.get_memory(&mut store, "memory");
        let host = store.data_mut();
        host.memory = memory;
        host.malloc = exports.malloc.clone();
        let mut vm = Self {
            store,
            exports,
            buffer_limit: options.buffer_limit_bytes,
            module: module.clone(),
            time_limit: options.time_limit,
            dead: None,
            last_context: 0,
        };
        vm.initialize()?;
        Ok(vm)
    }

    /// Creates the root context and runs `proxy_on_vm_start` and `proxy_on_configure`.
    pub fn configure(&mut self, plugin: PluginOptions) -> Result<PluginId, ConfigureError> {
        self.store.data_mut().captured = Some(Vec::new());
        let result = self.try_configure(plugin);
        let logs = self.store.data_mut().captured.take().unwrap_or_default();
        match result {
            Ok(Configured::Yes(id)) => Ok(id),
            Ok(Configured::NotStarted) => Err(ConfigureError::Start { logs }),
            Ok(Configured::Refused) => Err(ConfigureError::Refused { logs }),
            Err(error) => Err(ConfigureError::Vm { error, logs }),
        }
    }

    pub fn open_stream(
        &mut self,
        plugin: PluginId,
        properties: Properties,
    ) -> Result<StreamId, VmError> {
        self.alive()?;
        if !self.store.data().roots.contains_key(&plugin.0) {
            return Err(VmError::UnknownPlugin);
        }
        let id = self.next_context();
        let stream = Stream::new(plugin.0, properties);
        self.store.data_mut().streams.insert(id, stream);
        let create = self.exports.on_context_create.clone();
        self.invoke(id, "proxy_on_context_create", create, (id, plugin.0))?;
        Ok(StreamId(id))
    }

    /// What the plugin asked for with `proxy_set_tick_period_milliseconds`; the caller keeps the time.
    pub fn tick_period(&self, plugin: PluginId) -> Option<Duration> {
        self.store.data().roots.get(&plugin.0)?.tick
    }

    pub fn tick(&mut self, plugin: PluginId) -> Result<(), VmError> {
        self.alive()?;
        if !self.store.data().roots.contains_key(&plugin.0) {
            return Err(VmError::UnknownPlugin);
        }
        let tick = self.exports.on_tick.clone();
        self.invoke(plugin.0, "proxy_on_tick", tick, plugin.0)?;
        self.settle_others(None)?;
        self.delete_if_done(plugin)?;
        Ok(())
    }

    /// Ends a plugin; false where `proxy_on_done` asked to wait for `proxy_done`, which a later tick may call.
    pub fn shutdown(&mut self, plugin: PluginId) -> Result<bool, VmError> {
        self.alive()?;
        let root = self.store.data().roots.get(&plugin.0);
        if root.ok_or(VmError::UnknownPlugin)?.done == Done::Running {
            let done = self.exports.on_done.clone();
            let done = self.invoke(plugin.0, "proxy_on_done", done, plugin.0)?;
            if let Some(root) = self.store.data_mut().roots.get_mut(&plugin.0)
                && root.done == Done::Running
            {
                root.done = match done {
                    Some(0) => Done::Pending,
                    _ => Done::Finished,
                };
            }
        }
        self.delete_if_done(plugin)
    }

    pub fn stream(&self, stream: StreamId) -> Result<&Stream, VmError> {
        self.store
            .data()
            .streams
            .get(&stream.0)
            .ok_or(VmError::UnknownStream)
    }

    /// Filter state that the guest wrote with `proxy_set_property`, by Envoy's name for it: `wasm.portcullis`.
    pub fn filter_state(&self, stream: StreamId, name: &str) -> Option<&[u8]> {
        self.stream(stream).ok()?.filter_state(name)
    }

    /// Why the VM is dead, if it is.
    pub fn dead(&self) -> Option<&str> {
        self.dead.as_deref()
    }

    pub fn module(&self) -> &Module {
        &self.module
    }

    /// What the linear memory takes now.
    pub fn memory_bytes(&self) -> usize {
        let memory = self.store.data().memory;
        memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    pub(crate) fn alive(&self) -> Result<(), VmError> {
        match &self.dead {
            Some(since) => Err(VmError::Dead(since.clone())),
            None => Ok(()),
        }
    }

    /// Calls the guest in a context; `None` where it does not export the callback.
    pub(crate) fn invoke<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        callback: &'static str,
        function: Option<TypedFunc<P, R>>,
        arguments: P,
    ) -> Result<Option<R>, VmError> {
        self.alive()?;
        let Some(function) = function else {
            return Ok(None);
        };
        self.store.set_epoch_deadline(ticks(self.time_limit));
        self.store.data_mut().current = context;
        let result = function.call(&mut self.store, arguments);
        let host = self.store.data_mut();
        host.current = 0;
        host.effective = 0;
        result.map(Some).map_err(|error| {
            let error = match time_limit_of(&error, self.time_limit) {
                Some(limit) => VmError::TimeLimit { callback, limit },
                None => VmError::Trap {
                    callback,
                    reason: reason(&error),
                },
            };
            self.dead = Some(error.to_string());
            error
        })
    }

    /// Carries out what a callback asked of streams other than its own.
    pub(crate) fn settle_others(&mut self, own: Option<u32>) -> Result<(), VmError> {
        if !std::mem::take(&mut self.store.data_mut().crossed) {
            return Ok(());
        }
        let ids: Vec<u32> = self.store.data().streams.keys().copied().collect();
        for id in ids.into_iter().filter(|id| Some(*id) != own) {
            if let Some(outcome) = self.settle_outside(id)?
                && let Some(stream) = self.store.data_mut().streams.get_mut(&id)
            {
                stream.decided = Some(outcome);
            }
        }
        Ok(())
    }

    /// What the guest decided for a stream outside of the stream's own callbacks: in a tick, in the answer of a call, or
    /// in a callback of another stream.
    pub fn poll(&mut self, stream: StreamId) -> Result<Option<Outcome>, VmError> {
        let stream = self.store.data_mut().streams.get_mut(&stream.0);
        Ok(stream.ok_or(VmError::UnknownStream)?.decided.take())
    }

    fn initialize(&mut self) -> Result<(), VmError> {
        if self.exports.initialize.is_some() {
            let initialize = self.exports.initialize.clone();
            self.invoke(0, "_initialize", initialize, ())?;
            let main = self.exports.main.clone();
            self.invoke(0, "main", main, (0, 0))?;
        } else {
            let start = self.exports.start.clone();
            self.invoke(0, "_start", start, ())?;
        }
        self.store.data_mut().starting = false;
        Ok(())
    }

    fn try_configure(&mut self, plugin: PluginOptions) -> Result<Configured, VmError> {
        self.alive()?;
        let id = self.next_context();
        let host = self.store.data_mut();
        let vm_size = size(host.vm_configuration.len());
        let plugin_size = size(plugin.configuration.len());
        let configuration = plugin.configuration.clone();
        host.roots.insert(id, Root::new(plugin));
        let create = self.exports.on_context_create.clone();
        self.invoke(id, "proxy_on_context_create", create, (id, 0))?;
        let start = self.exports.on_vm_start.clone();
        if self.invoke(id, "proxy_on_vm_start", start, (id, vm_size))? == Some(0) {
            self.store.data_mut().remove_root(id);
            return Ok(Configured::NotStarted);
        }
        self.store.data_mut().readable_configuration = Some(configuration);
        let configure = self.exports.on_configure.clone();
        let answer = self.invoke(id, "proxy_on_configure", configure, (id, plugin_size));
        self.store.data_mut().readable_configuration = None;
        if answer? == Some(0) {
            self.store.data_mut().remove_root(id);
            return Ok(Configured::Refused);
        }
        Ok(Configured::Yes(PluginId(id)))
    }

    pub(crate) fn delete_if_done(&mut self, plugin: PluginId) -> Result<bool, VmError> {
        let root = self.store.data().roots.get(&plugin.0);
        if root.is_none_or(|root| root.done != Done::Finished) {
            return Ok(false);
        }
        let delete = self.exports.on_delete.clone();
        self.invoke(plugin.0, "proxy_on_delete", delete, plugin.0)?;
        self.store.data_mut().remove_root(plugin.0);
        Ok(true)
    }

    fn next_context(&mut self) -> u32 {
        loop {
            self.last_context = self.last_context.wrapping_add(1);
            if !self.store.data().is_context(self.last_context) {
                return self.last_context;
            }
        }
    }
}

enum Configured {
    Yes(PluginId),
    NotStarted,
    Refused,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm")
            .field("vm_id", &self.store.data().vm_id)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

/// Without a limit the epoch never moves as far.
fn ticks(limit: Option<Duration>) -> u64 {
    limit.map_or(u64::MAX >> 1, |limit| {
        let ticks = limit.as_nanos().div_ceil(TICK.as_nanos());
        // The epoch may move right away, so one more.
        u64::try_from(ticks)
            .unwrap_or(u64::MAX >> 1)
            .saturating_add(1)
    })
}

fn time_limit_of(error: &wasmtime::Error, limit: Option<Duration>) -> Option<Duration> {
    limit.filter(|_| error.downcast_ref::<Trap>() == Some(&Trap::Interrupt))
}

/// The cause, and the innermost functions of the guest that led there.
fn reason(error: &wasmtime::Error) -> String {
    let mut reason = error.root_cause().to_string();
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        for name in trace
            .frames()
            .iter()
            .filter_map(|frame| frame.func_name())
            .take(8)
        {
            reason.push_str("\n  in ");
            reason.push_str(name);
        }
    }
    reason
}

pub(crate) fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl ConfigureError {
    /// What the guest logged on the way.
    pub fn logs(&self) -> &[LogLine] {
        match self {
            Self::Start { logs } | Self::Refused { logs } | Self::Vm { logs, .. } => logs,
        }
    }
}
