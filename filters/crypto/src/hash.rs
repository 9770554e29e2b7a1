//! Hashes of what comes piece by piece (FIPS 180-4).

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A hash in the making.
#[derive(Clone, Debug)]
pub enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub fn sha256() -> Hasher {
        Hasher::Sha256(Sha256::new())
    }

    pub fn sha384() -> Hasher {
        Hasher::Sha384(Sha384::new())
    }

    pub fn sha512() -> Hasher {
        Hasher::Sha512(Sha512::new())
    }

    pub fn update(&mut self, piece: &[u8]) {
        match self {
            Hasher::Sha256(hash) => hash.update(piece),
            Hasher::Sha384(hash) => hash.update(piece),
            Hasher::Sha512(hash) => hash.update(piece),
        }
    }

    /// 32, 48 or 64 bytes.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Sha256(hash) => hash.finalize().to_vec(),
            Hasher::Sha384(hash) => hash.finalize().to_vec(),
            Hasher::Sha512(hash) => hash.finalize().to_vec(),
        }
    }
}
