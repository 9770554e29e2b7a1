//! HTTP Message Signatures (RFC 9421), without keys and without policy: what a signature covers,
//! how `Signature-Input` and `Signature` read, and the text that is signed. Whether a signature is
//! good is judged in `credential::signature`.

mod component;
mod create;
mod field;
mod input;
mod message;
mod sf;

#[cfg(test)]
pub(crate) use field::strict;
pub(crate) use sf::dictionary;

pub use component::{BadComponent, Component};
pub use create::{CreateError, Proposal, Signed, accept, sign};
pub use input::{Input, Malformed, inputs};
pub use message::{Message, Unavailable, base};
