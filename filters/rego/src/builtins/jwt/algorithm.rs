//! Signature algorithms of tokens (RFC 7518 section 3.1, RFC 8037 section 3.1), and what they cost.

use portcullis_crypto::{
    private::SignFault,
    public::{self, Curve, Hash, Padding, PublicKey, Unsupported},
};

use super::super::call::{Failure, World};
use super::keys::Material;

#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    Hmac(Hash),
    Rsa(Padding, Hash),
    Ecdsa(Hash),
    EdDsa,
}

/// What a token's signature is checked against.
pub(super) struct Signed<'a> {
    pub message: &'a [u8],
    pub signature: &'a [u8],
}

impl Algorithm {
    /// By its name in `alg`; `none` is none.
    pub fn parse(name: &str) -> Option<Algorithm> {
        let (family, bits) = name.split_at_checked(2)?;
        let hash = match bits {
            "256" => Hash::Sha256,
            "384" => Hash::Sha384,
            "512" => Hash::Sha512,
            _ => return (name == "EdDSA").then_some(Algorithm::EdDsa),
        };
        match family {
            "HS" => Some(Algorithm::Hmac(hash)),
            "RS" => Some(Algorithm::Rsa(Padding::Pkcs1, hash)),
            "PS" => Some(Algorithm::Rsa(Padding::Pss, hash)),
            "ES" => Some(Algorithm::Ecdsa(hash)),
            _ => None,
        }
    }

    /// As `io.jwt.verify_*` does it: with public keys alone, and ECDSA's two numbers as long as each
    /// other.
    ///
    /// # Errors
    /// The budget is used up, or the key cannot be used here.
    pub fn verify(
        self,
        material: &Material,
        signed: &Signed<'_>,
        world: &World<'_>,
    ) -> Result<bool, Failure> {
        let Material::Public(key) = material else {
            return Ok(false);
        };
        let half = signed.signature.len().checked_div(2).unwrap_or(0);
        self.verify_by(key, half, signed, world)
    }

    /// As `io.jwt.decode_verify` does it: with whatever key there is, and ECDSA's two numbers as long
    /// as the curve (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// As [`Algorithm::verify`].
    pub fn verify_exactly(
        self,
        material: &Material,
        signed: &Signed<'_>,
        world: &World<'_>,
    ) -> Result<bool, Failure> {
        match (material, self) {
            (Material::Secret(secret), Algorithm::Hmac(hash)) => {
                hashing(signed.message, world)?;
                Ok(public::is_mac(
                    hash,
                    secret,
                    signed.message,
                    signed.signature,
                ))
            }
            (Material::Public(key) | Material::Private(key), _) => {
                let half = match key {
                    PublicKey::Ec(key) => key.curve.bytes(),
                    _ => 0,
                };
                let exact = signed.signature.len() == half.saturating_mul(2);
                match self {
                    Algorithm::Ecdsa(_) if !exact => Ok(false),
                    _ => self.verify_by(key, half, signed, world),
                }
            }
            (Material::Secret(_), _) => Ok(false),
        }
    }

    fn verify_by(
        self,
        key: &PublicKey,
        half: usize,
        signed: &Signed<'_>,
        world: &World<'_>,
    ) -> Result<bool, Failure> {
        let fits = matches!(
            (key, self),
            (PublicKey::Rsa(_), Algorithm::Rsa(..))
                | (PublicKey::Ec(_), Algorithm::Ecdsa(_))
                | (PublicKey::Ed25519(_), Algorithm::EdDsa)
        );
        if !fits {
            return Ok(false);
        }
        paid(key, signed.message.len(), world)?;
        let found = match (key, self) {
            (PublicKey::Rsa(key), Algorithm::Rsa(padding, hash)) => {
                key.verify(padding, hash, signed.message, signed.signature)
            }
            (PublicKey::Ec(key), Algorithm::Ecdsa(hash)) => {
                let Some((r, s)) = signed.signature.split_at_checked(half) else {
                    return Ok(false);
                };
                key.verify(hash, signed.message, r, s)
            }
            (PublicKey::Ed25519(key), Algorithm::EdDsa) => {
                Ok(key.verify(signed.message, signed.signature))
            }
            _ => Ok(false),
        };
        found.map_err(unsupported)
    }
}

/// Hashing is dearer than reading.
///
/// # Errors
/// The budget is used up.
pub(super) fn hashing(message: &[u8], world: &World<'_>) -> Result<(), Failure> {
    world.charge(message.len().saturating_mul(4))
}

/// Pays for a verification with a key of a message of so many bytes.
///
/// # Errors
/// The budget is used up.
pub(in super::super) fn paid(
    key: &PublicKey,
    message: usize,
    world: &World<'_>,
) -> Result<(), Failure> {
    world.charge(message.saturating_mul(4))?;
    world.charge(verification(key))
}

/// What a verification costs, in bytes of the budget.
fn verification(key: &PublicKey) -> usize {
    match key {
        // A multiplication for each bit of the exponent, each quadratic: 200 KB for 2048 bits.
        PublicKey::Rsa(key) if key.verifies() => key
            .n
            .len()
            .saturating_mul(key.n.len())
            .saturating_mul(key.e.len().max(3)),
        PublicKey::Ec(key) if key.verifies() => elliptic(key.curve),
        PublicKey::Rsa(_) | PublicKey::Ec(_) => 0,
        PublicKey::Ed25519(_) => EDWARDS,
        PublicKey::X25519(_) | PublicKey::Dsa | PublicKey::Unknown => 0,
    }
}

/// What an operation on Ed25519 costs, in bytes of the budget.
pub(super) const EDWARDS: usize = 80_000;

pub(in super::super) const LONGEST_CURVE: usize = 2_000_000;

/// What an operation on a curve costs, in bytes of the budget.
pub(super) fn elliptic(curve: Curve) -> usize {
    match curve {
        Curve::P224 | Curve::P256 => 250_000,
        Curve::P384 => 750_000,
        Curve::P521 => LONGEST_CURVE,
    }
}

/// What an operation with an RSA private key costs, in bytes of the budget: cubic, 8 MB for 2048 bits,
/// and as much to see whether the key is one.
pub(in super::super) fn private_rsa(modulus: &[u8]) -> usize {
    let bytes = modulus.len();
    let cube = bytes.saturating_mul(bytes).saturating_mul(bytes);
    cube.checked_div(2).unwrap_or(cube)
}

fn unsupported(what: Unsupported) -> Failure {
    Failure::Unsupported(what.0)
}

pub(in super::super) fn sign_fault(fault: SignFault) -> Failure {
    match fault {
        SignFault::Key => Failure::error("the key does not sign with this algorithm"),
        SignFault::Unsupported(what) => unsupported(what),
    }
}
