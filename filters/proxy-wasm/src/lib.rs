//! The module that Envoy loads: a translation between the proxy-wasm ABI 0.2.1 and the engine. A
//! decision about policy is not made here.
#![deny(clippy::arithmetic_side_effects)]

mod after;
mod asked;
mod attributes;
mod body;
mod exchange;
mod fetching;
mod host;
mod kept;
mod metrics;
mod native;
mod pairs;
mod replay;
mod root;
mod stream;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
