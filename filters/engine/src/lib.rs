//! The gate without a proxy. A request's claims are verified, what is proven is handed to a Rego
//! policy, and its answer becomes a [`Decision`]. No sockets, no clock, no randomness: the shells
//! bring them.
//!
//! The way of a request: `request` → `hygiene` → `route` → `credential` → `body` → `verified` → `input`, in
//! the order of `pass`; what is good once, in `once` with [`replay`]; then the policy → `answer` →
//! [`decision`], in the order of `enforce`.
//!
//! The way of a policy that is fetched: `remote` asks for it → [`bundle`] unpacks, verifies and parses →
//! `live` orders, compiles and tests it, some milliseconds at a time, and puts it in place between two
//! requests.
#![deny(clippy::arithmetic_side_effects)]

#[doc = include_str!("../ATTACKS.md")]
pub mod attacks {}

mod after;
mod answer;
mod body;
pub mod bundle;
mod candidate;
mod config;
#[cfg(test)]
mod conformance;
mod credential;
pub mod decision;
mod decision_log;
mod document;
mod enforce;
mod error;
mod examine;
mod fields;
mod gate;
mod headers;
mod hygiene;
mod input;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod input_tests;
mod instant;
mod json;
mod judge;
mod live;
pub mod message_signature;
mod once;
mod pass;
mod path;
mod query;
mod reads;
mod refusal;
mod remote;
pub mod replay;
mod request;
mod retold;
mod route;
mod sample;
mod self_check;
mod upstream;
mod verified;
mod wait;
mod within;
pub mod words;

use portcullis_crypto as crypto;

pub use after::{Over, Shadow, Side, Told};
pub use body::{Body, BodyReader, Check as BodyCheck, digest::content_digest};
pub use config::api_keys::hash as api_key_hash;
pub use credential::signature::Report as SignatureReport;
pub use crypto::{
    Algorithm, Material, NativeVerifier, Question, SigningKey, VerificationKey, Verifier, foreign,
};
pub use decision::{Allow, Decision, Deny, Difference, Effect, HeaderEdit, Record};
pub use decision_log::{Facts, MASKED, Mask, Sent};
pub use error::{LoadError, LoadErrors};
pub use examine::{Credential, CredentialOutcome};
pub use gate::{Gate, Moment, Secrets, host_failure};
pub use judge::Judge;
pub use live::{Activated, Event, Live, Refused, Step as BundleStep};
pub use reads::Attribute;
pub use remote::{Answer, Call, CallId, Fault};
pub use request::{Attributes, Incoming, PeerCertificate, Request};
pub use retold::Retold;
pub use wait::{Step, Waiting};
pub use within::Within;
pub use words::Reason;
