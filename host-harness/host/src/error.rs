//! What can go wrong: with a module, with a VM, with a configuration, and on the wire.

use std::fmt;
use std::time::Duration;

/// A module that Envoy would not load.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    #[error("not a WebAssembly module: {0}")]
    Compile(String),
    #[error(
        "the module imports what Envoy does not have: {}; it has the 18 WASI functions and the hostcalls of proxy-wasm 0.2.1",
        ticked(.0)
    )]
    Imports(Vec<String>),
    #[error("the module exports no `{0}`, which a proxy-wasm 0.2 module needs")]
    Export(&'static str),
    #[error("an import does not have the type that the host gives it: {0}")]
    Link(String),
}

/// A call that did not come back with an answer. Unless the variant says otherwise the VM is dead, and the request
/// must be answered with 503 (Envoy's `FAIL_CLOSED`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VmError {
    #[error("the guest trapped in `{callback}`: {reason}")]
    Trap {
        callback: &'static str,
        reason: String,
    },
    #[error("the guest was still in `{callback}` after {limit:?}")]
    TimeLimit {
        callback: &'static str,
        limit: Duration,
    },
    #[error("the module could not be instantiated: {0}")]
    Instantiate(String),
    #[error("the VM is dead since: {0}")]
    Dead(String),
    /// The caller's mistake; the VM lives on.
    #[error("no such plugin in this VM")]
    UnknownPlugin,
    /// The caller's mistake; the VM lives on.
    #[error("no such stream in this VM, or it was closed")]
    UnknownStream,
    /// Its answer came before, or its plugin has ended; the VM lives on.
    #[error("no such call in this VM, or it was answered")]
    UnknownCall,
    /// The caller's mistake; the VM lives on.
    #[error("{found} came where {wanted} was expected")]
    OutOfOrder {
        found: &'static str,
        wanted: &'static str,
    },
    /// The filter stopped all iteration: Envoy stops reading here. The VM lives on.
    #[error("{held} bytes are held while the filter is paused, the limit is {limit}")]
    Backpressure { held: usize, limit: usize },
}

/// Why a plugin was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    #[error("`proxy_on_vm_start` answered false{}", lines(.logs))]
    Start { logs: Vec<LogLine> },
    #[error("`proxy_on_configure` answered false{}", lines(.logs))]
    Refused { logs: Vec<LogLine> },
    #[error("{error}{}", lines(.logs))]
    Vm { error: VmError, logs: Vec<LogLine> },
}

/// What a filter did that Envoy lets pass although it breaks the connection or another request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    #[error(
        "local reply with status {0}: Envoy does not check it, and below 200 or above 599 the connection breaks or hangs"
    )]
    LocalReplyStatus(u32),
    #[error(
        "the local reply left the filter's own response callbacks without a `:status` of 200 to 599"
    )]
    ResponseStatus,
    #[error("a second local reply for one request: Envoy resets the stream")]
    SecondLocalReply,
    #[error("header `{name}`: the value has a CR, LF or NUL, which splits the message on the wire")]
    HeaderValue { name: String },
    #[error("header name `{name}` is not a token (RFC 9110, section 5.1)")]
    HeaderName { name: String },
}

/// A request that Envoy refuses with 400 before any filter sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("`Connection` nominates `{0}`, which Envoy never lets a client remove")]
    Nominated(String),
    #[error("`Connection` nominates {0} headers, Envoy takes at most 9")]
    TooManyNominated(usize),
}

/// proxy-wasm's log levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// What the guest logged: by `proxy_log`, or to stdout (info) and stderr (error).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub level: LogLevel,
    pub message: String,
}

impl LogLevel {
    pub(crate) fn from_abi(level: u32) -> Option<Self> {
        Some(match level {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn ticked(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn lines(logs: &[LogLine]) -> String {
    logs.iter()
        .map(|line| format!("\n  [{}] {}", line.level, line.message))
        .collect()
}
