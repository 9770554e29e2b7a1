//! A proxy-wasm host on wasmtime, as strict as Envoy: it loads a filter and drives it, with no network of its own.
//!
//! A [`Module`] is compiled once. Each [`Vm`] started from it is one instance, as on one Envoy worker; a plugin
//! [configured](Vm::configure) in it opens streams, and every callback of a stream answers an [`Outcome`] that says
//! what Envoy would do next. Where Envoy would let a filter break the connection, the outcome is
//! [`Outcome::Broken`] instead of a silent success.
//!
//! HTTP calls of the filter's own are the caller's to make: [`Vm::take_calls`] hands them over, [`Vm::answer_call`] brings
//! what came back, and [`Vm::poll`] tells what became of the streams that waited for it.
//!
//! What Envoy does was read from its source (`source/extensions/common/wasm`) and from proxy-wasm-cpp-host
//! (`src/exports.cc`, `src/wasm.cc`, `src/context.cc`), ABI 0.2.1.
//!
//! ```
//! # let wasm = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
//! #   (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#)?;
//! use portcullis_host::{Headers, Module, Outcome, PluginOptions, Properties, Vm, VmOptions};
//!
//! let module = Module::compile(&wasm)?;
//! let log = Box::new(|level, line: &str| eprintln!("[{level}] {line}"));
//! let mut vm = Vm::start(&module, VmOptions::default(), log)?;
//! let plugin = vm.configure(PluginOptions { configuration: b"{}".to_vec(), ..PluginOptions::default() })?;
//!
//! let stream = vm.open_stream(plugin, Properties::new().protocol("HTTP/1.1"))?;
//! let pseudo = [(":path", "/"), (":method", "GET"), (":scheme", "http")];
//! let request = Headers::from_wire(&pseudo, [("Host", "orders.example.com")])?;
//! match vm.request_headers(stream, request, true)? {
//!     Outcome::Continue => println!("upstream gets {:?}", vm.stream(stream)?.request_headers()),
//!     Outcome::LocalReply { response, .. } => println!("client gets {:?}", response.status()),
//!     Outcome::Pause | Outcome::Reset | Outcome::Broken(_) => println!("nothing goes on"),
//! }
//! vm.log(stream)?;
//! vm.close(stream)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abi;
mod calls;
mod clock;
mod error;
mod exports;
mod headers;
mod host;
mod local_reply;
mod memory;
mod module;
mod options;
mod properties;
mod proxy;
mod settle;
mod stream;
mod stream_calls;
mod vm;
mod wasi;

pub use abi::{HOSTCALLS, UNIMPLEMENTED};
pub use calls::{CallToken, HttpCall, HttpCallResponse};
pub use clock::{Clock, SystemClock};
pub use error::{Breach, ConfigureError, LogLevel, LogLine, ModuleError, VmError, WireError};
pub use headers::Headers;
pub use local_reply::{LocalReply, Response};
pub use module::{Module, is_known};
pub use options::{PluginOptions, VmOptions};
pub use properties::{PeerCertificate, Properties};
pub use proxy::{Metric, MetricKind, Proxy};
pub use stream::{Outcome, Stream};
pub use vm::{Log, PluginId, StreamId, Vm};
pub use wasi::WASI_FUNCTIONS;
