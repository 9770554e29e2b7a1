//! The body of a request.

#[allow(dead_code, reason = "the reader of bodies calls it")]
pub mod parse;
