//! How policies move on the real Envoy: published, tightened, broken, signed by a stranger, taken back,
//! by servers that die; under load and while requests wait. What takes how long is printed and never
//! asserted: the machine may be busy.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "bundles/gauges.rs"]
mod gauges;
#[path = "bundles/held.rs"]
mod held;
#[path = "bundles/kept.rs"]
mod kept;
#[path = "bundles/large.rs"]
mod large;
#[path = "bundles/moved.rs"]
mod moved;
#[path = "bundles/protocol.rs"]
mod protocol;

use portcullis_runner::Module;
use std::sync::OnceLock;

/// It takes a while.
fn compiled() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    let compile = || Module::compile(&std::fs::read(portcullis_tests::module()).unwrap()).unwrap();
    MODULE.get_or_init(compile)
}
