//! Public keys of every kind that Rego's builtins take: wider than what the gate itself verifies
//! with. Short keys verify nothing, as in Go; what Go would do and this cannot is [`Unsupported`].

use crate::der::{self, Element, Elements};
use ed25519_dalek::Verifier as _;
use hmac::{Hmac, KeyInit as _};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::{BoxedUint, Pss, pkcs1v15::Pkcs1v15Sign};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

/// What is wrong with a key, without quoting it.
pub type Fault = &'static str;

/// What Go can do and this cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(pub &'static str);

/// The hashes that signatures are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// HMAC over one of them (RFC 2104).
pub fn mac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn tag<M: hmac::Mac, E>(mac: Result<M, E>, message: &[u8]) -> Vec<u8> {
        mac.map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
            .unwrap_or_default()
    }
    match hash {
        Hash::Sha256 => tag(Hmac::<Sha256>::new_from_slice(key), message),
        Hash::Sha384 => tag(Hmac::<Sha384>::new_from_slice(key), message),
        Hash::Sha512 => tag(Hmac::<Sha512>::new_from_slice(key), message),
    }
}

/// Whether the tag is the message's, in constant time, and never where it was cut short.
pub fn is_mac(hash: Hash, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    mac(hash, key, message).ct_eq(tag).into()
}

/// How RSA pads what it signs (RFC 8017).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    Pkcs1,
    /// A salt as long as the hash.
    Pss,
    /// A salt of any length.
    PssAnySalt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    P224,
    P256,
    P384,
    P521,
}

