//! Turning one bit over, and seeing that it is not let through.

use portcullis_runner::Observation;

/// A request that is not allowed; whether that was a decision, and not a request that no proxy takes.
pub fn refused(seen: Result<Observation, String>, what: &str) -> bool {
    match seen {
        Ok(seen) => {
            assert!(seen.upstream.is_none(), "{what}: {:?}", seen.record);
            true
        }
        Err(_) => false,
    }
}

pub fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}
