//! What people do with policies outside of a proxy. None of it is in the module that a proxy runs.

mod cases;
pub mod coverage;
mod explain;
mod find;
mod heads;
pub mod lint;
mod outline;
mod probe;
pub mod tests;

pub use explain::{Attempt, Condition, Explainer, Explanation, Outcome, Shown};
pub use outline::{Branch, Definition, Kind, ModuleOutline, Place, Statement, outline};
