//! Replay: what was taken once is not taken again while it could still be valid. What is remembered
//! of a signature or a proof is a [`Claim`], which is made once nothing but the policy can refuse the
//! request; a [`ReplayStore`] keeps it.
//!
//! [`Table`] is the one store there is. It lies in [`Cells`]: in those of a proxy process, which its
//! workers share, or in the [`Memory`] of one gate.

mod bucket;
mod memory;
mod table;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]
mod tests;

pub use memory::Memory;
pub use table::{CellFault, Cells, Fills, Table, Written};

use crate::crypto::sha256;

/// Remembers claims.
///
/// [`Table`] answers at once. A store beyond the process would be asked as other servers are, by
/// calls that a request waits for: claims are values for that.
pub trait ReplayStore: Send + Sync {
    /// Takes every claim of one request, each of which is taken once until it expires, whoever asks
    /// and however many ask at the same time. `now_ns` is nanoseconds since the Unix epoch.
    ///
    /// # Errors
    /// The first that is not taken, and why. Those before it stay taken.
    fn claim(&self, claims: &[Claim], now_ns: u64) -> Result<(), Denied>;

    /// From when on it has remembered, in nanoseconds since the Unix epoch; that is now, where it is
    /// asked for the first time. `None` where it cannot tell.
    fn since_ns(&self, now_ns: u64) -> Option<u64>;

    /// How full it was found, by kind in percent, where something was claimed since this was asked last.
    fn take_fills(&self) -> Vec<(Kind, u64)> {
        Vec::new()
    }
}

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A signature's nonce, or the signature (RFC 9421 section 7.2.2).
    Signature,
    /// The `jti` of a DPoP proof (RFC 9449 section 11.1).
    Proof,
}

impl Kind {
    /// As metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Signature => "signature",
            Kind::Proof => "proof",
        }
    }
}

/// A claim that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    pub kind: Kind,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was taken before, or that cannot be told any more.
    Seen,
    /// No place is free that it may have.
    Full,
    /// The store does not work.
    Failed,
}

/// Where the claims of one signer lie, apart from those of every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    kind: Kind,
    name: [u8; 8],
    entries: u32,
}

/// The places of each key, or of each provider, unless the configuration says otherwise.
pub const DEFAULT_ENTRIES: u32 = 100_000;
/// The most places that can be set.
pub const MAX_ENTRIES: u32 = 1_000_000;

impl Space {
    /// `owner`: the id of a key for signatures, the name of a provider for proofs. `entries`: how many
    /// claims it has room for at least.
    pub fn new(kind: Kind, owner: &str, entries: u32) -> Space {
        let whose: &[u8] = match kind {
            Kind::Signature => b"signature",
            Kind::Proof => b"proof",
        };
        Space {
            kind,
            name: first(&digest(&[whose, owner.as_bytes()])),
            entries: entries.clamp(1, MAX_ENTRIES),
        }
    }
}

/// Something that is good once. It holds digests only: no nonce, no signature, no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    space: Space,
    digest: [u8; 16],
    /// Who shares the space with others and may have a part of it only.
    member: [u8; 8],
    until_ns: u64,
}

impl Claim {
    /// Of a signature by one key. From `until_ns` on, in nanoseconds since the Unix epoch, it is
    /// refused for its age.
    pub fn signature(space: &Space, once: Once<'_>, until_ns: u64) -> Claim {
        let digest = match once {
            Once::Nonce(nonce) => digest(&[b"nonce", nonce.as_bytes()]),
            Once::Signature(signature) => digest(&[b"signature", signature]),
        };
        Claim {
            space: space.clone(),
            digest: first(&digest),
            member: [0; 8],
            until_ns,
        }
    }

    pub fn kind(&self) -> Kind {
        self.space.kind
    }

    /// Whether who has taken this has taken the other too.
    pub fn is_same(&self, other: &Claim) -> bool {
        self.space == other.space && self.digest == other.digest
    }

    /// Has it last as long as the other at least.
    pub fn extend_to(&mut self, other: &Claim) {
        self.until_ns = self.until_ns.max(other.until_ns);
    }

    /// Of a proof by the key with this thumbprint, for somebody's token.
    pub fn proof(
        space: &Space,
        thumbprint: &[u8; 32],
        subject: Option<&str>,
        jti: &str,
        until_ns: u64,
    ) -> Claim {
        let member = match subject {
            // Tokens for keys of their own cost one subject nothing.
            Some(subject) => digest(&[b"subject", subject.as_bytes()]),
            None => digest(&[b"key", thumbprint]),
        };
        Claim {
            space: space.clone(),
            digest: first(&digest(&[thumbprint, jti.as_bytes()])),
            member: first(&member),
            until_ns,
        }
    }
}

/// A name for whoever has a store, of what tells it from others.
pub fn instance(names: &[&[u8]]) -> String {
    hex(&first::<8>(&digest(names)))
}

/// What of a signature is good once.
#[derive(Clone, Copy)]
pub enum Once<'s> {
    Nonce(&'s str),
    /// As much of it as nobody but the signer can change.
    Signature(&'s [u8]),
}

/// Each part with its length, so that no two lists are one text.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut text = Vec::new();
    for part in parts {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        text.extend_from_slice(&length.to_be_bytes());
        text.extend_from_slice(part);
    }
    sha256(&text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The start of a digest.
fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    digest.first_chunk().copied().unwrap_or([0; N])
}
