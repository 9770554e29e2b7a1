//! HMAC (RFC 2104) over what comes piece by piece.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;

/// What an HMAC is made with. SHA-1 is for the schemes that know nothing else: in an HMAC nobody has
/// broken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacHash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// An HMAC in the making. It shows nothing of its key.
#[derive(Clone)]
pub struct Mac(Kind);

#[derive(Clone)]
enum Kind {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Mac {
    /// `None` never comes about: no length of a key is refused (RFC 2104 section 2).
    pub fn new(hash: MacHash, key: &[u8]) -> Option<Mac> {
        let kind = match hash {
            MacHash::Sha1 => Kind::Sha1(Hmac::new_from_slice(key).ok()?),
            MacHash::Sha256 => Kind::Sha256(Hmac::new_from_slice(key).ok()?),
            MacHash::Sha384 => Kind::Sha384(Hmac::new_from_slice(key).ok()?),
            MacHash::Sha512 => Kind::Sha512(Hmac::new_from_slice(key).ok()?),
        };
        Some(Mac(kind))
    }

    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            Kind::Sha1(mac) => mac.update(piece),
            Kind::Sha256(mac) => mac.update(piece),
            Kind::Sha384(mac) => mac.update(piece),
            Kind::Sha512(mac) => mac.update(piece),
        }
    }

    /// 20, 32, 48 or 64 bytes.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Kind::Sha1(mac) => mac.finalize().into_bytes().to_vec(),
            Kind::Sha256(mac) => mac.finalize().into_bytes().to_vec(),
            Kind::Sha384(mac) => mac.finalize().into_bytes().to_vec(),
            Kind::Sha512(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(..)")
    }
}

impl MacHash {
    /// Of an HMAC, in bytes.
    pub fn length(self) -> usize {
        match self {
            MacHash::Sha1 => 20,
            MacHash::Sha256 => 32,
            MacHash::Sha384 => 48,
            MacHash::Sha512 => 64,
        }
    }

    /// As RFC 9421's registry, Kong and APISIX write it.
    pub fn hmac_name(self) -> &'static str {
        match self {
            MacHash::Sha1 => "hmac-sha1",
            MacHash::Sha256 => "hmac-sha256",
            MacHash::Sha384 => "hmac-sha384",
            MacHash::Sha512 => "hmac-sha512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mac, MacHash};
    use crate::encoding::to_hex;

    /// RFC 2202 section 3 and RFC 4231 section 4.3, test case 2.
    #[test]
    fn the_macs_of_the_rfcs() {
        for (hash, wanted) in [
            (MacHash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                MacHash::Sha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                MacHash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MacHash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            assert_eq!(hash.length() * 2, wanted.len(), "{hash:?}");
            let mac = Mac::new(hash, b"Jefe").map(|mut mac| {
                mac.update(b"what do ya want ");
                mac.update(b"for nothing?");
                to_hex(&mac.finish())
            });
            assert_eq!(mac.as_deref(), Some(wanted), "{hash:?}");
        }
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let mac = Mac::new(MacHash::Sha256, b"Jefe");
        assert_eq!(format!("{mac:?}"), "Some(Mac(..))");
    }
}
