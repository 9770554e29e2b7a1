//! Values as Go's `encoding/json` prints them.

use portcullis_crypto::{encoding, public::PublicKey, x509::Oid};

use super::super::call::Failure;
use crate::value::{self, Value};

pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    value::object(members.map(|(name, value)| (value::string(name), value)))
}

/// Bytes are base64.
pub(super) fn bytes(bytes: &[u8]) -> Value {
    value::string(&encoding::to_standard(bytes))
}

/// A slice is null where it was never made.
pub(super) fn list<T>(items: &[T], print: impl Fn(&T) -> Value) -> Value {
    match items {
        [] => Value::Null,
        items => value::array(items.iter().map(print)),
    }
}

pub(super) fn strings(items: &[String]) -> Value {
    list(items, |item| value::string(item))
}

pub(super) fn oid(oid: &Oid) -> Value {
    value::array(oid.iter().map(|arc| Value::from(u64::from(*arc))))
}

/// As long as the longest key.
const LONGEST_NUMBER: usize = 1024;

/// A big-endian number, exactly.
pub(super) fn number(bytes: &[u8]) -> Result<Value, Failure> {
    if bytes.len() > LONGEST_NUMBER {
        return Err(Failure::Unsupported("a number of more than 8192 bits"));
    }
    Value::from_numeric_string(&encoding::to_decimal(bytes))
        .map_err(|_| Failure::error("a number that cannot be held"))
}

pub(super) fn public_key(key: &PublicKey) -> Result<Value, Failure> {
    Ok(match key {
        PublicKey::Rsa(key) => object([("N", number(&key.n)?), ("E", number(&key.e)?)]),
        PublicKey::Ec(key) => object([
            ("Curve", object([])),
            ("X", number(&key.x)?),
            ("Y", number(&key.y)?),
        ]),
        PublicKey::Ed25519(key) => bytes(&key.bytes),
        PublicKey::X25519(_) => object([]),
        PublicKey::Dsa => return Err(Failure::Unsupported("a DSA key")),
        PublicKey::Unknown => Value::Null,
    })
}

/// Go's number for a key's algorithm.
pub(super) fn key_algorithm(key: &PublicKey) -> Value {
    Value::from(match key {
        PublicKey::Rsa(_) => 1_u64,
        PublicKey::Dsa => 2,
        PublicKey::Ec(_) => 3,
        PublicKey::Ed25519(_) => 4,
        PublicKey::X25519(_) | PublicKey::Unknown => 0,
    })
}
