//! Keys that sign: the gate, for its upstream, and the command, with the same algorithms.

use crate::{Algorithm, KeyType, VerificationKey, verify::Key as Public};
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::{ecdsa as p256_ecdsa, pkcs8::DecodePrivateKey as _};
use p384::ecdsa as p384_ecdsa;
use rsa::{
    PrivateKey as RsaPrivateKey,
    pkcs1v15::Pkcs1v15Sign,
    rand_core::{TryCryptoRng, TryRng},
    signature::Signer as _,
};
use sha2::{Digest as _, Sha256, Sha512};
use std::convert::Infallible;

/// A key that signs HTTP messages (RFC 9421 section 3.3). It has no `Debug`: it is secret.
pub struct SigningKey {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Rsa(Box<RsaPrivateKey>),
    P256(p256_ecdsa::SigningKey),
    P384(p384_ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Secret(Vec<u8>),
}

impl SigningKey {
    /// A private key as PEM: PKCS #8 (RFC 7468 section 10).
    ///
    /// # Errors
    /// What is wrong with the key, without quoting it.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<SigningKey, &'static str> {
        let pem = pem.trim();
        let key = match algorithm.key_type() {
            KeyType::Rsa => RsaPrivateKey::from_pkcs8_pem(pem)
                .map(|key| Key::Rsa(Box::new(key)))
                .map_err(|_| "is no RSA private key in PEM (PKCS #8)")?,
            KeyType::P256 => p256_ecdsa::SigningKey::from_pkcs8_pem(pem)
                .map(Key::P256)
                .map_err(|_| "is no P-256 private key in PEM (PKCS #8)")?,
            KeyType::P384 => p384_ecdsa::SigningKey::from_pkcs8_pem(pem)
                .map(Key::P384)
                .map_err(|_| "is no P-384 private key in PEM (PKCS #8)")?,
            KeyType::Ed25519 => ed25519_dalek::SigningKey::from_pkcs8_pem(pem)
                .map(Key::Ed25519)
                .map_err(|_| "is no Ed25519 private key in PEM (PKCS #8)")?,
            KeyType::P521 => {
                return Err("is for ES512, and HTTP messages are not signed with it");
            }
            KeyType::Symmetric => {
                return Err("is a private key, and hmac-sha256 takes a shared secret");
            }
        };
        Ok(SigningKey { algorithm, key })
    }

    /// A shared secret for `hmac-sha256`.
    pub fn from_secret(secret: Vec<u8>) -> SigningKey {
        SigningKey {
            algorithm: Algorithm::HS256,
            key: Key::Secret(secret),
        }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that verifies what this one signs; of a shared secret there is none to tell.
    pub fn public(&self) -> Option<VerificationKey> {
        let key = match &self.key {
            Key::Rsa(key) => Public::Rsa(key.to_public_key()),
            Key::P256(key) => Public::P256(*key.verifying_key()),
            Key::P384(key) => Public::P384(*key.verifying_key()),
            Key::Ed25519(key) => Public::Ed25519(key.verifying_key()),
            Key::Secret(_) => return None,
        };
        VerificationKey::fitting(self.algorithm, key).ok()
    }

    /// The signature over a message. `random` fills a buffer with randomness, which RSA asks for:
    /// the engine has none of its own.
    ///
    /// # Errors
    /// The algorithm is none of RFC 9421's, or the key is too small for it.
    pub fn sign(
        &self,
        message: &[u8],
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Vec<u8>, CannotSign> {
        let signature = match (&self.key, self.algorithm) {
            (Key::Rsa(key), Algorithm::PS512) => key
                .pss_sign_with_rng::<Sha512, _>(&mut Random(random), message)
                .map_err(|_| CannotSign)?,
            (Key::Rsa(key), Algorithm::RS256) => key
                .sign_with_rng(
                    &mut Random(random),
                    Pkcs1v15Sign::new::<Sha256>(),
                    &Sha256::digest(message),
                )
                .map_err(|_| CannotSign)?,
            (Key::P256(key), _) => {
                let signature: p256_ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            (Key::P384(key), _) => {
                let signature: p384_ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            (Key::Ed25519(key), _) => key.sign(message).to_bytes().to_vec(),
            (Key::Secret(secret), Algorithm::HS256) => Hmac::<Sha256>::new_from_slice(secret)
                .map_err(|_| CannotSign)?
                .chain_update(message)
                .finalize()
                .into_bytes()
                .to_vec(),
            _ => return Err(CannotSign),
        };
        Ok(signature)
    }
}

/// The key does not sign with this algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotSign;

/// The caller's randomness, as RSA wants it.
struct Random<'a>(&'a mut dyn FnMut(&mut [u8]));

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(buffer);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}
