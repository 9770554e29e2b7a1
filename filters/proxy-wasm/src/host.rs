//! The only file that calls the host. The SDK's own wrappers panic on statuses they do not expect,
//! and a panic takes every stream of the VM with it; these answer `None` or an error, and the
//! caller refuses the request.
#![expect(unsafe_code, reason = "the ABI is C functions over raw pointers")]

use crate::pairs::{self, Pairs};
use portcullis_engine::{Call, Deny};
use proxy_wasm::hostcalls::dispatch_http_call;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, StreamType};
use std::ptr::{null_mut, slice_from_raw_parts_mut};

/// The host did not do what it was asked to.
#[derive(Debug)]
pub struct Refused;

/// `WasmResult` of the ABI; any status but those that are looked for is a refusal.
const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, key: *const u8, key_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: MapType,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_define_metric(
        kind: MetricType,
        name: *const u8,
        name_size: usize,
        id: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_done() -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

pub fn log(level: LogLevel, message: &str) {
    // SAFETY: pointer and length are of one live `str`, which the host only reads.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// Nanoseconds since the Unix epoch.
pub fn now_ns() -> Option<u64> {
    let mut time = 0;
    // SAFETY: the host writes eight bytes to a live `u64`.
    let status = unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    (status == OK).then_some(time)
}

pub fn buffer(buffer: BufferType) -> Option<Vec<u8>> {
    receive(|data, size| {
        // SAFETY: the host writes a pointer and a size to live places.
        unsafe { proxy_get_buffer_bytes(buffer, 0, usize::MAX, data, size) }
    })
}

/// A window of the request's body, in its callbacks: of what is held of it so far, or of the piece that
/// is passing.
pub fn request_body(start: usize, size: usize) -> Option<Vec<u8>> {
    let bytes = receive(|data, received| {
        // SAFETY: the host writes a pointer and a size to live places.
        unsafe { proxy_get_buffer_bytes(BufferType::HttpRequestBody, start, size, data, received) }
    })?;
    // A part of it is no body.
    (bytes.len() == size).then_some(bytes)
}

/// A property by its path, whose segments Envoy wants joined with NUL.
pub fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    receive(|data, size| {
        // SAFETY: the path is live and only read; the host writes to live places.
        unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) }
    })
}

pub fn set_property(name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: both are live and only read.
    accepted(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// A value that every VM of the same id shares, and its version; `None` where there is none.
pub fn shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>, Refused> {
    let mut version = 0;
    let found = received(|data, size| {
        // SAFETY: the key is live and only read; the host writes to live places.
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut version) }
    });
    match found {
        Ok(value) => Ok(Some((value, version))),
        Err(NOT_FOUND) => Ok(None),
        Err(_) => Err(Refused),
    }
}

/// Sets a shared value that was seen in this version, or absent. False where it is so no more.
pub fn set_shared_data(key: &str, value: &[u8], seen: Option<u32>) -> Result<bool, Refused> {
    // Zero overwrites whatever there is, and is no version. Where there is nothing, any version does;
    // one that nothing has creates, and does nothing else (proxy-wasm-cpp-host, `SharedData::set`).
    let version = match seen {
        Some(0) => return Err(Refused),
        Some(version) => version,
        None => u32::MAX,
    };
    // SAFETY: both are live and only read.
    let status = unsafe {
        proxy_set_shared_data(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            version,
        )
    };
    match status {
        OK => Ok(true),
        CAS_MISMATCH => Ok(false),
        _ => Err(Refused),
    }
}

/// A counter of the proxy's, which all workers share.
#[derive(Clone, Copy)]
pub struct Counter(u32);

impl Counter {
    /// Envoy shows it as `wasmcustom.NAME`, from now on.
    pub fn define(name: &str) -> Result<Counter, Refused> {
        define(MetricType::Counter, name).map(Counter)
    }

    pub fn add(self, by: u64) -> Result<(), Refused> {
        add(self.0, i64::try_from(by).unwrap_or(i64::MAX))
    }
}

/// A gauge of the proxy's, which all workers share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Gauge(u32);

impl Gauge {
    /// Envoy shows it as `wasmcustom.NAME`, from now on.
    pub fn define(name: &str) -> Result<Gauge, Refused> {
        define(MetricType::Gauge, name).map(Gauge)
    }

    /// One more, or one less: of what each worker counts for itself.
    pub fn add(self, by: i64) -> Result<(), Refused> {
        add(self.0, by)
    }

    pub fn set(self, value: u64) -> Result<(), Refused> {
        // SAFETY: nothing is pointed to.
        accepted(unsafe { proxy_record_metric(self.0, value) })
    }
}

/// A histogram of the proxy's, which all workers share.
#[derive(Clone, Copy)]
pub struct Histogram(u32);

impl Histogram {
    /// Envoy shows it as `wasmcustom.NAME`, from now on.
    pub fn define(name: &str) -> Result<Histogram, Refused> {
        define(MetricType::Histogram, name).map(Histogram)
    }

