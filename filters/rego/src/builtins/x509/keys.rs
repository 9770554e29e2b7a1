//! Private keys, as Go's structures or as JWKs (RFC 7518 section 6).

use portcullis_crypto::{
    encoding, pem,
    private::{PrivateKey, RsaPrivateKey},
    public::PublicKey,
    x509,
};

use super::{
    super::{
        call::{Failure, Outcome, World},
        jwt, operand,
    },
    PARSING, certificate,
    go::{bytes, number, object},
    standard,
};
use crate::value::{self, Value};

pub(super) fn parse_private_keys(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    if text.is_empty() {
        return Ok(Some(Value::Null));
    }
    let keys = private_keys(text.as_bytes(), world)?;
    let keys = keys.iter().map(go_key);
    keys.collect::<Result<Vec<_>, _>>()
        .map(Value::from)
        .map(Some)
}

pub(super) fn parse_rsa_private_key(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    if text.is_empty() {
        return Err(Failure::error("input PEM data was empty"));
    }
    world.charge(text.len())?;
    let bytes = match text.starts_with("-----BEGIN") {
        true => text.as_bytes().to_vec(),
        false => standard(text)?,
    };
    let keys = private_keys(&bytes, world)?;
    keys.first().map_or(Ok(Value::Null), jwk).map(Some)
}

pub(super) fn parse_keypair(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (chain, key) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    world.charge(chain.len().saturating_mul(PARSING))?;
    world.charge(key.len().saturating_mul(PARSING))?;
    let mut ders = ders(chain, |label| label == "CERTIFICATE")?;
    let leaf = ders
        .first()
        .ok_or_else(|| Failure::error("tls: failed to find any PEM data in certificate input"))?;
    let leaf = x509::Certificate::parse(leaf).map_err(Failure::error)?;
    let is_key = |label: &str| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
    let der = self::ders(key, is_key)?;
    let der = der
        .first()
        .ok_or_else(|| Failure::error("tls: failed to find any PEM data in key input"))?;
    let key = key_of_any_kind(der, world)?;
    if !belongs(&key, &leaf.public_key) {
        return Err(Failure::error("tls: private key does not match public key"));
    }
    Ok(Some(object([
        (
            "Certificate",
            value::array(ders.drain(..).map(|der| bytes(&der))),
        ),
        ("PrivateKey", go_key(&key)?),
        ("SupportedSignatureAlgorithms", Value::Null),
        ("OCSPStaple", Value::Null),
        ("SignedCertificateTimestamps", Value::Null),
        ("Leaf", certificate::certificate(&leaf)?),
    ])))
}

/// What stands in the blocks of some labels; what is no PEM is base64 of PEM or of one block.
fn ders(text: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Vec<u8>>, Failure> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let bytes = match text.as_bytes().starts_with(BEGIN) {
        true => text.as_bytes().to_vec(),
        false => standard(text)?,
    };
    if !bytes.starts_with(BEGIN) {
        return Ok(vec![bytes]);
    }
    let (mut rest, mut found) = (&*bytes, Vec::new());
    while let Some((block, behind)) = pem::decode(rest) {
        if wanted(&block.label) {
            found.push(block.bytes);
        }
        rest = behind;
    }
    Ok(found)
}

/// Go tries one form after the other, whatever the label says.
fn key_of_any_kind(der: &[u8], world: &World<'_>) -> Result<PrivateKey, Failure> {
    for label in ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"] {
        match checked(label, der, world) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) | Err(Failure::Error(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Failure::error("tls: failed to parse private key"))
}

fn belongs(key: &PrivateKey, to: &PublicKey) -> bool {
    match (key, to) {
        (PrivateKey::Rsa(key), PublicKey::Rsa(to)) => key.public.n == to.n,
        (PrivateKey::Ec(key), PublicKey::Ec(to)) => key.public.x == to.x && key.public.y == to.y,
        (PrivateKey::Ed25519(key), PublicKey::Ed25519(to)) => key.public() == to.bytes,
        _ => false,
    }
}

/// In PEM, or base64 of it. Blocks of other labels are passed over.
fn private_keys(text: &[u8], world: &World<'_>) -> Result<Vec<PrivateKey>, Failure> {
    world.charge(text.len().saturating_mul(PARSING))?;
    let decoded = encoding::standard(text);
    let text = decoded.as_deref().unwrap_or(text);
    let (mut rest, mut keys) = (text, Vec::new());
    while let Some((block, behind)) = pem::decode(rest) {
        keys.extend(checked(&block.label, &block.bytes, world)?);
        rest = behind;
    }
    Ok(keys)
}

fn checked(label: &str, der: &[u8], world: &World<'_>) -> Result<Option<PrivateKey>, Failure> {
    world.charge(jwt::LONGEST_CURVE)?;
    let key = PrivateKey::from_pem_block(label, der).map_err(Failure::error)?;
    if let Some(PrivateKey::Rsa(key)) = &key {
        world.charge(jwt::private_rsa(&key.public.n))?;
        if !key.is_valid().map_err(jwt::sign_fault)? {
            return Err(Failure::error("crypto/rsa: invalid private key"));
        }
    }
    Ok(key)
}

fn go_key(key: &PrivateKey) -> Result<Value, Failure> {
    Ok(match key {
        PrivateKey::Rsa(key) => {
            let parts = precomputed(key)?;
            object([
                ("N", number(&key.public.n)?),
                ("E", number(&key.public.e)?),
                ("D", number(&key.d)?),
                ("Primes", value::array([number(&key.p)?, number(&key.q)?])),
                (
                    "Precomputed",
                    object([
                        ("Dp", number(&parts.dp)?),
                        ("Dq", number(&parts.dq)?),
                        ("Qinv", number(&parts.qi)?),
                        ("CRTValues", value::array([])),
                    ]),
                ),
            ])
        }
        PrivateKey::Ec(key) => object([
            ("Curve", object([])),
            ("X", number(&key.public.x)?),
            ("Y", number(&key.public.y)?),
            ("D", number(&key.d)?),
        ]),
        PrivateKey::Ed25519(key) => bytes(&[key.seed(), key.public()].concat()),
        PrivateKey::X25519 => object([]),
    })
}

fn jwk(key: &PrivateKey) -> Result<Value, Failure> {
    let text = |bytes: &[u8]| value::string(&encoding::to_url(bytes));
    Ok(match key {
        PrivateKey::Rsa(key) => {
            let parts = precomputed(key)?;
            object([
                ("kty", value::string("RSA")),
                ("n", text(&key.public.n)),
                ("e", text(&key.public.e)),
                ("d", text(&key.d)),
                ("p", text(&key.p)),
                ("q", text(&key.q)),
                ("dp", text(&parts.dp)),
                ("dq", text(&parts.dq)),
                ("qi", text(&parts.qi)),
            ])
        }
        PrivateKey::Ec(key) => object([
            ("kty", value::string("EC")),
            ("crv", value::string(key.public.curve.name())),
            ("x", text(&key.public.x)),
            ("y", text(&key.public.y)),
            ("d", text(&key.d)),
        ]),
        PrivateKey::Ed25519(key) => object([
            ("kty", value::string("OKP")),
            ("crv", value::string("Ed25519")),
            ("x", text(&key.public())),
            ("d", text(&key.seed())),
        ]),
        PrivateKey::X25519 => return Err(Failure::Unsupported("an X25519 key")),
    })
}

fn precomputed(key: &RsaPrivateKey) -> Result<portcullis_crypto::private::Precomputed, Failure> {
    key.precomputed().map_err(jwt::sign_fault)
}
