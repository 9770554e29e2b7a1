//! The foreign function `verify_signature` of Envoy's (`source/extensions/common/wasm/foreign.cc`), with ring where
//! Envoy has BoringSSL. What ring does not have is no good signature here: SHA-224, SHA-1 and SHA-512 with ECDSA, the
//! curves P-224 and P-521, RSA keys of fewer than 1,024 bits or more than 8,192 (2,048 is the least with SHA-384).
//! The words for what is wrong differ where BoringSSL finds it in the key, and ring in the signature: both answer `Ok`
//! with a result that is false. Tried on Envoy 1.40.

use prost::Message;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::abi::Status;

/// `source/extensions/common/wasm/ext/verify_signature.proto`.
#[derive(Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    /// SubjectPublicKeyInfo in DER.
    #[prost(bytes, tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes, tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes, tag = "4")]
    text: Vec<u8>,
}

#[derive(Message)]
struct Verdict {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(string, tag = "2")]
    error: String,
}

/// `BadArgument` where there is no message to read, or no key in it, and else a verdict.
pub(super) fn call(arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let arguments = Arguments::decode(arguments).map_err(|_| Status::BadArgument)?;
    if arguments.public_key.is_empty() {
        return Err(Status::BadArgument);
    }
    let verdict = match verify(&arguments) {
        Ok(()) => Verdict {
            result: true,
            error: String::new(),
        },
        Err(error) => Verdict {
            result: false,
            error,
        },
    };
    Ok(verdict.encode_to_vec())
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// `UtilityImpl::verifySignature`, with its words for what is wrong.
fn verify(arguments: &Arguments) -> Result<(), String> {
    let name = &arguments.hash_function;
    let hash = name.to_ascii_lowercase();
    if !["sha1", "sha224", "sha256", "sha384", "sha512"].contains(&hash.as_str()) {
        return Err(format!("{name} is not supported."));
    }
    let no_key = || "Failed to initialize digest verify.".to_owned();
    let info = SubjectPublicKeyInfoRef::try_from(&*arguments.public_key).map_err(|_| no_key())?;
    let parameters = info.algorithm.parameters;
    let curve = parameters.and_then(|it| ObjectIdentifier::try_from(it).ok());
    // The members of ring's that have to do with SHA-1 or short keys are named after what they are for.
    let algorithm: &dyn VerificationAlgorithm = match (info.algorithm.oid, curve, hash.as_str()) {
        (RSA, None, "sha1") => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (RSA, None, "sha256") => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (RSA, None, "sha384") => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA, None, "sha512") => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (EC, Some(P256), "sha256") => &signature::ECDSA_P256_SHA256_ASN1,
        (EC, Some(P256), "sha384") => &signature::ECDSA_P256_SHA384_ASN1,
        (EC, Some(P384), "sha256") => &signature::ECDSA_P384_SHA256_ASN1,
        (EC, Some(P384), "sha384") => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return Err(no_key()),
    };
    let key = info.subject_public_key.as_bytes().unwrap_or_default();
    UnparsedPublicKey::new(algorithm, key)
        .verify(&arguments.text, &arguments.signature)
        .map_err(|_| "Failed to verify digest. Error code: 0".to_owned())
}
