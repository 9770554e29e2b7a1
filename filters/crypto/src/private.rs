//! Private keys of every kind that Rego's builtins take, and signatures with them. They have no
//! `Debug`: they are secret.

use crate::{
    der::{self, Element},
    public::{
        Curve, EC, ED25519, EcPublicKey, Fault, Hash, MAX_RSA_BITS, Padding, RSA, RsaPublicKey,
        Unsupported, X25519, for_curve, left_padded, mac, trimmed,
    },
};
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::{
    BoxedUint, Pss,
    pkcs1v15::Pkcs1v15Sign,
    rand_core::{TryCryptoRng, TryRng},
    traits::SignatureScheme,
};
use sha2::{Sha256, Sha384, Sha512};
use std::convert::Infallible;

pub enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    Ec(Box<EcPrivateKey>),
    Ed25519(Box<Ed25519PrivateKey>),
    /// Signs nothing.
    X25519,
}

/// Numbers are big-endian, without zeros before them.
pub struct RsaPrivateKey {
    pub public: RsaPublicKey,
    pub d: Vec<u8>,
    pub p: Vec<u8>,
    pub q: Vec<u8>,
}

pub struct EcPrivateKey {
    pub public: EcPublicKey,
    /// As long as the curve's field.
    pub d: Vec<u8>,
    key: Scalar,
}

