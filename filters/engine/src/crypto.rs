//! The only door to algorithms. jwt-simple verifies signatures here and nothing else: its clock
//! and claim checks are off, since ours are exact and carry reasons (`credential::jwt`).

use jwt_simple::JWTError;
use jwt_simple::algorithms as alg;
use jwt_simple::algorithms::{
    ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, EdDSAPublicKeyLike as _,
    MACLike as _, RSAPublicKeyLike as _,
};
use jwt_simple::common::VerificationOptions;
use serde::Deserialize;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// JWS algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1) that the gate verifies.
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
    Ed25519,
    Symmetric,
}

impl Algorithm {
    pub const ALL: [Algorithm; 12] = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
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
            Algorithm::EdDSA => "EdDSA",
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
        }
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
    key: Key,
}

enum Key {
    Rs256(alg::RS256PublicKey),
    Rs384(alg::RS384PublicKey),
    Rs512(alg::RS512PublicKey),
    Ps256(alg::PS256PublicKey),
    Ps384(alg::PS384PublicKey),
    Ps512(alg::PS512PublicKey),
    Es256(alg::ES256PublicKey),
    Es384(alg::ES384PublicKey),
    Ed25519(alg::Ed25519PublicKey),
    Hs256(alg::HS256Key),
    Hs384(alg::HS384Key),
    Hs512(alg::HS512Key),
}

/// Why a signature did not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is not of this key over these bytes.
    Signature,
    /// Its `typ` is none of a JWT: neither `JWT` nor `something+jwt`.
    Type,
    /// A registered member is not of the type that RFC 7515 or RFC 7519 gives it.
    Malformed,
}

impl VerificationKey {
    /// # Errors
    /// What is wrong with the key, without quoting it.
    pub fn new(algorithm: Algorithm, material: &Material<'_>) -> Result<Self, &'static str> {
        let key = match material {
            Material::Rsa { n, e } => rsa(algorithm, n, e)?,
            Material::Ec { x, y } => ec(algorithm, x, y)?,
            Material::Okp { x } => {
                Key::Ed25519(alg::Ed25519PublicKey::from_bytes(x).map_err(|_| "is no Ed25519 key")?)
            }
            Material::Octets(secret) => hmac(algorithm, secret)?,
        };
        Ok(VerificationKey { algorithm, key })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a compact JWS (RFC 7515 section 5.2) whose header names this key's algorithm.
    pub fn verify(&self, token: &str) -> Result<(), Failure> {
        let options = Some(signature_only());
        let verified = match &self.key {
            Key::Rs256(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Rs384(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Rs512(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Ps256(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Ps384(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Ps512(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Es256(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Es384(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Ed25519(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Hs256(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Hs384(key) => key.verify_token::<Unread>(token, options).err(),
            Key::Hs512(key) => key.verify_token::<Unread>(token, options).err(),
        };
        let Some(error) = verified else {
            return Ok(());
        };
        match error.downcast_ref::<JWTError>() {
            Some(JWTError::InvalidSignature | JWTError::InvalidAuthenticationTag) => {
                Err(Failure::Signature)
            }
            Some(JWTError::NotJWT) => Err(Failure::Type),
            // A signature of the wrong length or encoding for the key.
            None if !error.is::<serde_json::Error>() => Err(Failure::Signature),
            _ => Err(Failure::Malformed),
        }
    }
}

/// Claims that jwt-simple need not build.
#[derive(Deserialize)]
struct Unread {}

/// jwt-simple by default tolerates 15 minutes and reads the clock: here it judges no times at all.
fn signature_only() -> VerificationOptions {
    VerificationOptions {
        accept_future: true,
        artificial_time: Some(jwt_simple::prelude::UnixTimeStamp::from_secs(0)),
        time_tolerance: Some(jwt_simple::prelude::Duration::from_secs(0)),
        max_token_length: None,
        max_header_length: Some(usize::MAX),
        ..VerificationOptions::default()
    }
}

fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Key, &'static str> {
    match algorithm {
        Algorithm::RS256 => alg::RS256PublicKey::from_components(n, e).map(Key::Rs256),
        Algorithm::RS384 => alg::RS384PublicKey::from_components(n, e).map(Key::Rs384),
        Algorithm::RS512 => alg::RS512PublicKey::from_components(n, e).map(Key::Rs512),
        Algorithm::PS256 => alg::PS256PublicKey::from_components(n, e).map(Key::Ps256),
        Algorithm::PS384 => alg::PS384PublicKey::from_components(n, e).map(Key::Ps384),
        Algorithm::PS512 => alg::PS512PublicKey::from_components(n, e).map(Key::Ps512),
        _ => return Err("is an RSA key, which this algorithm does not take"),
    }
    .map_err(|_| "is no RSA key of 2048 to 4096 bits with exponent 65537")
}

fn ec(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Key, &'static str> {
    // SEC 1 section 2.3.3, uncompressed: 04 || x || y, each as long as the field (RFC 7518 6.2.1.2).
    let coordinate = match algorithm {
        Algorithm::ES256 => 32,
        Algorithm::ES384 => 48,
        _ => return Err("is an EC key, which this algorithm does not take"),
    };
    if x.len() != coordinate || y.len() != coordinate {
        return Err("has coordinates of the wrong length for its curve");
    }
    let point = [&[4], x, y].concat();
    match algorithm {
        Algorithm::ES256 => alg::ES256PublicKey::from_bytes(&point).map(Key::Es256),
        _ => alg::ES384PublicKey::from_bytes(&point).map(Key::Es384),
    }
    .map_err(|_| "is no point of its curve")
}

fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Key, &'static str> {
    // RFC 7518 section 3.2: a key at least as long as the hash.
    match algorithm {
        Algorithm::HS256 if secret.len() >= 32 => Ok(Key::Hs256(alg::HS256Key::from_bytes(secret))),
        Algorithm::HS384 if secret.len() >= 48 => Ok(Key::Hs384(alg::HS384Key::from_bytes(secret))),
        Algorithm::HS512 if secret.len() >= 64 => Ok(Key::Hs512(alg::HS512Key::from_bytes(secret))),
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            Err("is shorter than the algorithm's hash (32 bytes for HS256, 48, 64)")
        }
        _ => Err("is a shared secret, which this algorithm does not take"),
    }
}

/// SHA-256 of a message.
pub fn sha256(message: &[u8]) -> [u8; 32] {
    hmac_sha256::Hash::hash(message)
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac_sha256::HMAC::mac(message, key)
}

/// Equality that takes as long whatever differs.
pub fn constant_time_eq(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}
