//! The callbacks a guest may export. One that is missing answers as if it had nothing to say.

use wasmtime::{AsContextMut, Instance, TypedFunc, WasmParams, WasmResults};

type Callback<P, R = ()> = Option<TypedFunc<P, R>>;

pub(crate) struct Exports {
    pub initialize: Callback<()>,
    pub start: Callback<()>,
    pub main: Callback<(u32, u32), u32>,
    pub malloc: Callback<u32, u32>,
    pub on_context_create: Callback<(u32, u32)>,
    pub on_vm_start: Callback<(u32, u32), u32>,
    pub on_configure: Callback<(u32, u32), u32>,
    pub on_tick: Callback<u32>,
    pub on_http_call_response: Callback<(u32, u32, u32, u32, u32)>,
    pub on_request_headers: Callback<(u32, u32, u32), u32>,
    pub on_request_body: Callback<(u32, u32, u32), u32>,
    pub on_request_trailers: Callback<(u32, u32), u32>,
    pub on_response_headers: Callback<(u32, u32, u32), u32>,
    pub on_response_body: Callback<(u32, u32, u32), u32>,
    pub on_response_trailers: Callback<(u32, u32), u32>,
    pub on_done: Callback<u32, u32>,
    pub on_log: Callback<u32>,
    pub on_delete: Callback<u32>,
}

impl Exports {
    /// An export of the right name but another type is an error, as it is for Envoy.
    pub fn find(instance: &Instance, mut store: impl AsContextMut) -> wasmtime::Result<Self> {
        let store = &mut store;
        let mut malloc = get(instance, store, "malloc")?;
        if malloc.is_none() {
            malloc = get(instance, store, "proxy_on_memory_allocate")?;
        }
        Ok(Self {
            initialize: get(instance, store, "_initialize")?,
            start: get(instance, store, "_start")?,
            main: get(instance, store, "main")?,
            malloc,
            on_context_create: get(instance, store, "proxy_on_context_create")?,
            on_vm_start: get(instance, store, "proxy_on_vm_start")?,
            on_configure: get(instance, store, "proxy_on_configure")?,
            on_tick: get(instance, store, "proxy_on_tick")?,
            on_http_call_response: get(instance, store, "proxy_on_http_call_response")?,
            on_request_headers: get(instance, store, "proxy_on_request_headers")?,
            on_request_body: get(instance, store, "proxy_on_request_body")?,
            on_request_trailers: get(instance, store, "proxy_on_request_trailers")?,
            on_response_headers: get(instance, store, "proxy_on_response_headers")?,
            on_response_body: get(instance, store, "proxy_on_response_body")?,
            on_response_trailers: get(instance, store, "proxy_on_response_trailers")?,
            on_done: get(instance, store, "proxy_on_done")?,
            on_log: get(instance, store, "proxy_on_log")?,
            on_delete: get(instance, store, "proxy_on_delete")?,
        })
    }
}

fn get<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut impl AsContextMut,
    name: &str,
) -> wasmtime::Result<Callback<P, R>> {
    match instance.get_func(store.as_context_mut(), name) {
        Some(func) => func
            .typed(store.as_context_mut())
            .map(Some)
            .map_err(|error| error.context(format!("export `{name}`"))),
        None => Ok(None),
    }
}