    pub fn record(self, value: u64) -> Result<(), Refused> {
        // SAFETY: nothing is pointed to.
        accepted(unsafe { proxy_record_metric(self.0, value) })
    }
}

fn define(kind: MetricType, name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: the name is live and only read; the host writes four bytes to a live `u32`.
    accepted(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

fn add(id: u32, by: i64) -> Result<(), Refused> {
    // SAFETY: nothing is pointed to.
    accepted(unsafe { proxy_increment_metric(id, by) })
}

/// Has `on_tick` come every so many milliseconds; with each call the time begins anew.
pub fn set_tick_period(milliseconds: u32) -> Result<(), Refused> {
    // SAFETY: nothing is pointed to.
    accepted(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Has the calls that follow be about this context. Refused where there is none of that id.
pub fn set_effective_context(context: u32) -> Result<(), Refused> {
    // SAFETY: nothing is pointed to.
    accepted(unsafe { proxy_set_effective_context(context) })
}

/// The root context may go, whose `on_done` had it wait.
pub fn done() -> Result<(), Refused> {
    // SAFETY: nothing is pointed to.
    accepted(unsafe { proxy_done() })
}

/// Lets a request go on whose headers are held.
pub fn continue_request() -> Result<(), Refused> {
    // SAFETY: nothing is pointed to.
    accepted(unsafe { proxy_continue_stream(StreamType::HttpRequest) })
}

/// Makes a call, and gives the token of its answer. By the SDK, which keeps account of calls and
/// hands an answer on to the context that was active: this is for the root context's callbacks. It
/// panics on statuses that are none of Ok, BadArgument and InternalFailure; Envoy has no others here.
pub fn http_call(call: &Call) -> Result<u32, Refused> {
    let headers = call.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    let body = (!call.body.is_empty()).then_some(call.body.as_slice());
    dispatch_http_call(
        &call.cluster,
        headers.collect(),
        body,
        Vec::new(),
        call.timeout,
    )
    .map_err(|_| Refused)
}

/// Every pair of a header map, as bytes; `None` where the host fails or its answer does not parse.
pub fn header_pairs(map: MapType) -> Option<Pairs> {
    let bytes = receive(|data, size| {
        // SAFETY: the host writes a pointer and a size to live places.
        unsafe { proxy_get_header_map_pairs(map, data, size) }
    })?;
    Pairs::parse(bytes)
}

/// The status of the response, in its callbacks.
pub fn response_status() -> Option<u16> {
    let name = ":status";
    let value = receive(|data, size| {
        // SAFETY: the name is live and only read; the host writes to live places.
        unsafe {
            proxy_get_header_map_value(
                MapType::HttpResponseHeaders,
                name.as_ptr(),
                name.len(),
                data,
                size,
            )
        }
    })?;
    std::str::from_utf8(&value).ok()?.parse().ok()
}

pub fn remove_header(map: MapType, name: &str) -> Result<(), Refused> {
    // SAFETY: the name is live and only read.
    accepted(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
}

pub fn replace_header(map: MapType, name: &str, value: &str) -> Result<(), Refused> {
    // SAFETY: both are live and only read.
    accepted(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

pub fn add_header(map: MapType, name: &str, value: &str) -> Result<(), Refused> {
    // SAFETY: both are live and only read.
    accepted(unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// What a function of the host's own gives; `None` where the host has none of that name, or it fails.
pub fn call_foreign_function(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    receive(|results, size| {
        // SAFETY: name and arguments are live and only read; the host writes to live places.
        unsafe {
            proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                arguments.as_ptr(),
                arguments.len(),
                results,
                size,
            )
        }
    })
}

/// Ends the stream with an answer of ours. Where the host refuses even that, the stream stays
/// paused and its timeout ends it.
pub fn send_local_response(deny: &Deny, details: &str) {
    let headers = pairs::serialize(&deny.headers);
    let grpc_status = deny
        .grpc_status
        .and_then(|s| i32::try_from(s).ok())
        .unwrap_or(-1);
    // SAFETY: all four are live and only read.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(deny.status),
            details.as_ptr(),
            details.len(),
            deny.body.as_ptr(),
            deny.body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    };
    if status != OK {
        log(
            LogLevel::Error,
            "portcullis: the host sent no local response",
        );
    }
}

fn accepted(status: u32) -> Result<(), Refused> {
    match status {
        OK => Ok(()),
        _ => Err(Refused),
    }
}

/// Takes over memory that the host had the guest allocate (`proxy_on_memory_allocate`).
fn receive(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    received(call).ok()
}

/// The same, with the status of a host that gives nothing.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, u32> {
    let (mut data, mut size) = (null_mut::<u8>(), 0usize);
    match call(&mut data, &mut size) {
        OK => {}
        status => return Err(status),
    }
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the SDK's allocator made this as a `Box<[u8]>` of exactly this size, and the host
    // hands each allocation over once.
    Ok(unsafe { Box::from_raw(slice_from_raw_parts_mut(data, size)) }.into_vec())
}
