//! What helps to write a policy and is never part of the module: with the feature `tools` only.

pub mod lint;
