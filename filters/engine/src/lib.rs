//! The gate without a proxy. A request's claims are verified, what is proven is handed to a Rego
//! policy, and its answer becomes a [`Decision`]. No sockets, no clock, no randomness: the shells
//! bring them.
#![deny(clippy::arithmetic_side_effects)]

pub mod decision;
mod error;
mod gate;
mod request;
pub mod words;

pub use decision::{Allow, Decision, Deny, Effect, HeaderEdit, Record};
pub use error::{LoadError, LoadErrors};
pub use gate::{Gate, Moment, Secrets};
pub use request::{Attributes, Request};
pub use words::Reason;
