//! `crypto.*`: hashes and MACs.

use portcullis_crypto::{
    encoding,
    legacy::{self, Hash},
};

use super::{
    call::{Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("crypto.md5", 1, |a, w| digest(a, w, Hash::Md5)),
    own("crypto.sha1", 1, |a, w| digest(a, w, Hash::Sha1)),
    own("crypto.sha256", 1, |a, w| digest(a, w, Hash::Sha256)),
    own("crypto.hmac.md5", 2, |a, w| hmac(a, w, Hash::Md5)),
    own("crypto.hmac.sha1", 2, |a, w| hmac(a, w, Hash::Sha1)),
    own("crypto.hmac.sha256", 2, |a, w| hmac(a, w, Hash::Sha256)),
    own("crypto.hmac.sha512", 2, |a, w| hmac(a, w, Hash::Sha512)),
    own("crypto.hmac.equal", 2, equal),
];

/// Hashing is dearer than reading.
const HASHING: usize = 4;

fn digest(arguments: &[Value], world: &World<'_>, hash: Hash) -> Outcome {
    let message = operand::string(arguments, 0)?;
    world.charge(message.len().saturating_mul(HASHING))?;
    Ok(Some(hex(&legacy::digest(hash, message.as_bytes()))))
}

fn hmac(arguments: &[Value], world: &World<'_>, hash: Hash) -> Outcome {
    let message = operand::string(arguments, 0)?;
    let key = operand::string(arguments, 1)?;
    let bytes = message.len().saturating_add(key.len());
    world.charge(bytes.saturating_mul(HASHING))?;
    let tag = legacy::hmac(hash, key.as_bytes(), message.as_bytes());
    Ok(Some(hex(&tag)))
}

/// In constant time.
fn equal(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (a, b) = (
        operand::string(arguments, 0)?,
        operand::string(arguments, 1)?,
    );
    world.charge(a.len())?;
    let equal = portcullis_crypto::constant_time_eq_slices(a.as_bytes(), b.as_bytes());
    Ok(Some(Value::Bool(equal)))
}

fn hex(bytes: &[u8]) -> Value {
    value::string(&encoding::to_hex(bytes))
}
