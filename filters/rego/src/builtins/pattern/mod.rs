//! What `glob.*` and `regex.*` share: a pattern is compiled once and kept, and a search is paid for
//! before it runs.

mod cache;
mod matcher;

pub(super) use cache::{Kind, cached};
pub(super) use matcher::{Matcher, Search};

/// The longest pattern there may be; OPA has no such bound, so a longer one is not undefined.
pub(super) const MAX_PATTERN: usize = 8 * 1024;
/// The deepest nesting of groups and of what repeats; what compiles a pattern recurses.
pub(super) const MAX_DEPTH: usize = 100;
/// Bytes of work that reading and compiling a byte of a pattern takes.
pub(super) const COMPILE: usize = 64;
