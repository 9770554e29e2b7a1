//! Keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use portcullis_crypto::{
    encoding,
    private::{EcPrivateKey, Ed25519PrivateKey, PrivateKey, RsaPrivateKey},
    public::{Curve, EcPublicKey, Ed25519PublicKey, PublicKey, RsaPublicKey},
};
use serde_json::{Map, Value as Json};

use super::{
    super::call::{Failure, World},
    algorithm::{Algorithm, EDWARDS, elliptic},
    keys::{Key, Material},
};

type Members = Map<String, Json>;

/// The keys of a set, or the one key that the text is.
///
/// # Errors
/// It is neither.
pub(super) fn set(text: &str, world: &World<'_>) -> Result<Vec<Members>, Failure> {
    world.charge(text.len().saturating_mul(4))?;
    // Not why it is none: a part of a secret may stand in that.
    let json = serde_json::from_str(text).map_err(|_| fault("it is no JSON"))?;
    members(json)
}

/// The same of JSON.
///
/// # Errors
/// As [`set`].
pub(super) fn members(json: Json) -> Result<Vec<Members>, Failure> {
    let Json::Object(mut object) = json else {
        return Err(fault("it is no object"));
    };
    let keys = match object.remove("keys") {
        None => return Ok(vec![object]),
        Some(Json::Null) => Vec::new(),
        Some(Json::Array(keys)) => keys,
        Some(_) => return Err(fault("its keys are no array")),
    };
    keys.into_iter()
        .map(|key| match key {
            Json::Object(key) => Ok(key),
            _ => Err(fault("a key of it is no object")),
        })
        .collect()
}

/// A key to verify with; none where it is for something else.
///
/// # Errors
/// What is wrong with it.
pub(super) fn verification_key(
    members: &Members,
    world: &World<'_>,
) -> Result<Option<Key>, Failure> {
    let material = match private_key(members, world)? {
        Some(PrivateKey::Rsa(key)) => Material::Private(PublicKey::Rsa(key.public)),
        Some(PrivateKey::Ec(key)) => Material::Private(PublicKey::Ec(key.public)),
        Some(PrivateKey::Ed25519(key)) => {
            Material::Private(PublicKey::Ed25519(Ed25519PublicKey::new(key.public())))
        }
        Some(PrivateKey::X25519) => Material::Private(PublicKey::Unknown),
        None => match secret(members)? {
            Some(secret) => Material::Secret(secret),
            None => Material::Public(public_key(members)?),
        },
    };
    let kid = text(members, "kid")?.map(str::to_owned);
    let alg = match text(members, "alg")? {
        None => None,
        Some(alg) if Algorithm::parse(alg).is_some() => Some(alg.to_owned()),
        Some(alg) if OTHER_ALGORITHMS.contains(&alg) => return Ok(None),
        Some(_) => return Err(fault("its algorithm is not known")),
    };
    Ok(Some(Key { material, alg, kid }))
}

/// Those of keys that are not for the signatures of tokens (RFC 7518 sections 4.1 and 5.1).
const OTHER_ALGORITHMS: &[&str] = &[
    "none",
    "ES256K",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "A128KW",
    "A192KW",
    "A256KW",
    "A128GCMKW",
    "A192GCMKW",
    "A256GCMKW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
    "A128CBC-HS256",
    "A192CBC-HS384",
    "A256CBC-HS512",
    "A128GCM",
    "A192GCM",
    "A256GCM",
];

/// A shared secret, where the key is one.
///
/// # Errors
/// It lacks its bytes.
pub(super) fn secret(members: &Members) -> Result<Option<Vec<u8>>, Failure> {
    match kty(members)? {
        "oct" => bytes(members, "k").map(Some),
        _ => Ok(None),
    }
}

/// A private key, where the key is one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn private_key(
    members: &Members,
    world: &World<'_>,
) -> Result<Option<PrivateKey>, Failure> {
    if !members.contains_key("d") {
        return Ok(None);
    }
    let key = match kty(members)? {
        "RSA" => {
            let part = |name| bytes(members, name);
            PrivateKey::Rsa(Box::new(RsaPrivateKey::new(
                &part("n")?,
                &part("e")?,
                &part("d")?,
                &part("p")?,
                &part("q")?,
            )))
        }
        "EC" => {
            let curve = curve(members)?;
            bytes(members, "x")?;
            bytes(members, "y")?;
            // The public half is computed from the private one.
            world.charge(elliptic(curve))?;
            EcPrivateKey::new(curve, &bytes(members, "d")?)
                .map(|key| PrivateKey::Ec(Box::new(key)))
                .map_err(fault)?
        }
        "OKP" => {
            let (d, x) = (bytes(members, "d")?, bytes(members, "x")?);
            world.charge(EDWARDS)?;
            match text(members, "crv")? {
                Some("Ed25519") => {
                    let seed = d.as_slice().try_into();
                    let key = Ed25519PrivateKey::new(seed.map_err(|_| fault("wrong key size"))?);
                    if key.public() != *x {
                        return Err(fault("its halves do not belong to each other"));
                    }
                    PrivateKey::Ed25519(Box::new(key))
                }
                Some("X25519") if d.len() == 32 => PrivateKey::X25519,
                _ => return Err(fault("its curve is not known")),
            }
        }
        "oct" => return Ok(None),
        _ => return Err(fault("its type is not known")),
    };
    Ok(Some(key))
}

fn public_key(members: &Members) -> Result<PublicKey, Failure> {
    match kty(members)? {
        "RSA" => Ok(PublicKey::Rsa(RsaPublicKey::new(
            &bytes(members, "n")?,
            &bytes(members, "e")?,
        ))),
        "EC" => Ok(PublicKey::Ec(EcPublicKey::new(
            curve(members)?,
            &bytes(members, "x")?,
            &bytes(members, "y")?,
        ))),
        "OKP" => {
            let x = bytes(members, "x")?;
            match text(members, "crv")? {
                // Of a wrong length it is a key to Go, which verifies nothing.
                Some("Ed25519") => Ok(x.as_slice().try_into().map_or(PublicKey::Unknown, |x| {
                    PublicKey::Ed25519(Ed25519PublicKey::new(x))
                })),
                Some("X25519") if x.len() == 32 => Ok(PublicKey::X25519(x)),
                _ => Err(fault("its curve is not known")),
            }
        }
        _ => Err(fault("its type is not known")),
    }
}

fn kty(members: &Members) -> Result<&str, Failure> {
    text(members, "kty")?.ok_or_else(|| fault("it has no type"))
}

fn curve(members: &Members) -> Result<Curve, Failure> {
    text(members, "crv")?
        .and_then(Curve::parse)
        .ok_or_else(|| fault("its curve is not known"))
}

fn text<'a>(members: &'a Members, name: &str) -> Result<Option<&'a str>, Failure> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(fault("a member of it is no string")),
    }
}

fn bytes(members: &Members, name: &str) -> Result<Vec<u8>, Failure> {
    let text = text(members, name)?.ok_or_else(|| fault("a part of it is missing"))?;
    encoding::guessed(text.as_bytes()).map_err(|_| fault("a part of it is no base64url"))
}

fn fault(why: &'static str) -> Failure {
    Failure::error(format!("failed to parse a JWK key (set): {why}"))
}
