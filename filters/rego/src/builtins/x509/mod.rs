//! `crypto.x509.*` and `crypto.parse_private_keys`: certificates and keys as Go prints them.

mod certificate;
mod go;
mod keys;
mod options;
mod uri;

use portcullis_crypto::{
    encoding, pem,
    x509::{self, Certificate, Invalid, Request},
};

use super::{
    call::{Failure, Outcome, Own, World, own},
    jwt, operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("crypto.parse_private_keys", 1, keys::parse_private_keys),
    own(
        "crypto.x509.parse_and_verify_certificates",
        1,
        parse_and_verify,
    ),
    own(
        "crypto.x509.parse_and_verify_certificates_with_options",
        2,
        parse_and_verify_with_options,
    ),
    own(
        "crypto.x509.parse_certificate_request",
        1,
        parse_certificate_request,
    ),
    own("crypto.x509.parse_certificates", 1, parse_certificates),
    own("crypto.x509.parse_keypair", 2, keys::parse_keypair),
    own(
        "crypto.x509.parse_rsa_private_key",
        1,
        keys::parse_rsa_private_key,
    ),
];

/// What is parsed is read more than once, and printed again in several forms.
const PARSING: usize = 32;

fn parse_certificates(arguments: &[Value], world: &World<'_>) -> Outcome {
    let found = certificates(operand::string(arguments, 0)?, world)?;
    let found = found.iter().map(certificate::with_uri_strings);
    found
        .collect::<Result<Vec<_>, _>>()
        .map(Value::from)
        .map(Some)
}

fn parse_and_verify(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    let options = options::none(world);
    verified(text, &options, certificate::with_uri_strings, world)
}

fn parse_and_verify_with_options(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    let options = options::read(operand::object(arguments, 1)?, world)?;
    verified(text, &options, certificate::certificate, world)
}

/// The first certificate is the root, the last one the leaf.
fn verified(
    text: &str,
    options: &x509::Options,
    print: fn(&Certificate) -> Result<Value, Failure>,
    world: &World<'_>,
) -> Outcome {
    let none = || Ok(Some(value::array([Value::Bool(false), value::array([])])));
    let certificates = match certificates(text, world) {
        Ok(certificates) => certificates,
        Err(Failure::Error(_)) => return none(),
        Err(other) => return Err(other),
    };
    let [root, between @ .., leaf] = &*certificates else {
        return none();
    };
    let mut work = |key: &_, message| jwt::paid(key, message, world).is_ok();
    match x509::verify(root, between, leaf, options, &mut work) {
        Ok(chain) => {
            let chain = chain.into_iter().map(print);
            let chain = chain.collect::<Result<Vec<_>, _>>().map(Value::from)?;
            Ok(Some(value::array([Value::Bool(true), chain])))
        }
        Err(Invalid::Chain) => none(),
        Err(Invalid::Exceeded) => Err(Failure::Exceeded),
        Err(Invalid::Unsupported(what)) => Err(Failure::Unsupported(what.0)),
    }
}

fn parse_certificate_request(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len().saturating_mul(PARSING))?;
    let bytes = match text.starts_with("-----BEGIN CERTIFICATE REQUEST-----") {
        true => text.as_bytes().to_vec(),
        false => standard(text)?,
    };
    let der = match pem::decode(&bytes) {
        Some((block, _)) if block.label == "CERTIFICATE REQUEST" => block.bytes,
        Some(_) => {
            return Err(Failure::error(
                "invalid PEM-encoded certificate signing request",
            ));
        }
        None => bytes,
    };
    let request = Request::parse(&der).map_err(Failure::error)?;
    certificate::request(&request).map(Some)
}

/// In PEM or DER, or either in base64.
fn certificates(text: &str, world: &World<'_>) -> Result<Vec<Certificate>, Failure> {
    world.charge(text.len().saturating_mul(PARSING))?;
    let bytes = match text.starts_with("-----BEGIN") {
        true => text.as_bytes().to_vec(),
        false => standard(text)?,
    };
    let der = match bytes.starts_with(b"-----BEGIN") {
        true => blocks(&bytes)?,
        false => bytes,
    };
    x509::certificates(&der).map_err(Failure::error)
}

fn blocks(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let (mut rest, mut der) = (text, Vec::new());
    while let Some((block, behind)) = pem::decode(rest) {
        if block.label != "CERTIFICATE" {
            return Err(Failure::error("PEM block type is not CERTIFICATE"));
        }
        der.extend(block.bytes);
        rest = behind;
    }
    Ok(der)
}

fn standard(text: &str) -> Result<Vec<u8>, Failure> {
    encoding::standard(text.as_bytes())
        .map_err(|at| Failure::error(format!("illegal base64 data at input byte {at}")))
}
