//! The bodies that are kept for the policy, of all requests that a gate holds at once: each is bounded
//! by `max_bytes`, and this bounds how many there are.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// As much as one gate keeps at once. A guest has 1 GiB, and a body that grows is there twice.
pub const MOST_BYTES: u64 = 128 << 20;

/// Where a gate's bodies are kept.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<AtomicU64>);

/// One of them. Its place is free again when it is dropped.
#[derive(Debug)]
pub struct Kept {
    bytes: Vec<u8>,
    shelf: Shelf,
}

/// There is no place for more.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Shelf {
    pub fn begin(&self) -> Kept {
        Kept {
            bytes: Vec::new(),
            shelf: self.clone(),
        }
    }
}

impl Kept {
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Full> {
        let more = length(piece);
        let with_it = |taken: u64| {
            let taken = taken.checked_add(more)?;
            (taken <= MOST_BYTES).then_some(taken)
        };
        let taken = &self.shelf.0;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it)
            .map_err(|_| Full)?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let own = length(&self.bytes);
        self.shelf.0.fetch_sub(own, Ordering::Relaxed);
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Full, MOST_BYTES, Shelf};

    #[test]
    fn a_full_shelf_takes_no_more_until_something_goes() {
        let shelf = Shelf::default();
        let half = vec![b'a'; usize::try_from(MOST_BYTES / 2).unwrap_or(usize::MAX)];
        let (mut one, mut other) = (shelf.begin(), shelf.begin());
        assert_eq!(one.push(&half), Ok(()));
        assert_eq!(other.push(&half), Ok(()));
        assert_eq!(one.push(b"x"), Err(Full));
        assert_eq!(one.bytes().len(), half.len());
        assert_eq!(Shelf::default().begin().push(b"x"), Ok(()));
        drop(other);
        assert_eq!(one.push(b"x"), Ok(()));
        drop(one);
        assert_eq!(shelf.0.load(super::Ordering::Relaxed), 0);
    }
}
