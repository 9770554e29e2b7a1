//! Signatures over artifacts, as cosign makes them of a blob with a key of its own: SHA-256 for every
//! kind of key (sigstore's `signature.LoadVerifier` with `crypto.SHA256`), ECDSA as Ecdsa-Sig-Value in
//! DER (RFC 3279 section 2.2.3), RSASSA-PKCS1-v1_5, and Ed25519 over the message itself.

use crate::{
    Algorithm, BadSignature, VerificationKey,
    private::{PrivateKey, SignFault},
    public::{Curve, Hash, Padding, for_curve},
    verify::Key,
};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;

/// The kinds of key that sign artifacts, as [`VerificationKey::from_pem`] takes them.
pub const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The same bytes for the same key and message.
///
/// # Errors
/// The key is none, or of a kind that signs no artifacts.
pub fn sign(key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignFault> {
    match key {
        PrivateKey::Rsa(key) => key.sign(Padding::Pkcs1, Hash::Sha256, message),
        PrivateKey::Ed25519(key) => Ok(key.sign(message)),
        PrivateKey::Ec(key) => {
            let signature = key.sign(Hash::Sha256, message)?;
            let in_der = match key.public.curve {
                Curve::P256 => p256::ecdsa::Signature::from_slice(&signature)
                    .map(|signature| signature.to_der().as_bytes().to_vec()),
                Curve::P384 => p384::ecdsa::Signature::from_slice(&signature)
                    .map(|signature| signature.to_der().as_bytes().to_vec()),
                Curve::P224 | Curve::P521 => return Err(SignFault::Key),
            };
            in_der.map_err(|_| SignFault::Key)
        }
        PrivateKey::X25519 => Err(SignFault::Key),
    }
}

/// Whether the signature is this key's over the message. With a P-384 key SHA-384 is taken too, which
/// later versions of sigstore make their default for it.
///
/// # Errors
/// That it is not.
pub fn verify(key: &VerificationKey, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    match &key.key {
        Key::P256(key) => {
            let signature =
                p256::ecdsa::Signature::from_der(signature).map_err(|_| BadSignature)?;
            key.verify_prehash(&Hash::Sha256.digest(message), &signature)
                .map_err(|_| BadSignature)
        }
        Key::P384(key) => {
            let signature =
                p384::ecdsa::Signature::from_der(signature).map_err(|_| BadSignature)?;
            let is_over = |hash: Hash| {
                for_curve(Curve::P384, hash.digest(message))
                    .is_some_and(|digest| key.verify_prehash(&digest, &signature).is_ok())
            };
            match is_over(Hash::Sha256) || is_over(Hash::Sha384) {
                true => Ok(()),
                false => Err(BadSignature),
            }
        }
        Key::Rsa(_) | Key::Ed25519(_) => key.verify(message, signature),
        Key::P521(_) | Key::Secret(_) => Err(BadSignature),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pem;

    /// Made with OpenSSL, for tests only.
    const PAIRS: [(Algorithm, &str, &str); 4] = [
        (
            Algorithm::RS256,
            include_str!("sigstore/rsa.pem"),
            include_str!("sigstore/rsa.pub"),
        ),
        (
            Algorithm::ES256,
            include_str!("sigstore/p256.pem"),
            include_str!("sigstore/p256.pub"),
        ),
        (
            Algorithm::ES384,
            include_str!("sigstore/p384.pem"),
            include_str!("sigstore/p384.pub"),
        ),
        (
            Algorithm::EdDSA,
            include_str!("sigstore/ed25519.pem"),
            include_str!("sigstore/ed25519.pub"),
        ),
    ];

    fn private(text: &str) -> PrivateKey {
        let (block, _) = pem::decode(text.as_bytes()).expect("a block");
        PrivateKey::from_pem_block(&block.label, &block.bytes)
            .expect("a key")
            .expect("a private one")
    }

    #[test]
    fn what_a_key_signs_it_verifies_and_nothing_else() {
        for (algorithm, own, public) in PAIRS {
            let key = VerificationKey::from_pem(algorithm, public).expect("a key");
            let signature = sign(&private(own), b"artifact").expect("a signature");
            assert_eq!(sign(&private(own), b"artifact"), Ok(signature.clone()));
            assert_eq!(verify(&key, b"artifact", &signature), Ok(()), "{algorithm}");
            assert_eq!(verify(&key, b"artefact", &signature), Err(BadSignature));
            for at in 0..signature.len() {
                let mut other = signature.clone();
                other[at] ^= 1;
                assert_eq!(verify(&key, b"artifact", &other), Err(BadSignature), "{at}");
            }
            for (other, _, public) in PAIRS.iter().filter(|(other, ..)| *other != algorithm) {
                let key = VerificationKey::from_pem(*other, public).expect("a key");
                assert_eq!(verify(&key, b"artifact", &signature), Err(BadSignature));
            }
        }
    }

    #[test]
    fn a_p384_key_may_hash_as_long_as_it_is() {
        let (_, own, public) = PAIRS[2];
        let key = VerificationKey::from_pem(Algorithm::ES384, public).expect("a key");
        let PrivateKey::Ec(own) = private(own) else {
            unreachable!("it is one of P-384")
        };
        let raw = own.sign(Hash::Sha384, b"artifact").expect("a signature");
        let signature = p384::ecdsa::Signature::from_slice(&raw).expect("one of P-384");
        assert_eq!(
            verify(&key, b"artifact", signature.to_der().as_bytes()),
            Ok(())
        );
        assert_eq!(verify(&key, b"artifact", &raw), Err(BadSignature));
    }
}
