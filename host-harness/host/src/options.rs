//! What a VM and a plugin are started with: `vm_config` and `config` of Envoy's wasm filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::error::LogLevel;
use crate::proxy::Proxy;

#[derive(Clone)]
pub struct VmOptions {
    /// Names the namespace of shared data.
    pub vm_id: String,
    /// `vm_config.configuration`, for `proxy_on_vm_start`.
    pub configuration: Vec<u8>,
    /// `vm_config.environment_variables`. Secrets come this way: never printed.
    pub environment: BTreeMap<String, String>,
    /// The clusters that `proxy_http_call` knows; any other is `BadArgument` (2) to the guest.
    pub clusters: BTreeSet<String>,
    /// Linear memory; Envoy's limit is 1 GiB.
    pub memory_limit_bytes: usize,
    /// For one callback. Envoy has none: a guest's endless loop hangs its worker.
    pub time_limit: Option<Duration>,
    /// What a stream may hold while paused: Envoy's `per_connection_buffer_limit_bytes`.
    pub buffer_limit_bytes: usize,
    /// Lines below it are dropped, and `proxy_get_log_level` answers it.
    pub log_level: LogLevel,
    pub clock: Arc<dyn Clock>,
    /// The proxy this VM lives in: VMs that share it share their data and metrics, as Envoy's workers do.
    pub proxy: Proxy,
}

#[derive(Clone, Default)]
pub struct PluginOptions {
    pub name: String,
    pub root_id: String,
    pub configuration: Vec<u8>,
    /// Envoy 1.35: `Pause` from headers then lets body callbacks arrive, and a body's `Continue` releases the headers.
    pub allow_on_headers_stop_iteration: bool,
}

impl Default for VmOptions {
    fn default() -> Self {
        Self {
            vm_id: String::new(),
            configuration: Vec::new(),
            environment: BTreeMap::new(),
            clusters: BTreeSet::new(),
            memory_limit_bytes: 1 << 30,
            time_limit: None,
            buffer_limit_bytes: 1 << 20,
            log_level: LogLevel::Info,
            clock: Arc::new(SystemClock::default()),
            proxy: Proxy::default(),
        }
    }
}

impl fmt::Debug for VmOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VmOptions")
            .field("vm_id", &self.vm_id)
            .field("environment", &self.environment.keys())
            .field("clusters", &self.clusters)
            .field("memory_limit_bytes", &self.memory_limit_bytes)
            .field("time_limit", &self.time_limit)
            .field("buffer_limit_bytes", &self.buffer_limit_bytes)
            .field("log_level", &self.log_level)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PluginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginOptions")
            .field("name", &self.name)
            .field("root_id", &self.root_id)
            .field("configuration_bytes", &self.configuration.len())
            .field(
                "allow_on_headers_stop_iteration",
                &self.allow_on_headers_stop_iteration,
            )
            .finish()
    }
}
