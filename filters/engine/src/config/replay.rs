//! How much is remembered of what is good once.

use crate::{
    error::Findings,
    replay::{DEFAULT_ENTRIES, MAX_ENTRIES},
};

/// How many a store has room for, of each key or each provider.
pub fn entries(found: Option<u32>, path: &str, findings: &mut Findings) -> u32 {
    let entries = found.unwrap_or(DEFAULT_ENTRIES);
    if !(1..=MAX_ENTRIES).contains(&entries) {
        findings.add(path, format!("found {entries}; takes 1 to {MAX_ENTRIES}"));
    }
    entries
}
