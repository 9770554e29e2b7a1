//! Small guests written as callback bodies in WAT, and a VM that remembers what they logged.
//!
//! In a body, `{text}` stands for a pointer and a size of that text, where `␀` is a zero byte, `{=1A00}` of those bytes (hex), `@R` for a pair of
//! result pointers, `{[a=b|c=d]}` of a list of pairs, and `@2` for a second result pointer. Helpers: `(call $status X)` logs a status as a number,
//! `(call $show)` logs the bytes that the last result pointers name, `(call $show_int)` the 64-bit integer at `@R`.
#![allow(dead_code, reason = "each test file uses its own part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

use std::sync::{Arc, Mutex};

use portcullis_host::{
    ConfigureError, Headers, LogLevel, Module, PluginId, PluginOptions, Properties, StreamId, Vm,
    VmError, VmOptions,
};

pub const REQUEST_HEADERS: &str = "proxy_on_request_headers";

/// Each callback with the types of its parameters and result.
const CALLBACKS: &[(&str, usize, bool)] = &[
    ("_initialize", 0, false),
    ("_start", 0, false),
    ("proxy_on_context_create", 2, false),
    ("proxy_on_vm_start", 2, true),
    ("proxy_on_configure", 2, true),
    ("proxy_on_tick", 1, false),
    ("proxy_on_http_call_response", 5, false),
    ("proxy_on_request_headers", 3, true),
    ("proxy_on_request_body", 3, true),
    ("proxy_on_request_trailers", 2, true),
    ("proxy_on_response_headers", 3, true),
    ("proxy_on_response_body", 3, true),
    ("proxy_on_response_trailers", 2, true),
    ("proxy_on_done", 1, true),
    ("proxy_on_log", 1, false),
    ("proxy_on_delete", 1, false),
];

/// Every hostcall with its parameters: `i` is an i32, `l` an i64.
pub const IMPORTS: &[(&str, &str)] = &[
    ("proxy_log", "iii"),
    ("proxy_get_log_level", "i"),
    ("proxy_get_current_time_nanoseconds", "i"),
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_set_effective_context", "i"),
    ("proxy_get_status", "iii"),
    ("proxy_done", ""),
    ("proxy_get_header_map_pairs", "iii"),
    ("proxy_set_header_map_pairs", "iii"),
    ("proxy_get_header_map_size", "ii"),
    ("proxy_get_header_map_value", "iiiii"),
    ("proxy_add_header_map_value", "iiiii"),
    ("proxy_replace_header_map_value", "iiiii"),
    ("proxy_remove_header_map_value", "iii"),
    ("proxy_get_buffer_bytes", "iiiii"),
    ("proxy_get_buffer_status", "iii"),
    ("proxy_set_buffer_bytes", "iiiii"),
    ("proxy_get_property", "iiii"),
    ("proxy_set_property", "iiii"),
    ("proxy_send_local_response", "iiiiiiii"),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_get_shared_data", "iiiii"),
    ("proxy_set_shared_data", "iiiii"),
    ("proxy_define_metric", "iiii"),
    ("proxy_increment_metric", "il"),
    ("proxy_record_metric", "il"),
    ("proxy_get_metric", "ii"),
    ("proxy_call_foreign_function", "iiiiii"),
    ("proxy_http_call", "iiiiiiiiii"),
    ("proxy_grpc_call", "iiiiiiiiiiii"),
    ("proxy_grpc_stream", "iiiiiiiii"),
    ("proxy_grpc_send", "iiii"),
    ("proxy_grpc_cancel", "i"),
    ("proxy_grpc_close", "i"),
    ("proxy_register_shared_queue", "iii"),
    ("proxy_resolve_shared_queue", "iiiii"),
    ("proxy_enqueue_shared_queue", "iii"),
    ("proxy_dequeue_shared_queue", "iii"),
];

const WASI: &[(&str, &str)] = &[
    ("fd_write", "iiii"),
    ("fd_read", "iiii"),
    ("fd_seek", "ilii"),
    ("fd_close", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("path_open", "iiiiillii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_time_get", "ili"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("poll_oneoff", "iiii"),
];

const HELPERS: &str = r#"
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 0x20000))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $size)))
    (local.get $at))
  (func $status (param $n i32)
    (i32.store8 (i32.const 0) (i32.add (i32.const 48) (i32.div_u (local.get $n) (i32.const 10))))
    (i32.store8 (i32.const 1) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (if (i32.lt_u (local.get $n) (i32.const 10))
      (then (drop (call $log (i32.const 2) (i32.const 1) (i32.const 1))))
      (else (drop (call $log (i32.const 2) (i32.const 0) (i32.const 2))))))
  (func $show
    (drop (call $log (i32.const 2) (i32.load (i32.const 16)) (i32.load (i32.const 20)))))
  (func $show_int (local $n i64) (local $at i32)
    (local.set $n (i64.load (i32.const 16)))
    (local.set $at (i32.const 64))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (br_if $next (i64.ne (local.get $n) (i64.const 0))))
    (drop (call $log (i32.const 2) (local.get $at) (i32.sub (i32.const 64) (local.get $at)))))
"#;

