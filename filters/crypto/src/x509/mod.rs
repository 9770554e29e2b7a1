//! Certificates and requests for them (RFC 5280, RFC 2986), as Go's `crypto/x509` reads them.

mod algorithm;
mod certificate;
mod extension;
mod general;
mod hostname;
mod name;
mod request;
mod time;
mod verify;

pub use algorithm::SignatureAlgorithm;
pub use certificate::{Certificate, certificates};
pub use extension::{BasicConstraints, Extension, Extensions, NameConstraints, Subtrees};
pub use general::AlternativeNames;
pub use name::{Attribute, Name};
pub use request::{Asked, Request, RequestAttribute};
pub use time::Time;
pub use verify::{Invalid, Options, Work, verify};

/// An object identifier's numbers.
pub type Oid = Vec<u32>;