enum Scalar {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

pub struct Ed25519PrivateKey {
    key: ed25519_dalek::SigningKey,
}

/// The parts of an RSA key that follow from the others (RFC 8017 section 3.2).
pub struct Precomputed {
    pub dp: Vec<u8>,
    pub dq: Vec<u8>,
    pub qi: Vec<u8>,
}

impl RsaPrivateKey {
    /// Whether the parts belong to each other. Go checks it when it parses.
    ///
    /// # Errors
    /// The key is too long.
    pub fn is_valid(&self) -> Result<bool, SignFault> {
        match self.key() {
            Ok(_) => Ok(true),
            Err(SignFault::Key) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// From a modulus, exponents and two primes; what they are worth shows when they are used.
    pub fn new(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]) -> RsaPrivateKey {
        let own = |bytes| trimmed(bytes).to_vec();
        RsaPrivateKey {
            public: RsaPublicKey::new(n, e),
            d: own(d),
            p: own(p),
            q: own(q),
        }
    }

    /// PKCS #1 (RFC 8017 appendix A.1.2).
    fn from_pkcs1(der: &[u8]) -> Result<RsaPrivateKey, Fault> {
        let key = (|| {
            let mut key = der::only(der, der::SEQUENCE)?.elements()?;
            // Version 1 has more than two primes.
            key.unsigned().filter(|version| version.is_empty())?;
            let (n, e, d) = (key.unsigned()?, key.unsigned()?, key.unsigned()?);
            let (p, q) = (key.unsigned()?, key.unsigned()?);
            for _ in 0..3 {
                key.unsigned()?;
            }
            Some(RsaPrivateKey::new(n, e, d, p, q))
        })();
        key.ok_or("x509: failed to parse RSA private key")
    }

    fn key(&self) -> Result<rsa::PrivateKey, SignFault> {
        if self.public.n.len() > MAX_RSA_BITS / 8 {
            return Err(SignFault::Unsupported(Unsupported(
                "an RSA key of more than 8192 bits",
            )));
        }
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let longest = self.public.n.len();
        let parts = [&self.public.e, &self.d, &self.p, &self.q];
        if parts
            .iter()
            .any(|part| part.is_empty() || part.len() > longest)
        {
            return Err(SignFault::Key);
        }
        rsa::PrivateKey::from_components(
            number(&self.public.n),
            number(&self.public.e),
            number(&self.d),
            vec![number(&self.p), number(&self.q)],
        )
        .map_err(|_| SignFault::Key)
    }

    /// # Errors
    /// The key is none.
    pub fn precomputed(&self) -> Result<Precomputed, SignFault> {
        use rsa::traits::PrivateKeyParts as _;
        let key = self.key()?;
        let own = |number: &BoxedUint| trimmed(&number.to_be_bytes()).to_vec();
        match (key.dp(), key.dq(), key.crt_coefficient()) {
            (Some(dp), Some(dq), Some(qi)) => Ok(Precomputed {
                dp: own(dp),
                dq: own(dq),
                qi: own(&qi),
            }),
            _ => Err(SignFault::Key),
        }
    }

    /// A signature whose salt and blinding follow from the key and the message: there is no
    /// randomness here, and none of it is asked to be secret from who has the key.
    ///
    /// # Errors
    /// The key is none, or too short.
    pub fn sign(&self, padding: Padding, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignFault> {
        let key = self.key()?;
        let digest = hash.digest(message);
        let mut random = Derived {
            seed: mac(Hash::Sha512, &self.d, &digest),
            blocks: 0,
            left: Vec::new(),
        };
        fn by(
            key: &rsa::PrivateKey,
            random: &mut Derived,
            scheme: impl SignatureScheme,
            digest: &[u8],
        ) -> Result<Vec<u8>, SignFault> {
            key.sign_with_rng(random, scheme, digest)
                .map_err(|_| SignFault::Key)
        }
        let random = &mut random;
        match (padding, hash) {
            (Padding::Pkcs1, Hash::Sha256) => {
                by(&key, random, Pkcs1v15Sign::new::<Sha256>(), &digest)
            }
            (Padding::Pkcs1, Hash::Sha384) => {
                by(&key, random, Pkcs1v15Sign::new::<Sha384>(), &digest)
            }
            (Padding::Pkcs1, Hash::Sha512) => {
                by(&key, random, Pkcs1v15Sign::new::<Sha512>(), &digest)
            }
            (_, Hash::Sha256) => by(&key, random, Pss::<Sha256>::new(), &digest),
            (_, Hash::Sha384) => by(&key, random, Pss::<Sha384>::new(), &digest),
            (_, Hash::Sha512) => by(&key, random, Pss::<Sha512>::new(), &digest),
        }
    }
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignFault {
    /// The key is none, or none for this.
    Key,
    Unsupported(Unsupported),
}

impl EcPrivateKey {
    /// From the secret number; the public key follows from it.
    ///
    /// # Errors
    /// It is no number of the curve.
    pub fn new(curve: Curve, d: &[u8]) -> Result<EcPrivateKey, Fault> {
        const INVALID: Fault = "x509: invalid elliptic curve private key value";
        let d = left_padded(d, curve.bytes()).ok_or(INVALID)?;
        let (key, point) = match curve {
            Curve::P224 => return Err("x509: P-224 is not supported"),
            Curve::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&d).map_err(|_| INVALID)?;
                let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                (Scalar::P256(key), point)
            }
            Curve::P384 => {
                let key = p384::ecdsa::SigningKey::from_slice(&d).map_err(|_| INVALID)?;
                let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                (Scalar::P384(key), point)
            }
            Curve::P521 => {
                let key = p521::ecdsa::SigningKey::from_slice(&d).map_err(|_| INVALID)?;
                let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                (Scalar::P521(key), point)
            }
        };
        let (x, y) = point
            .strip_prefix(&[4])
            .and_then(|point| point.split_at_checked(curve.bytes()))
            .ok_or(INVALID)?;
        Ok(EcPrivateKey {
            public: EcPublicKey::new(curve, x, y),
            d,
            key,
        })
    }

    /// SEC 1 (RFC 5915), with the curve inside or from around it.
    fn from_sec1(der: &[u8], around: Option<Curve>) -> Result<EcPrivateKey, Fault> {
        const FAILED: Fault = "x509: failed to parse EC private key";
        let (d, inside) = (|| {
            let mut key = der::only(der, der::SEQUENCE)?.elements()?;
            key.unsigned().filter(|version| *version == [1])?;
            let d = key.take(der::OCTET_STRING)?.value;
            let curve = match key.maybe(der::constructed(0))? {
                Some(parameters) => Some(parameters.elements()?.take(der::OID)?.value),
                None => None,
            };
            Some((d, curve))
        })()
        .ok_or(FAILED)?;
        let curve = around.or_else(|| inside.and_then(Curve::of_oid));
        EcPrivateKey::new(curve.ok_or("x509: unknown elliptic curve")?, d)
    }

    /// `r || s`, each as long as the curve, with a number that follows from key and message
    /// (RFC 6979).
    ///
    /// # Errors
    /// The key cannot.
    pub fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignFault> {
        let digest = for_curve(self.public.curve, hash.digest(message)).ok_or(SignFault::Key)?;
        let signature = match &self.key {
            Scalar::P256(key) => key
                .sign_prehash(&digest)
                .map(|signature: p256::ecdsa::Signature| signature.to_bytes().to_vec()),
            Scalar::P384(key) => key
                .sign_prehash(&digest)
                .map(|signature: p384::ecdsa::Signature| signature.to_bytes().to_vec()),
            Scalar::P521(key) => key
                .sign_prehash(&digest)
                .map(|signature: p521::ecdsa::Signature| signature.to_bytes().to_vec()),
        };
        signature.map_err(|_| SignFault::Key)
    }
}

impl Ed25519PrivateKey {
    pub fn new(seed: &[u8; 32]) -> Ed25519PrivateKey {
        Ed25519PrivateKey {
            key: ed25519_dalek::SigningKey::from_bytes(seed),
        }
    }

