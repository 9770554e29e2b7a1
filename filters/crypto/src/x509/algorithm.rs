//! The signature algorithms of certificates, with Go's numbers for them.

use crate::{
    der::{self, Element},
    public::{Hash, Padding, PublicKey, Unsupported},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// As Go counts them.
    pub number: u8,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Rsa(Padding, Hash),
    Ecdsa(Hash),
    Ed25519,
    /// Not known, or not to be trusted: MD5, SHA-1, DSA.
    Refused,
}

const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

impl SignatureAlgorithm {
    pub(super) fn read(identifier: Element<'_>) -> Option<SignatureAlgorithm> {
        let mut elements = identifier.elements()?;
        let oid = elements.take(der::OID)?.value;
        let parameters = elements.any();
        let (number, scheme) = match oid {
            [prefix @ .., last] if prefix == PKCS1 => match last {
                2 => (1, Scheme::Refused),
                4 => (2, Scheme::Refused),
                5 => (3, Scheme::Refused),
                11 => (4, Scheme::Rsa(Padding::Pkcs1, Hash::Sha256)),
                12 => (5, Scheme::Rsa(Padding::Pkcs1, Hash::Sha384)),
                13 => (6, Scheme::Rsa(Padding::Pkcs1, Hash::Sha512)),
                10 => match parameters.and_then(pss) {
                    Some(Hash::Sha256) => (13, Scheme::Rsa(Padding::Pss, Hash::Sha256)),
                    Some(Hash::Sha384) => (14, Scheme::Rsa(Padding::Pss, Hash::Sha384)),
                    Some(Hash::Sha512) => (15, Scheme::Rsa(Padding::Pss, Hash::Sha512)),
                    None => (0, Scheme::Refused),
                },
                _ => (0, Scheme::Refused),
            },
            // ISO's name for RSA with SHA-1.
            [0x2b, 0x0e, 0x03, 0x02, 0x1d] => (3, Scheme::Refused),
            [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03] => (7, Scheme::Refused),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02] => (8, Scheme::Refused),
            [prefix @ .., 1] if prefix == ECDSA => (9, Scheme::Refused),
            [prefix @ .., 3, last] if prefix == ECDSA => match last {
                2 => (10, Scheme::Ecdsa(Hash::Sha256)),
                3 => (11, Scheme::Ecdsa(Hash::Sha384)),
                4 => (12, Scheme::Ecdsa(Hash::Sha512)),
                _ => (0, Scheme::Refused),
            },
            [0x2b, 0x65, 0x70] if parameters.is_none() => (16, Scheme::Ed25519),
            _ => (0, Scheme::Refused),
        };
        Some(SignatureAlgorithm { number, scheme })
    }

    /// Whether the signature is the key's over the message.
    ///
    /// # Errors
    /// Go could tell, and this cannot.
    pub(super) fn verify(
        self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, Unsupported> {
        match (self.scheme, key) {
            (Scheme::Rsa(padding, hash), PublicKey::Rsa(key)) => {
                key.verify(padding, hash, message, signature)
            }
            (Scheme::Ecdsa(hash), PublicKey::Ec(key)) => {
                let numbers = || {
                    let mut numbers = der::only(signature, der::SEQUENCE)?.elements()?;
                    let (r, s) = (numbers.unsigned()?, numbers.unsigned()?);
                    numbers.end()?;
                    Some((r, s))
                };
                match numbers() {
                    Some((r, s)) => key.verify(hash, message, r, s),
                    None => Ok(false),
                }
            }
            (Scheme::Ed25519, PublicKey::Ed25519(key)) => Ok(key.verify(message, signature)),
            _ => Ok(false),
        }
    }
}

/// The one hash of RSASSA-PSS, where its parameters are those that Go knows: the same hash inside,
/// and a salt as long (RFC 4055 section 3.1).
fn pss(parameters: Element<'_>) -> Option<Hash> {
    fn hash(identifier: Element<'_>) -> Option<Hash> {
        let mut elements = identifier.elements()?;
        let oid = elements.take(der::OID)?.value;
        let is_null = |element: Element<'_>| element.whole == [der::NULL, 0];
        if !elements.is_empty() && !elements.any().is_some_and(is_null) {
            return None;
        }
        match oid.strip_prefix(SHA2)? {
            [1] => Some(Hash::Sha256),
            [2] => Some(Hash::Sha384),
            [3] => Some(Hash::Sha512),
            _ => None,
        }
    }
    let mut parameters = parameters.elements()?;
    fn inside(element: Element<'_>) -> Option<Element<'_>> {
        der::only(element.value, der::SEQUENCE)
    }
    let outer = hash(inside(parameters.take(der::constructed(0))?)?)?;
    let mut mask = inside(parameters.take(der::constructed(1))?)?.elements()?;
    if mask.take(der::OID)?.value != MGF1 || hash(mask.take(der::SEQUENCE)?)? != outer {
        return None;
    }
    let salt = der::only(parameters.take(der::constructed(2))?.value, der::INTEGER)?;
    let bytes = match outer {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
    };
    if let Some(trailer) = parameters.maybe(der::constructed(3))? {
        let trailer = der::only(trailer.value, der::INTEGER)?;
        der::small(trailer.value).filter(|trailer| *trailer == 1)?;
    }
    (der::small(salt.value)? == bytes).then_some(outer)
}
