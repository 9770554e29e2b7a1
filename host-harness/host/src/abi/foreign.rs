//! `proxy_call_foreign_function`.

use crate::abi::Status;
use crate::memory::{Answer, Guest};

/// No foreign function is built, so each is an unknown one: Envoy answers those with `NotFound`.
pub(super) fn call(
    guest: &mut Guest<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    arguments_size: u32,
    _results_at: u32,
    _size_at: u32,
) -> Answer {
    guest.view(name, name_size)?;
    guest.view(arguments, arguments_size)?;
    Err(Status::NotFound.into())
}
