//! `io.jwt.verify_*`: whether a token's signature is of a key, and nothing of what the token says.

use portcullis_crypto::public::{self, Hash};

use super::{
    super::{
        call::{Failure, Outcome, World},
        operand,
    },
    algorithm::{Algorithm, Signed, hashing},
    constraints::Header,
    decode::Token,
    keys::{self, Key},
};
use crate::value::Value;

/// With a secret: the second argument as it is written, whatever the token calls its algorithm.
pub(super) fn hmac(arguments: &[Value], world: &World<'_>, hash: Hash) -> Outcome {
    let text = operand::string(arguments, 0)?;
    let secret = operand::string(arguments, 1)?;
    world.charge(text.len())?;
    let token = Token::split(text)?;
    let signature = token.signature(world)?;
    hashing(secret.as_bytes(), world)?;
    hashing(token.signed.as_bytes(), world)?;
    let valid = public::is_mac(hash, secret.as_bytes(), token.signed.as_bytes(), &signature);
    Ok(Some(Value::Bool(valid)))
}

/// With a public key, of which the algorithm must be: what the token calls it counts only between
/// keys of a set that say theirs.
pub(super) fn by(arguments: &[Value], world: &World<'_>, algorithm: Algorithm) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len())?;
    let token = Token::split(text)?;
    let keys = keys::keys(operand::string(arguments, 1)?, world)?;
    let signature = token.signature(world)?;
    let header = Header::read(&token.header(world)?)?;
    let signed = Signed {
        message: token.signed.as_bytes(),
        signature: &signature,
    };
    let check = |key: &Key| algorithm.verify(&key.material, &signed, world);
    first_of(&keys, &header, check).map(|valid| Some(Value::Bool(valid)))
}

/// Whether the key that the token names, or any key that fits its algorithm, verifies it.
///
/// # Errors
/// As the check.
pub(super) fn first_of(
    keys: &[Key],
    header: &Header,
    check: impl Fn(&Key) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    if let Some(key) = keys::of_kid(keys, header.kid.as_deref()) {
        return check(key);
    }
    for key in keys {
        let fits = key.alg.is_none() || key.alg == header.alg;
        if fits && check(key)? {
            return Ok(true);
        }
    }
    Ok(false)
}
