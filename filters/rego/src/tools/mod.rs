//! What people do with policies outside of a proxy. None of it is in the module that a proxy runs.

pub mod coverage;
mod explain;
pub(crate) mod heads;
pub mod lint;
mod outline;
mod probe;

pub use crate::testing as tests;
pub use explain::{Attempt, Condition, Explainer, Explanation, Outcome, Shown};
pub use outline::{Branch, Definition, Kind, ModuleOutline, Place, Statement, outline};
