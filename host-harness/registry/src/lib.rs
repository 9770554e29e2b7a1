//! What is kept in registries: bundles of policies, and the module as an image, with its signatures.

mod bundle;
mod credentials;
mod digest;
mod fault;
pub mod image;
mod remote;
mod target;

pub use bundle::{Pushed, push};
pub use digest::Digest;
pub use fault::Fault;
pub use remote::{Progress, Remote};
pub use target::Target;
