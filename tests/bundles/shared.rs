//! What tests of bundles share: bundles, an Envoy that fetches them, and requests all the while.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "contents.rs"]
pub mod contents;
#[path = "load.rs"]
pub mod load;
#[path = "stage.rs"]
pub mod stage;
