//! What the tests of `envoy/`'s examples share: an example as it stands, started with certificates of the test's
//! own, and clients that show some.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod certificates;
mod client;
mod folder;
mod key;

pub use certificates::{Authority, Certificate, Lifetime};
pub use client::{Answer, Client, Connection, trust};
pub use folder::{Example, Running, until};
pub use key::{KEY, PEPPER, with_key};
