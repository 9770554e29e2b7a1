//! `io.jwt.*`: tokens as JWS in its compact form (RFC 7515, RFC 7519), as OPA takes them.

mod algorithm;
mod constraints;
mod decode;
mod decode_verify;
mod encode_sign;
mod jwk;
mod keys;
mod verify;

use super::call::{Own, own};
use algorithm::Algorithm;
pub(super) use algorithm::{LONGEST_CURVE, paid, private_rsa, sign_fault};
use portcullis_crypto::public::{
    Hash::{Sha256, Sha384, Sha512},
    Padding,
};

pub(super) const FUNCTIONS: &[Own] = &[
    own("io.jwt.decode", 1, decode::decode),
    own("io.jwt.decode_verify", 2, decode_verify::decode_verify),
    own("io.jwt.encode_sign", 3, encode_sign::encode_sign),
    own("io.jwt.encode_sign_raw", 3, encode_sign::encode_sign_raw),
    own("io.jwt.verify_hs256", 2, |a, w| verify::hmac(a, w, Sha256)),
    own("io.jwt.verify_hs384", 2, |a, w| verify::hmac(a, w, Sha384)),
    own("io.jwt.verify_hs512", 2, |a, w| verify::hmac(a, w, Sha512)),
    own("io.jwt.verify_rs256", 2, |a, w| {
        verify::by(a, w, Algorithm::Rsa(Padding::Pkcs1, Sha256))
    }),
    own("io.jwt.verify_rs384", 2, |a, w| {
        verify::by(a, w, Algorithm::Rsa(Padding::Pkcs1, Sha384))
    }),
    own("io.jwt.verify_rs512", 2, |a, w| {
        verify::by(a, w, Algorithm::Rsa(Padding::Pkcs1, Sha512))
    }),
    own("io.jwt.verify_ps256", 2, |a, w| {
        verify::by(a, w, Algorithm::Rsa(Padding::PssAnySalt, Sha256))
    }),
    own("io.jwt.verify_ps384", 2, |a, w| {
        verify::by(a, w, Algorithm::Rsa(Padding::PssAnySalt, Sha384))
    }),
    own("io.jwt.verify_ps512", 2, |a, w| {
        verify::by(a, w, Algorithm::Rsa(Padding::PssAnySalt, Sha512))
    }),
    own("io.jwt.verify_es256", 2, |a, w| {
        verify::by(a, w, Algorithm::Ecdsa(Sha256))
    }),
    own("io.jwt.verify_es384", 2, |a, w| {
        verify::by(a, w, Algorithm::Ecdsa(Sha384))
    }),
    own("io.jwt.verify_es512", 2, |a, w| {
        verify::by(a, w, Algorithm::Ecdsa(Sha512))
    }),
    own("io.jwt.verify_eddsa", 2, |a, w| {
        verify::by(a, w, Algorithm::EdDsa)
    }),
];
