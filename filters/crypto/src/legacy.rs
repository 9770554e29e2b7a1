//! Hashes and MACs as a policy names them, MD5 and SHA-1 among them: no signature is made of or
//! checked with what stands here.

use hmac::{Hmac, KeyInit as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

pub fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Md5 => Md5::digest(message).to_vec(),
        Hash::Sha1 => Sha1::digest(message).to_vec(),
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}

/// HMAC (RFC 2104).
pub fn hmac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn tag<M: hmac::Mac, E>(mac: Result<M, E>, message: &[u8]) -> Vec<u8> {
        // No length of a key is refused: RFC 2104 hashes those that are too long.
        mac.map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
            .unwrap_or_default()
    }
    match hash {
        Hash::Md5 => tag(Hmac::<Md5>::new_from_slice(key), message),
        Hash::Sha1 => tag(Hmac::<Sha1>::new_from_slice(key), message),
        Hash::Sha256 => tag(Hmac::<Sha256>::new_from_slice(key), message),
        Hash::Sha512 => tag(Hmac::<Sha512>::new_from_slice(key), message),
    }
}
