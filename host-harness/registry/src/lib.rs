//! What is kept in registries: bundles of policies, and the module as an image, with its signatures.

mod bundle;
mod client;
mod credentials;
mod digest;
mod fault;
pub mod image;
mod patience;
mod reference;
mod remote;
mod target;
mod token;

pub use bundle::{Pushed, push};
pub use digest::Digest;
pub use fault::Fault;
pub use remote::{Progress, Remote};
pub use target::Target;