impl Curve {
    /// By its name in a JWK, which knows no P-224.
    pub fn parse(name: &str) -> Option<Curve> {
        [Curve::P256, Curve::P384, Curve::P521]
            .into_iter()
            .find(|curve| curve.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Curve::P224 => "P-224",
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate.
    pub const fn bytes(self) -> usize {
        match self {
            Curve::P224 => 28,
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    pub(crate) fn of_oid(oid: &[u8]) -> Option<Curve> {
        match oid {
            [0x2b, 0x81, 0x04, 0x00, 0x21] => Some(Curve::P224),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some(Curve::P256),
            [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(Curve::P384),
            [0x2b, 0x81, 0x04, 0x00, 0x23] => Some(Curve::P521),
            _ => None,
        }
    }
}

/// A public key. Those that are none verify nothing: that is Go's answer as well.
pub enum PublicKey {
    Rsa(RsaPublicKey),
    Ec(EcPublicKey),
    Ed25519(Ed25519PublicKey),
    X25519(Vec<u8>),
    Dsa,
    /// Of an algorithm that is not known.
    Unknown,
}

pub struct RsaPublicKey {
    /// Big-endian, without zeros before it.
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    key: Option<rsa::PublicKey>,
}

pub struct EcPublicKey {
    pub curve: Curve,
    /// As long as the curve's field.
    pub x: Vec<u8>,
    pub y: Vec<u8>,
    key: Option<Point>,
}

enum Point {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

pub struct Ed25519PublicKey {
    pub bytes: [u8; 32],
    key: Option<ed25519_dalek::VerifyingKey>,
}

/// Go verifies with no fewer.
const MIN_RSA_BITS: usize = 1024;
/// Go knows no bound; each doubling is four times the work.
pub const MAX_RSA_BITS: usize = 8192;

impl RsaPublicKey {
    pub fn new(n: &[u8], e: &[u8]) -> RsaPublicKey {
        let (n, e) = (trimmed(n), trimmed(e));
        // Go's exponents have 31 bits.
        let small = e.len() < 4 || matches!(e, [first, _, _, _] if *first < 0x80);
        let key = (small && n.len() <= MAX_RSA_BITS / 8).then(|| {
            rsa::PublicKey::new_with_size_limits(
                BoxedUint::from_be_slice_vartime(n),
                BoxedUint::from_be_slice_vartime(e),
                MIN_RSA_BITS..=MAX_RSA_BITS,
            )
            .ok()
        });
        RsaPublicKey {
            n: n.to_vec(),
            e: e.to_vec(),
            key: key.flatten(),
        }
    }

    /// Whether it is a key that may verify anything.
    pub fn verifies(&self) -> bool {
        self.key.is_some()
    }

    /// Whether the signature is this key's over the message.
    ///
    /// # Errors
    /// The key is too long.
    pub fn verify(
        &self,
        padding: Padding,
        hash: Hash,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, Unsupported> {
        if self.n.len() > MAX_RSA_BITS / 8 {
            return Err(Unsupported("an RSA key of more than 8192 bits"));
        }
        let Some(key) = &self.key else {
            return Ok(false);
        };
        let digest = hash.digest(message);
        let pss = |salt| salt == Padding::PssAnySalt;
        let found = match (padding, hash) {
            (Padding::Pkcs1, Hash::Sha256) => {
                key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, signature)
            }
            (Padding::Pkcs1, Hash::Sha384) => {
                key.verify(Pkcs1v15Sign::new::<Sha384>(), &digest, signature)
            }
            (Padding::Pkcs1, Hash::Sha512) => {
                key.verify(Pkcs1v15Sign::new::<Sha512>(), &digest, signature)
            }
            (salt, Hash::Sha256) => key.verify(pss_of::<Sha256>(pss(salt)), &digest, signature),
            (salt, Hash::Sha384) => key.verify(pss_of::<Sha384>(pss(salt)), &digest, signature),
            (salt, Hash::Sha512) => key.verify(pss_of::<Sha512>(pss(salt)), &digest, signature),
        };
        Ok(found.is_ok())
    }
}

fn pss_of<D: sha2::Digest>(any_salt: bool) -> Pss<D> {
    let mut pss = Pss::<D>::new();
    if any_salt {
        pss.salt_len = None;
    }
    pss
}

impl EcPublicKey {
    /// From coordinates of any length; a point that is not on the curve verifies nothing.
    pub fn new(curve: Curve, x: &[u8], y: &[u8]) -> EcPublicKey {
        let padded = |bytes| left_padded(bytes, curve.bytes());
        let (x, y, key) = match (padded(x), padded(y)) {
            (Some(x), Some(y)) => {
                let key = point(curve, &[&[4], &*x, &*y].concat());
                (x, y, key)
            }
            _ => (x.to_vec(), y.to_vec(), None),
        };
        EcPublicKey { curve, x, y, key }
    }

    /// Uncompressed, as keys in ASN.1 have it (RFC 5480 section 2.2); none where it is off the curve.
    fn from_sec1(curve: Curve, bytes: &[u8]) -> Option<EcPublicKey> {
        let (x, y) = bytes.strip_prefix(&[4])?.split_at_checked(curve.bytes())?;
        if y.len() != curve.bytes() {
            return None;
        }
        let key = EcPublicKey::new(curve, x, y);
        // What is on P-224 cannot be told here.
        (key.key.is_some() || curve == Curve::P224).then_some(key)
    }

    /// Whether it is a key that may verify anything.
    pub fn verifies(&self) -> bool {
        self.key.is_some()
    }

    /// Whether `r` and `s` are this key's over the message.
    ///
    /// # Errors
    /// The curve is P-224.
    pub fn verify(
        &self,
        hash: Hash,
        message: &[u8],
        r: &[u8],
        s: &[u8],
    ) -> Result<bool, Unsupported> {
        if self.curve == Curve::P224 {
            return Err(Unsupported("the curve P-224"));
        }
        let bytes = self.curve.bytes();
        let (Some(key), Some(r), Some(s)) =
            (&self.key, left_padded(r, bytes), left_padded(s, bytes))
        else {
            return Ok(false);
        };
        let signature = [r, s].concat();
        let Some(digest) = for_curve(self.curve, hash.digest(message)) else {
            return Ok(false);
        };
        Ok(match key {
            Point::P256(key) => p256::ecdsa::Signature::from_slice(&signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
            Point::P384(key) => p384::ecdsa::Signature::from_slice(&signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
            Point::P521(key) => p521::ecdsa::Signature::from_slice(&signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
        })
    }
}

fn point(curve: Curve, sec1: &[u8]) -> Option<Point> {
    match curve {
        Curve::P224 => None,
        Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
            .ok()
            .map(Point::P256),
        Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
            .ok()
            .map(Point::P384),
        Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
            .ok()
            .map(Point::P521),
    }
}

impl Ed25519PublicKey {
    pub fn new(bytes: [u8; 32]) -> Ed25519PublicKey {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok();
        Ed25519PublicKey { bytes, key }
    }

    /// Whether the signature is this key's over the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.as_ref().is_some_and(|key| {
            ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok())
        })
    }
}

impl PublicKey {
    /// A SubjectPublicKeyInfo in DER (RFC 5280 section 4.1).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_spki(der: &[u8]) -> Result<PublicKey, Fault> {
        let info = der::only(der, der::SEQUENCE).ok_or("asn1: structure error")?;
        match PublicKey::of_info(info)? {
            PublicKey::Unknown => Err("x509: unknown public key algorithm"),
            key => Ok(key),
        }
    }

    pub(crate) fn of_info(info: Element<'_>) -> Result<PublicKey, Fault> {
        const MALFORMED: Fault = "x509: malformed spki";
        let (algorithm, key) = (|| {
            let mut info = info.elements()?;
            let algorithm = info.take(der::SEQUENCE)?;
            let key = der::bytes(info.take(der::BIT_STRING)?.value)?;
            info.end()?;
            Some((algorithm, key))
        })()
        .ok_or(MALFORMED)?;
        let mut algorithm = algorithm.elements().ok_or(MALFORMED)?;
        let oid = algorithm.take(der::OID).ok_or(MALFORMED)?.value;
        match oid {
            RSA => {
                let null = algorithm
                    .take(der::NULL)
                    .is_some_and(|null| null.value.is_empty());
                if !null {
                    return Err("x509: RSA key missing NULL parameters");
                }
                rsa_key(key).map(PublicKey::Rsa)
            }
            EC => {
                let curve = algorithm
                    .take(der::OID)
                    .and_then(|oid| Curve::of_oid(oid.value))
                    .ok_or("x509: unsupported elliptic curve")?;
                EcPublicKey::from_sec1(curve, key)
                    .map(PublicKey::Ec)
                    .ok_or("x509: failed to unmarshal elliptic curve point")
            }
            ED25519 => {
                algorithm
                    .end()
                    .ok_or("x509: Ed25519 key encoded with illegal parameters")?;
                let bytes = key
                    .try_into()
                    .map_err(|_| "x509: wrong Ed25519 public key size")?;
                Ok(PublicKey::Ed25519(Ed25519PublicKey::new(bytes)))
            }
            X25519 => {
                algorithm
                    .end()
                    .ok_or("x509: X25519 key encoded with illegal parameters")?;
                match key.len() {
                    32 => Ok(PublicKey::X25519(key.to_vec())),
                    _ => Err("crypto/ecdh: invalid public key"),
                }
            }
            DSA => Ok(PublicKey::Dsa),
            _ => Ok(PublicKey::Unknown),
        }
    }
}

pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
pub(crate) const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];

/// PKCS #1 (RFC 8017 appendix A.1.1).
fn rsa_key(der: &[u8]) -> Result<RsaPublicKey, Fault> {
    let mut key: Elements<'_> = der::only(der, der::SEQUENCE)
        .and_then(Element::elements)
        .ok_or("x509: invalid RSA public key")?;
    let n = key.unsigned().filter(|n| !n.is_empty());
    let n = n.ok_or("x509: invalid RSA modulus")?;
    let e = key.unsigned().filter(|e| !e.is_empty() && e.len() <= 8);
    let e = e.ok_or("x509: invalid RSA public exponent")?;
    Ok(RsaPublicKey::new(n, e))
}

pub(crate) fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

pub(crate) fn left_padded(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    let bytes = trimmed(bytes);
    let zeros = length.checked_sub(bytes.len())?;
    Some([&vec![0; zeros], bytes].concat())
}

/// The hash as ECDSA takes it: where it is shorter than the curve, zeros before it change nothing
/// (FIPS 186-5 section 6.4.1).
pub(crate) fn for_curve(curve: Curve, digest: Vec<u8>) -> Option<Vec<u8>> {
    match digest.len() < curve.bytes() {
        true => {
            let zeros = curve.bytes().checked_sub(digest.len())?;
            Some([vec![0; zeros], digest].concat())
        }
        false => Some(digest),
    }
}
