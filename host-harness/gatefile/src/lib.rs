//! Reads `gate.yaml` and policy folders from disk. Every error has a file, a line and a column.
//!
//! [`GateFile`] is a configuration as the filter takes it: `policy.path` has become modules and
//! data. [`Policies`] is the same loader without a configuration, for `eval -d`.

mod clusters;
mod document;
mod edit;
mod error;
mod gate_file;
mod json;
mod layout;
mod policies;
mod sources;
mod spans;
mod yaml;

pub use clusters::{cluster_fields, clusters};
pub use document::{Document, read_data};
pub use edit::{Edit, Field, Step, Unsafe, yaml_line};
pub use error::{Finding, Findings, Place};
pub use gate_file::{CANDIDATE, GateFile, sources};
pub use policies::{Policies, Tests};
pub use sources::{policy_sources, sources_of};
