//! The ABI's list of pairs: a count, then the sizes of each key and value, then both with a NUL behind
//! each (proxy-wasm-cpp-host `include/proxy-wasm/pairs_util.h`).

use std::{mem::size_of, ops::Range};

/// The pairs of a map, in the bytes in which the host gave them.
#[derive(Default)]
pub struct Pairs {
    bytes: Vec<u8>,
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Pairs {
    /// `None` where they are not what the ABI says.
    pub fn parse(bytes: Vec<u8>) -> Option<Pairs> {
        if bytes.is_empty() {
            return Some(Pairs::default());
        }
        let (count, rest) = take_u32(&bytes)?;
        // Each pair takes eight bytes of sizes, so a count beyond the bytes there are ends here.
        let sizes_len = count.checked_mul(8)?;
        let mut sizes = rest.get(..sizes_len)?;
        let mut at = size_of::<u32>().checked_add(sizes_len)?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let (key_size, after_key) = take_u32(sizes)?;
            let (value_size, after_value) = take_u32(after_key)?;
            sizes = after_value;
            let key = take_field(&bytes, &mut at, key_size)?;
            let value = take_field(&bytes, &mut at, value_size)?;
            fields.push((key, value));
        }
        Some(Pairs { bytes, fields })
    }

    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Bytes of all of them.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // Each range was taken from these very bytes.
        let at = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.fields
            .iter()
            .map(move |(key, value)| (at(key), at(value)))
    }
}

fn take_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<{ size_of::<u32>() }>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn take_field(bytes: &[u8], at: &mut usize, size: usize) -> Option<Range<usize>> {
    let end = at.checked_add(size)?;
    if *bytes.get(end)? != 0 {
        return None;
    }
    let field = *at..end;
    *at = end.checked_add(1)?;
    Some(field)
}

pub fn serialize(pairs: &[(String, String)]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for field in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(field.as_bytes());
        bytes.push(0);
    }
    bytes
}
