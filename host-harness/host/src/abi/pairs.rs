//! Lists of pairs as they cross the boundary (`PairsUtil` of proxy-wasm-cpp-host).

/// Past these a list decodes as empty (`limits.h`).
const MAX_BYTES: usize = 1 << 20;
const MAX_PAIRS: usize = 1024;

type Pair<'a> = (&'a [u8], &'a [u8]);

/// An empty list becomes no bytes at all, as `get_header_map_pairs` has it.
pub(crate) fn encode<'a>(pairs: impl Iterator<Item = Pair<'a>> + Clone) -> Vec<u8> {
    let count = pairs.clone().count();
    if count == 0 {
        return Vec::new();
    }
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&size(count));
    for (name, value) in pairs.clone() {
        bytes.extend_from_slice(&size(name.len()));
        bytes.extend_from_slice(&size(value.len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

/// Anything malformed or oversized is an empty list, not an error: Envoy does not tell.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Pair<'_>> {
    if bytes.len() > MAX_BYTES {
        return Vec::new();
    }
    try_decode(bytes).unwrap_or_default()
}

fn try_decode(bytes: &[u8]) -> Option<Vec<Pair<'_>>> {
    let (count, rest) = take_size(bytes)?;
    if count > MAX_PAIRS {
        return None;
    }
    let (mut sizes, mut texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name, value);
        (name, sizes) = take_size(sizes)?;
        (value, sizes) = take_size(sizes)?;
        let pair;
        (pair, texts) = take_pair(texts, name, value)?;
        pairs.push(pair);
    }
    texts.is_empty().then_some(pairs)
}

fn take_pair(texts: &[u8], name: usize, value: usize) -> Option<(Pair<'_>, &[u8])> {
    let (name, texts) = take_text(texts, name)?;
    let (value, texts) = take_text(texts, value)?;
    Some(((name, value), texts))
}

fn take_text(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(size)?;
    let (end, rest) = rest.split_first()?;
    (*end == 0).then_some((text, rest))
}

fn take_size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*size) as usize, rest))
}

fn size(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}
