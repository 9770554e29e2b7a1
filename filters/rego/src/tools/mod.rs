//! What people do with policies outside of a proxy. None of it is in the module that a proxy runs.

mod explain;
mod outline;
mod probe;

pub use explain::{Attempt, Condition, Explainer, Explanation, Outcome, Shown};
pub use outline::{Branch, Definition, Kind, ModuleOutline, Place, Statement, outline};
