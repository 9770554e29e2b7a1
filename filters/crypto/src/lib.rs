//! The only door to algorithms: which there are, what they are called, and the two hashes of API
//! keys. Keys that verify stand in `verify`, keys that sign in `sign`: those are the gate's own.
//!
//! What a policy's builtins may do besides is wider, and stands apart: `public`, `private`, `x509`
//! and `legacy`; artifacts are signed and verified in `sigstore`. Nothing there is an [`Algorithm`], so nothing there verifies for the gate.
#![deny(clippy::arithmetic_side_effects)]

mod der;
pub mod encoding;
pub mod foreign;
mod hash;
pub mod legacy;
mod mac;
mod native;
pub mod pem;
pub mod private;
mod probe;
pub mod public;
#[cfg(feature = "secretbox")]
pub mod secretbox;
mod sign;
pub mod sigstore;
mod verify;
pub mod x509;

pub use hash::Hasher;
pub use mac::{Mac, MacHash};
pub use native::{NativeVerifier, Question, Verifier};
pub use sign::{CannotSign, SigningKey};
pub use verify::{BadSignature, Material, VerificationKey};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// Signature algorithms by their JWS names (RFC 7518 section 3.1, RFC 8037 section 3.1). HTTP
/// message signatures have names of their own for six of them (RFC 9421 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

/// What kind of key material an algorithm takes: a JWK's `kty`, and `crv` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    Symmetric,
}

impl Algorithm {
    pub const ALL: [Algorithm; 13] = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::HS256,
        Algorithm::HS384,
        Algorithm::HS512,
    ];

    /// The name as it stands in `alg`: exact, case and all.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|a| a.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::PS256 => "PS256",
            Algorithm::PS384 => "PS384",
            Algorithm::PS512 => "PS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
            Algorithm::ES512 => "ES512",
            Algorithm::EdDSA => "EdDSA",
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
        }
    }

    /// Those that HTTP message signatures have, with their names there (RFC 9421 section 6.2.2).
    pub const HTTP: [(Algorithm, &str); 6] = [
        (Algorithm::PS512, "rsa-pss-sha512"),
        (Algorithm::RS256, "rsa-v1_5-sha256"),
        (Algorithm::HS256, "hmac-sha256"),
        (Algorithm::ES256, "ecdsa-p256-sha256"),
        (Algorithm::ES384, "ecdsa-p384-sha384"),
        (Algorithm::EdDSA, "ed25519"),
    ];

    /// The algorithm of a name in RFC 9421's registry.
    pub fn parse_http(name: &str) -> Option<Algorithm> {
        let mut all = Algorithm::HTTP.iter();
        all.find(|(_, own)| *own == name).map(|(found, _)| *found)
    }

    /// The name in RFC 9421's registry, where it has one.
    pub fn http_name(self) -> Option<&'static str> {
        let mut all = Algorithm::HTTP.iter();
        all.find(|(own, _)| *own == self).map(|(_, name)| *name)
    }

    pub const fn key_type(self) -> KeyType {
        match self {
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => KeyType::Rsa,
            Algorithm::ES256 => KeyType::P256,
            Algorithm::ES384 => KeyType::P384,
            Algorithm::ES512 => KeyType::P521,
            Algorithm::EdDSA => KeyType::Ed25519,
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => KeyType::Symmetric,
        }
    }

    /// A shared secret, so that whoever verifies can also sign: taken only where it is named.
    pub const fn is_symmetric(self) -> bool {
        matches!(self.key_type(), KeyType::Symmetric)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// SHA-256 of a message.
pub fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // `new_from_slice` refuses no length: RFC 2104 hashes keys that are too long.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.chain_update(message).finalize().into_bytes().into()
}

/// Equality that takes as long whatever differs; only that the lengths do is told at once.
pub fn constant_time_eq_slices(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Equality that takes as long whatever differs.
pub fn constant_time_eq(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}
