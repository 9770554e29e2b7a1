//! Rego without a host: sources become a [`Policy`], checked and compiled once, which answers a
//! question about an input. The only room that knows regorus. No clock, no randomness, no I/O.

mod arithmetic;
mod bind;
mod builtins;
mod calls;
mod check;
mod conflicts;
mod defaults;
mod dismantle;
mod edit;
mod error;
mod files;
mod flat;
mod forms;
mod guard;
mod imports;
mod inspect;
mod interpreter;
mod keywords;
mod load;
mod loops;
mod metadata;
mod nesting;
mod overlaps;
mod parse;
mod patterns;
mod policy;
mod query;
mod reach;
mod rvm;
mod safety;
mod source;
mod steps;
mod syntax;
mod template;
pub mod testing;
#[cfg(feature = "tools")]
pub mod tools;
pub mod value;
mod visit;
mod walk;

pub use dismantle::Dismantling;
pub use error::{EvalError, LoadError, LoadErrors, QueryError};
pub use files::{from_yaml, glob_matches};
pub use policy::{Choice, Moment, Package, Policy};
pub use query::{Rows, query};
pub use reach::Reach;
pub use source::{Entrypoint, EntrypointError, Module, RegoVersion, Sources};
pub use steps::Loading;
pub use value::Value;