/// A module whose callbacks have these bodies. Bodies leave the result on the stack.
pub fn module(callbacks: &[(&str, &str)]) -> Vec<u8> {
    let mut wat = String::from("(module\n");
    for (module, list, prefix) in [
        ("env", IMPORTS, "proxy_"),
        ("wasi_snapshot_preview1", WASI, ""),
    ] {
        for (name, types) in list {
            wat += &import(
                module,
                name,
                name.strip_prefix(prefix).unwrap_or(name),
                types,
            );
        }
    }
    wat += HELPERS;
    let mut data = Data::default();
    for (name, body) in callbacks {
        let (_, parameters, result) = CALLBACKS
            .iter()
            .find(|(known, ..)| known == name)
            .unwrap_or_else(|| panic!("no callback `{name}`"));
        let parameters = "i32 ".repeat(*parameters);
        let result = if *result { "(result i32)" } else { "" };
        let body = data.expand(body);
        wat += &format!("(func (export \"{name}\") (param {parameters}) {result} {body})\n");
    }
    wat += &data.segments;
    wat.push(')');
    wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}\n{wat}"))
}

/// One import, without the rest of a guest.
pub fn import(module: &str, name: &str, id: &str, types: &str) -> String {
    let types: String = types
        .chars()
        .map(|c| if c == 'l' { "i64 " } else { "i32 " })
        .collect();
    format!("(import \"{module}\" \"{name}\" (func ${id} (param {types}) (result i32)))\n")
}

#[derive(Default)]
struct Data {
    segments: String,
    used: usize,
}

impl Data {
    fn expand(&mut self, body: &str) -> String {
        let mut expanded = String::new();
        let mut rest = body;
        while let Some((before, after)) = rest.split_once('{') {
            let (text, after) = after.split_once('}').expect("a closing brace");
            let bytes = if let Some(hex) = text.strip_prefix('=') {
                (0..hex.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
                    .collect()
            } else if let Some(list) = text.strip_prefix('[') {
                pairs(list.strip_suffix(']').expect("a closing bracket"))
            } else {
                text.replace('␀', "\0").into_bytes()
            };
            let at = 0x1000 + self.used;
            self.used += bytes.len();
            let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
            self.segments += &format!("(data (i32.const {at}) \"{escaped}\")\n");
            expanded += before;
            expanded += &format!("(i32.const {at}) (i32.const {})", bytes.len());
            rest = after;
        }
        expanded += rest;
        expanded
            .replace("@R", "(i32.const 16) (i32.const 20)")
            .replace("@2", "(i32.const 24)")
    }
}

fn pairs(list: &str) -> Vec<u8> {
    let pairs = list
        .split('|')
        .map(|pair| pair.split_once('=').expect("a pair"));
    let size = |length: usize| u32::try_from(length).expect("a size").to_le_bytes();
    let mut bytes = size(pairs.clone().count()).to_vec();
    for (name, value) in pairs.clone() {
        bytes.extend(size(name.len()));
        bytes.extend(size(value.len()));
    }
    for text in pairs.flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// A running VM with one plugin and one stream.
pub struct Guest {
    pub vm: Vm,
    pub plugin: PluginId,
    pub stream: StreamId,
    logs: Logs,
}

type Logs = Arc<Mutex<Vec<String>>>;

impl Guest {
    pub fn new(callbacks: &[(&str, &str)]) -> Self {
        Self::with(callbacks, VmOptions::default(), plugin())
    }

    pub fn with(callbacks: &[(&str, &str)], options: VmOptions, plugin: PluginOptions) -> Self {
        let module = Module::compile(&module(callbacks)).expect("the module compiles");
        let (mut vm, logs) = start(&module, options).expect("the VM starts");
        let plugin = vm.configure(plugin).expect("the plugin is taken");
        let properties = Properties::new()
            .source("127.0.0.1:40000".parse().expect("an address"))
            .protocol("HTTP/1.1")
            .text("xds.route_name", "orders");
        let stream = vm.open_stream(plugin, properties).expect("a stream");
        Self {
            vm,
            plugin,
            stream,
            logs,
        }
    }

    pub fn logs(&self) -> Vec<String> {
        std::mem::take(&mut *self.logs.lock().expect("logs"))
    }
}

pub fn plugin() -> PluginOptions {
    PluginOptions {
        name: "gate".to_owned(),
        root_id: "root".to_owned(),
        configuration: b"the configuration".to_vec(),
        allow_on_headers_stop_iteration: false,
    }
}

pub fn start(module: &Module, options: VmOptions) -> Result<(Vm, Logs), VmError> {
    let logs = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&logs);
    let log = Box::new(move |_: LogLevel, line: &str| {
        sink.lock().expect("logs").push(line.to_owned());
    });
    Vm::start(module, options, log).map(|vm| (vm, logs))
}

/// Configures a guest that is expected to refuse.
pub fn refused(callbacks: &[(&str, &str)]) -> ConfigureError {
    let module = Module::compile(&module(callbacks)).expect("the module compiles");
    let (mut vm, _) = start(&module, VmOptions::default()).expect("the VM starts");
    vm.configure(plugin()).expect_err("a refusal")
}

pub fn request() -> Headers {
    headers(&[
        (":authority", "orders.example.com"),
        (":path", "/items/1?debug=1#top"),
        (":method", "POST"),
        (":scheme", "https"),
        ("x-api-key", "one"),
        ("x-api-key", "two"),
        ("authorization", "Bearer a"),
        ("authorization", "Bearer b"),
    ])
}

pub fn response() -> Headers {
    headers(&[(":status", "200"), ("server", "upstream")])
}

pub fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().copied().collect()
}