    pub fn seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_bytes().to_vec()
    }
}

impl PrivateKey {
    /// What stands in a PEM block of this label; none where the label is of no private key.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub fn from_pem_block(label: &str, der: &[u8]) -> Result<Option<PrivateKey>, Fault> {
        match label {
            "RSA PRIVATE KEY" => rsa(der),
            "EC PRIVATE KEY" => ec(der, None),
            "PRIVATE KEY" => PrivateKey::from_pkcs8(der),
            _ => return Ok(None),
        }
        .map(Some)
    }

    /// PKCS #8 (RFC 5958).
    fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, Fault> {
        let (oid, parameters, key) = (|| {
            let mut info = der::only(der, der::SEQUENCE)?.elements()?;
            info.unsigned()?;
            let mut algorithm = info.enter(der::SEQUENCE)?;
            let oid = algorithm.take(der::OID)?.value;
            let parameters: Option<Element<'_>> = algorithm.any();
            Some((oid, parameters, info.take(der::OCTET_STRING)?.value))
        })()
        .ok_or("x509: failed to parse PKCS#8 private key")?;
        let seed = || der::only(key, der::OCTET_STRING).map(|seed| seed.value);
        match oid {
            RSA => rsa(key),
            EC => {
                let curve = parameters.and_then(|parameters| Curve::of_oid(parameters.value));
                ec(key, curve)
            }
            ED25519 => seed()
                .and_then(|seed| seed.try_into().ok())
                .map(|seed| PrivateKey::Ed25519(Box::new(Ed25519PrivateKey::new(seed))))
                .ok_or("x509: invalid Ed25519 private key"),
            X25519 => Ok(PrivateKey::X25519),
            _ => Err("x509: PKCS#8 wrapping contained private key with unknown algorithm"),
        }
    }
}

fn rsa(der: &[u8]) -> Result<PrivateKey, Fault> {
    RsaPrivateKey::from_pkcs1(der).map(|key| PrivateKey::Rsa(Box::new(key)))
}

fn ec(der: &[u8], curve: Option<Curve>) -> Result<PrivateKey, Fault> {
    EcPrivateKey::from_sec1(der, curve).map(|key| PrivateKey::Ec(Box::new(key)))
}

/// Bytes that nobody without the key can tell beforehand: HMAC in counter mode.
struct Derived {
    seed: Vec<u8>,
    blocks: u64,
    left: Vec<u8>,
}

impl Derived {
    fn byte(&mut self) -> u8 {
        if self.left.is_empty() {
            self.blocks = self.blocks.wrapping_add(1);
            let counter = self.blocks.to_be_bytes();
            self.left = mac(Hash::Sha512, &self.seed, &counter);
        }
        self.left.pop().unwrap_or_default()
    }
}

impl TryRng for Derived {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        for byte in buffer {
            *byte = self.byte();
        }
        Ok(())
    }
}

impl TryCryptoRng for Derived {}
