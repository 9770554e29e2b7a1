//! `proxy_call_foreign_function`.

use crate::abi::{Status, verify_signature};
use crate::memory::{Answer, Guest};

/// Of Envoy's functions there is `verify_signature`; the others are unknown ones, which Envoy answers with `NotFound`.
pub(super) fn call(
    guest: &mut Guest<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    arguments_size: u32,
    results_at: u32,
    size_at: u32,
) -> Answer {
    let name = guest.view(name, name_size)?;
    let arguments = guest.view(arguments, arguments_size)?;
    let results = match name {
        b"verify_signature" => verify_signature::call(arguments)?,
        _ => return Err(Status::NotFound.into()),
    };
    guest.give(&results, results_at, size_at)
}
