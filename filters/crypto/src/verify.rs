//! Keys that verify, and how they do it: raw bytes against a raw signature. What a token or a
//! message says around them is judged elsewhere.

use crate::{Algorithm, KeyType, public::trimmed};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _};
use p256::{
    ecdsa as p256_ecdsa,
    pkcs8::{DecodePublicKey as _, EncodePublicKey},
};
use p384::ecdsa as p384_ecdsa;
use p521::ecdsa as p521_ecdsa;
use rsa::{
    BoxedUint, Pss, PublicKey as RsaPublicKey,
    pkcs1v15::Pkcs1v15Sign,
    signature::Verifier as _,
    traits::{PublicKeyParts as _, SignatureScheme},
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::borrow::Cow;

/// Raw key material, as a JWK's members decode to it.
pub enum Material<'a> {
    Rsa { n: &'a [u8], e: &'a [u8] },
    Ec { x: &'a [u8], y: &'a [u8] },
    Okp { x: &'a [u8] },
    Octets(&'a [u8]),
}

/// A key parsed for one algorithm. It has no `Debug`: some are secret.
pub struct VerificationKey {
    algorithm: Algorithm,
    pub(crate) key: Key,
    /// SubjectPublicKeyInfo in DER (RFC 5280 section 4.1), of a kind that hosts take.
    info: Option<Vec<u8>>,
}

pub(crate) enum Key {
    Rsa(RsaPublicKey),
    P256(p256_ecdsa::VerifyingKey),
    P384(p384_ecdsa::VerifyingKey),
    P521(p521_ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    Secret(Vec<u8>),
}

/// The signature is not of this key over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

/// What is wrong with a key, without quoting it.
type Fault = &'static str;

impl VerificationKey {
    /// # Errors
    /// What is wrong with the key, without quoting it.
    pub fn new(algorithm: Algorithm, material: &Material<'_>) -> Result<Self, Fault> {
        let key = match material {
            Material::Rsa { n, e } => Key::Rsa(rsa_key(n, e)?),
            Material::Ec { x, y } => ec(algorithm, x, y)?,
            Material::Okp { x } => Key::Ed25519(ed25519(x)?),
            Material::Octets(secret) => Key::Secret(shared_secret(algorithm, secret)?),
        };
        VerificationKey::fitting(algorithm, key)
    }

    /// A public key as PEM: SubjectPublicKeyInfo (RFC 7468 section 13).
    ///
    /// # Errors
    /// What is wrong with the key, without quoting it.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, Fault> {
        let pem = pem.trim();
        if pem.contains("PRIVATE KEY") {
            return Err(
                "is a private key; put the public one here, and replace this one, which is now exposed",
            );
        }
        let key = match algorithm.key_type() {
            KeyType::Rsa => RsaPublicKey::from_public_key_pem(pem)
                .map_err(|_| "is no RSA public key as `openssl pkey -pubout` prints it, from `-----BEGIN PUBLIC KEY-----` on")
                .and_then(|key| within_policy(key).map(Key::Rsa))?,
            KeyType::P256 => p256_ecdsa::VerifyingKey::from_public_key_pem(pem)
                .map(Key::P256)
                .map_err(|_| "is no P-256 public key as `openssl pkey -pubout` prints it, from `-----BEGIN PUBLIC KEY-----` on")?,
            KeyType::P384 => p384_ecdsa::VerifyingKey::from_public_key_pem(pem)
                .map(Key::P384)
                .map_err(|_| "is no P-384 public key as `openssl pkey -pubout` prints it, from `-----BEGIN PUBLIC KEY-----` on")?,
            KeyType::P521 => p521_ecdsa::VerifyingKey::from_public_key_pem(pem)
                .map(Key::P521)
                .map_err(|_| "is no P-521 public key as `openssl pkey -pubout` prints it, from `-----BEGIN PUBLIC KEY-----` on")?,
            KeyType::Ed25519 => {
                let key = ed25519_dalek::VerifyingKey::from_public_key_pem(pem)
                    .map_err(|_| "is no Ed25519 public key as `openssl pkey -pubout` prints it, from `-----BEGIN PUBLIC KEY-----` on")?;
                Key::Ed25519(ed25519(key.as_bytes())?)
            }
            KeyType::Symmetric => return Err("is for a shared secret, which has no public key"),
        };
        VerificationKey::fitting(algorithm, key)
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kty`, and the members that are the key, in base64url (RFC 7518 section 6.2, RFC 8037 section
    /// 2). `None` of a shared secret, and of kinds that nobody publishes here.
    pub fn jwk_members(&self) -> Option<Vec<(&'static str, String)>> {
        let ec = |curve: &str, point: &[u8]| {
            // SEC 1 section 2.3.3: 04 || x || y.
            let coordinates = point.strip_prefix(&[4])?;
            let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
            Some(vec![
                ("kty", "EC".to_owned()),
                ("crv", curve.to_owned()),
                ("x", BASE64_URL_SAFE_NO_PAD.encode(x)),
                ("y", BASE64_URL_SAFE_NO_PAD.encode(y)),
            ])
        };
        match &self.key {
            Key::P256(key) => ec("P-256", key.to_sec1_point(false).as_bytes()),
            Key::P384(key) => ec("P-384", key.to_sec1_point(false).as_bytes()),
            Key::Ed25519(key) => Some(vec![
                ("kty", "OKP".to_owned()),
                ("crv", "Ed25519".to_owned()),
                ("x", BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes())),
            ]),
            Key::Rsa(_) | Key::P521(_) | Key::Secret(_) => None,
        }
    }

    /// The key as hosts take it, where it is of a kind that they verify with.
    pub(crate) fn info(&self) -> Option<&[u8]> {
        self.info.as_deref()
    }

    /// The signature as hosts take it: of ECDSA an Ecdsa-Sig-Value in DER (RFC 3279 section 2.2.3).
    ///
    /// # Errors
    /// It has not the one form that [`verify`](Self::verify) takes, or is of no kind that hosts
    /// verify: a host, which may be more lenient, is not asked.
    pub(crate) fn in_der<'s>(&self, signature: &'s [u8]) -> Result<Cow<'s, [u8]>, BadSignature> {
        match &self.key {
            // RFC 8017 section 8.2.2 steps 1 and 2: as long as the modulus, and less than it. Of
            // big-endian numbers of one length the lesser one is the one that sorts first.
            Key::Rsa(key) => {
                let modulus = key.n_bytes();
                let modulus = trimmed(&modulus);
                let good = signature.len() == modulus.len() && signature < modulus;
                good.then_some(Cow::Borrowed(signature)).ok_or(BadSignature)
            }
            // Twice as long as the order, each number from 1 to below the order.
            Key::P256(_) => p256_ecdsa::Signature::from_slice(signature)
                .map(|signature| Cow::Owned(signature.to_der().as_bytes().to_vec()))
                .map_err(|_| BadSignature),
            Key::P384(_) => p384_ecdsa::Signature::from_slice(signature)
                .map(|signature| Cow::Owned(signature.to_der().as_bytes().to_vec()))
                .map_err(|_| BadSignature),
            Key::P521(_) | Key::Ed25519(_) | Key::Secret(_) => Err(BadSignature),
        }
    }

    /// Whether the signature is this key's over the message. ECDSA signatures are `r || s`
    /// (RFC 7518 section 3.4, RFC 9421 section 3.3.4).
    ///
    /// # Errors
    /// That it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let good = match &self.key {
            Key::Rsa(key) => self.verify_rsa(key, message, signature),
            Key::P256(key) => p256_ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Key::P384(key) => p384_ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Key::P521(key) => p521_ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            // Strict: a key or a point of small order would verify many messages.
            Key::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Key::Secret(secret) => match self.algorithm {
                Algorithm::HS256 => {
                    is_tag(Hmac::<Sha256>::new_from_slice(secret), message, signature)
                }
                Algorithm::HS384 => {
                    is_tag(Hmac::<Sha384>::new_from_slice(secret), message, signature)
                }
                Algorithm::HS512 => {
                    is_tag(Hmac::<Sha512>::new_from_slice(secret), message, signature)
                }
                _ => false,
            },
        };
        good.then_some(()).ok_or(BadSignature)
    }

    fn verify_rsa(&self, key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool {
        fn check(
            key: &RsaPublicKey,
            scheme: impl SignatureScheme,
            hash: &[u8],
            signature: &[u8],
        ) -> bool {
            key.verify(scheme, hash, signature).is_ok()
        }
        let (sha256, sha384, sha512) = (
            || Sha256::digest(message),
            || Sha384::digest(message),
            || Sha512::digest(message),
        );
        // PSS: a salt as long as the hash (RFC 7518 section 3.5, RFC 9421 section 3.3.1).
        match self.algorithm {
            Algorithm::RS256 => check(key, Pkcs1v15Sign::new::<Sha256>(), &sha256(), signature),
            Algorithm::RS384 => check(key, Pkcs1v15Sign::new::<Sha384>(), &sha384(), signature),
            Algorithm::RS512 => check(key, Pkcs1v15Sign::new::<Sha512>(), &sha512(), signature),
            Algorithm::PS256 => check(key, Pss::<Sha256>::new(), &sha256(), signature),
            Algorithm::PS384 => check(key, Pss::<Sha384>::new(), &sha384(), signature),
            Algorithm::PS512 => check(key, Pss::<Sha512>::new(), &sha512(), signature),
            _ => false,
        }
    }

    /// The key, where it is of the kind that the algorithm takes.
    pub(crate) fn fitting(algorithm: Algorithm, key: Key) -> Result<Self, Fault> {
        let kind = match &key {
            Key::Rsa(_) => KeyType::Rsa,
            Key::P256(_) => KeyType::P256,
            Key::P384(_) => KeyType::P384,
            Key::P521(_) => KeyType::P521,
            Key::Ed25519(_) => KeyType::Ed25519,
            Key::Secret(_) => KeyType::Symmetric,
        };
        if kind != algorithm.key_type() {
            return Err("is of a kind that this algorithm does not take");
        }
        let info = match &key {
            Key::Rsa(key) => info(key),
            Key::P256(key) => info(key),
            Key::P384(key) => info(key),
            Key::P521(_) | Key::Ed25519(_) | Key::Secret(_) => None,
        };
        Ok(VerificationKey {
            algorithm,
            key,
            info,
        })
    }
}

/// Without it, which no key of these kinds is, hosts are not asked.
fn info(key: &impl EncodePublicKey) -> Option<Vec<u8>> {
    key.to_public_key_der().ok().map(|der| der.into_vec())
}

fn is_tag<M: hmac::Mac, E>(mac: Result<M, E>, message: &[u8], tag: &[u8]) -> bool {
    // In constant time, and never a tag that was cut short.
    mac.is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok())
}

fn rsa_key(n: &[u8], e: &[u8]) -> Result<RsaPublicKey, Fault> {
    let number = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0);
        start
            .and_then(|start| bytes.get(start..))
            .filter(|bytes| bytes.len() <= MAX_RSA_BITS / 8)
            .map(BoxedUint::from_be_slice_vartime)
    };
    let (Some(n), Some(e)) = (number(n), number(e)) else {
        return Err(RSA_POLICY);
    };
    RsaPublicKey::new(n, e)
        .map_err(|_| RSA_POLICY)
        .and_then(within_policy)
}

const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 4096;
const RSA_POLICY: Fault = "is no RSA key of 2048 to 4096 bits with exponent 65537";

/// Short keys are broken, long ones and odd exponents make each check dear.
fn within_policy(key: RsaPublicKey) -> Result<RsaPublicKey, Fault> {
    let bits = usize::try_from(key.n().bit_width_vartime()).unwrap_or(usize::MAX);
    let good =
        (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && *key.e() == BoxedUint::from(65537u32);
    good.then_some(key).ok_or(RSA_POLICY)
}

fn ec(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Key, Fault> {
    // SEC 1 section 2.3.3, uncompressed: 04 || x || y, each as long as the field (RFC 7518 6.2.1.2).
    let coordinate = match algorithm.key_type() {
        KeyType::P256 => 32,
        KeyType::P384 => 48,
        KeyType::P521 => 66,
        _ => return Err("is an EC key, which this algorithm does not take"),
    };
    if x.len() != coordinate || y.len() != coordinate {
        return Err("has coordinates of the wrong length for its curve");
    }
    let point = [&[4], x, y].concat();
    match algorithm.key_type() {
        KeyType::P256 => p256_ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Key::P256),
        KeyType::P384 => p384_ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Key::P384),
        _ => p521_ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Key::P521),
    }
    .map_err(|_| "is no point of its curve")
}

fn ed25519(x: &[u8]) -> Result<ed25519_dalek::VerifyingKey, Fault> {
    let bytes = x.try_into().map_err(|_| "is no Ed25519 key")?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| "is no Ed25519 key")?;
    match key.is_weak() {
        true => Err("is an Ed25519 key of small order, which verifies many messages"),
        false => Ok(key),
    }
}

fn shared_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Vec<u8>, Fault> {
    // RFC 7518 section 3.2: a key at least as long as the hash.
    let least = match algorithm {
        Algorithm::HS256 => 32,
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => return Err("is a shared secret, which this algorithm does not take"),
    };
    if secret.len() < least {
        return Err(match algorithm {
            Algorithm::HS256 => "is shorter than its hash: it takes 32 bytes or more",
            Algorithm::HS384 => "is shorter than its hash: it takes 48 bytes or more",
            _ => "is shorter than its hash: it takes 64 bytes or more",
        });
    }
    Ok(secret.to_vec())
}
