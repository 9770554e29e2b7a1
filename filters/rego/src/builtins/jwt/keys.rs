//! The keys that a token is verified with, from a certificate, a public key or a JWK set. Public
//! ones are kept, since a policy says the same key for each request.

use std::{cell::RefCell, rc::Rc};

use portcullis_crypto::{pem, public::PublicKey, sha256, x509::Certificate};

use super::{
    super::call::{Failure, World},
    algorithm::hashing,
    jwk,
};

/// A key, and what its JWK says about it.
pub(super) struct Key {
    pub material: Material,
    pub alg: Option<String>,
    pub kid: Option<String>,
}

pub(super) enum Material {
    Public(PublicKey),
    /// The public half of a private key.
    Private(PublicKey),
    Secret(Vec<u8>),
}

pub(super) type Keys = Rc<Vec<Key>>;

/// As many as a policy may well have; what a client sends may push others out, and no more.
const KEPT: usize = 32;
/// Beyond any set of keys; what is larger is parsed each time.
const LONGEST_KEPT: usize = 64 * 1024;

thread_local! {
    /// The most recently used ones last, by the hash of their text.
    static CACHE: RefCell<Vec<([u8; 32], Keys)>> = const { RefCell::new(Vec::new()) };
}

/// The keys that a text holds.
///
/// # Errors
/// It holds none, or the budget is used up.
pub(super) fn keys(text: &str, world: &World<'_>) -> Result<Keys, Failure> {
    if text.len() > LONGEST_KEPT {
        return parse(text, world);
    }
    hashing(text.as_bytes(), world)?;
    let hash = sha256(text.as_bytes());
    if let Some(found) = cached(&hash) {
        return Ok(found);
    }
    let keys = parse(text, world)?;
    let public = |key: &Key| matches!(key.material, Material::Public(_));
    if keys.iter().all(public) {
        keep(hash, &keys);
    }
    Ok(keys)
}

fn cached(hash: &[u8; 32]) -> Option<Keys> {
    CACHE.with_borrow_mut(|cache| {
        let position = cache.iter().position(|(kept, _)| kept == hash)?;
        let entry = cache.remove(position);
        let keys = Rc::clone(&entry.1);
        cache.push(entry);
        Some(keys)
    })
}

fn keep(hash: [u8; 32], keys: &Keys) {
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= KEPT {
            cache.remove(0);
        }
        cache.push((hash, Rc::clone(keys)));
    });
}

/// Text that is read more than once, and numbers that are computed with.
const PARSING: usize = 16;

fn parse(text: &str, world: &World<'_>) -> Result<Keys, Failure> {
    world.charge(text.len().saturating_mul(PARSING))?;
    let Some((block, rest)) = pem::decode(text.as_bytes()) else {
        return jwk::set(text, world)?
            .iter()
            .filter_map(|member| jwk::verification_key(member, world).transpose())
            .collect::<Result<Vec<_>, _>>()
            .map(Rc::new);
    };
    if !rest.is_empty() {
        return Err(Failure::error("extra data after a PEM certificate block"));
    }
    let key = match block.label.as_str() {
        "CERTIFICATE" => Certificate::parse(&block.bytes)
            .map(|certificate| certificate.public_key)
            .map_err(|why| Failure::error(format!("failed to parse a PEM certificate: {why}"))),
        "PUBLIC KEY" => PublicKey::from_spki(&block.bytes)
            .map_err(|why| Failure::error(format!("failed to parse a PEM public key: {why}"))),
        _ => Err(Failure::error(
            "failed to extract a Key from the PEM certificate",
        )),
    }?;
    let material = Material::Public(key);
    let (alg, kid) = (None, None);
    Ok(Rc::new(vec![Key { material, alg, kid }]))
}

/// The first key of this name, where a token names one.
pub(super) fn of_kid<'a>(keys: &'a [Key], kid: Option<&str>) -> Option<&'a Key> {
    let kid = kid.filter(|kid| !kid.is_empty())?;
    keys.iter().find(|key| key.kid.as_deref() == Some(kid))
}
