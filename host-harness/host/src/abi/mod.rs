//! The hostcalls of proxy-wasm 0.2.1: every one is linked, under the name and type Envoy gives it.

mod buffers;
mod calls;
mod foreign;
mod headers;
mod logging;
mod metrics;
pub(crate) mod pairs;
mod properties;
mod shared_data;
mod streams;
mod system;
mod verify_signature;

use wasmtime::{Caller, Linker};

use crate::host::Host;
use crate::memory::{Answer, Failure, Guest};

/// `WasmResult` of proxy-wasm-cpp-host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    InvalidMemoryAccess = 6,
    CasMismatch = 8,
    InternalFailure = 10,
    Unimplemented = 12,
}

macro_rules! hostcalls {
    ($($name:literal = $call:expr, ($($argument:ident : $type:ty),*);)*) => {
        /// The functions of the module `env` that a guest may import.
        pub const HOSTCALLS: &[&str] = &[$($name),*];

        pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            $(
                linker.func_wrap("env", $name, |caller: Caller<'_, Host>, $($argument: $type),*| {
                    let mut guest = Guest::new(caller);
                    admit(&mut guest, $name)?;
                    status($call(&mut guest, $($argument),*))
                })?;
            )*
            Ok(())
        }
    };
}

macro_rules! unimplemented {
    ($($name:literal ($($argument:ident : $type:ty),*);)*) => {
        /// Hostcalls that answer `Unimplemented` (12), whatever they are called with.
        pub const UNIMPLEMENTED: &[&str] = &[$($name),*];

        pub(crate) fn link_unimplemented(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            $(
                linker.func_wrap("env", $name, |caller: Caller<'_, Host>, $($argument: $type),*| {
                    $(let _ = $argument;)*
                    admit(&mut Guest::new(caller), $name)?;
                    wasmtime::Result::Ok(Status::Unimplemented as u32)
                })?;
            )*
            Ok(())
        }
    };
}

hostcalls! {
    "proxy_log" = logging::log, (level: u32, message: u32, size: u32);
    "proxy_get_log_level" = logging::get_log_level, (level_at: u32);

    "proxy_get_current_time_nanoseconds" = system::get_current_time, (time_at: u32);
    "proxy_set_tick_period_milliseconds" = system::set_tick_period, (period: u32);
    "proxy_set_effective_context" = system::set_effective_context, (context: u32);
    "proxy_get_status" = system::get_status, (code_at: u32, message_at: u32, size_at: u32);
    "proxy_done" = system::done, ();

    "proxy_get_header_map_pairs" = headers::get_pairs, (map: u32, pairs_at: u32, size_at: u32);
    "proxy_set_header_map_pairs" = headers::set_pairs, (map: u32, pairs: u32, size: u32);
    "proxy_get_header_map_size" = headers::get_size, (map: u32, size_at: u32);
    "proxy_get_header_map_value" = headers::get_value, (map: u32, name: u32, name_size: u32, value_at: u32, size_at: u32);
    "proxy_add_header_map_value" = headers::add_value, (map: u32, name: u32, name_size: u32, value: u32, value_size: u32);
    "proxy_replace_header_map_value" = headers::replace_value, (map: u32, name: u32, name_size: u32, value: u32, value_size: u32);
    "proxy_remove_header_map_value" = headers::remove_value, (map: u32, name: u32, name_size: u32);

    "proxy_get_buffer_bytes" = buffers::get_bytes, (buffer: u32, start: u32, length: u32, bytes_at: u32, size_at: u32);
    "proxy_get_buffer_status" = buffers::get_status, (buffer: u32, length_at: u32, flags_at: u32);
    "proxy_set_buffer_bytes" = buffers::set_bytes, (buffer: u32, start: u32, length: u32, bytes: u32, size: u32);

    "proxy_get_property" = properties::get, (path: u32, path_size: u32, value_at: u32, size_at: u32);
    "proxy_set_property" = properties::set, (path: u32, path_size: u32, value: u32, value_size: u32);

    "proxy_send_local_response" = streams::send_local_response, (status: u32, details: u32, details_size: u32, body: u32, body_size: u32, headers: u32, headers_size: u32, grpc_status: u32);
    "proxy_continue_stream" = streams::continue_stream, (stream: u32);
    "proxy_close_stream" = streams::close_stream, (stream: u32);

    "proxy_http_call" = calls::http_call, (upstream: u32, upstream_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32, trailers: u32, trailers_size: u32, timeout: u32, token_at: u32);

    "proxy_get_shared_data" = shared_data::get, (key: u32, key_size: u32, value_at: u32, size_at: u32, cas_at: u32);
    "proxy_set_shared_data" = shared_data::set, (key: u32, key_size: u32, value: u32, value_size: u32, cas: u32);

    "proxy_define_metric" = metrics::define, (kind: u32, name: u32, name_size: u32, id_at: u32);
    "proxy_increment_metric" = metrics::increment, (id: u32, offset: i64);
    "proxy_record_metric" = metrics::record, (id: u32, value: u64);
    "proxy_get_metric" = metrics::get, (id: u32, value_at: u32);

    "proxy_call_foreign_function" = foreign::call, (name: u32, name_size: u32, arguments: u32, arguments_size: u32, results_at: u32, size_at: u32);
}

unimplemented! {
    "proxy_grpc_call" (upstream: u32, upstream_size: u32, service: u32, service_size: u32, method: u32, method_size: u32, metadata: u32, metadata_size: u32, message: u32, message_size: u32, timeout: u32, token_at: u32);
    "proxy_grpc_stream" (upstream: u32, upstream_size: u32, service: u32, service_size: u32, method: u32, method_size: u32, metadata: u32, metadata_size: u32, token_at: u32);
    "proxy_grpc_send" (token: u32, message: u32, message_size: u32, end_of_stream: u32);
    "proxy_grpc_cancel" (token: u32);
    "proxy_grpc_close" (token: u32);
    "proxy_register_shared_queue" (name: u32, name_size: u32, token_at: u32);
    "proxy_resolve_shared_queue" (vm_id: u32, vm_id_size: u32, name: u32, name_size: u32, token_at: u32);
    "proxy_enqueue_shared_queue" (token: u32, value: u32, value_size: u32);
    "proxy_dequeue_shared_queue" (token: u32, value_at: u32, size_at: u32);
}

/// `WasmBase::startVm`: of all hostcalls only `proxy_log` runs while the module initialises itself.
fn admit(guest: &mut Guest<'_>, name: &'static str) -> wasmtime::Result<()> {
    if guest.host().starting && name != "proxy_log" {
        wasmtime::bail!("`{name}` was called during `_initialize` or `_start`");
    }
    Ok(())
}

fn status(answer: Answer) -> wasmtime::Result<u32> {
    match answer {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Failure::Status(status)) => Ok(status as u32),
        Err(Failure::Trap(error)) => Err(error),
    }
}
