//! The bodies that are kept for the policy, of all requests that a gate holds at once: each is bounded
//! by `max_bytes`, and this bounds how many there are.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// As much as one gate keeps at once. A guest has 1 GiB; the one whose end has come is there twice while
/// it is put together.
pub const MOST_BYTES: u64 = 128 << 20;

/// A text that grows is there twice whenever it moves, and leaves holes behind: memory for four of them.
/// Blocks stay where they are.
const BLOCK_BYTES: usize = 16 << 10;

/// Where a gate's bodies are kept.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<AtomicU64>);

/// One of them that comes.
#[derive(Debug)]
pub struct Kept {
    /// Each but the last is full.
    blocks: Vec<Vec<u8>>,
    place: Place,
}

/// One that is there.
#[derive(Debug)]
pub struct Whole {
    bytes: Vec<u8>,
    _place: Place,
}

/// There is no place for more.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Shelf {
    pub fn begin(&self) -> Kept {
        Kept {
            blocks: Vec::new(),
            place: Place {
                taken: 0,
                shelf: self.clone(),
            },
        }
    }
}

impl Kept {
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), Full> {
        self.place.take(piece.len())?;
        while !piece.is_empty() {
            let block = match self.blocks.pop() {
                Some(block) if block.len() < BLOCK_BYTES => block,
                Some(full) => {
                    self.blocks.push(full);
                    Vec::with_capacity(BLOCK_BYTES)
                }
                // Most bodies are small.
                None => Vec::new(),
            };
            piece = self.fill(block, piece);
        }
        Ok(())
    }

    /// Gives back what does not fit.
    fn fill<'p>(&mut self, mut block: Vec<u8>, piece: &'p [u8]) -> &'p [u8] {
        let room = BLOCK_BYTES.saturating_sub(block.len());
        let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
        block.extend_from_slice(now);
        self.blocks.push(block);
        later
    }

    pub fn finish(mut self) -> Whole {
        let bytes = match self.blocks.len() {
            0 | 1 => self.blocks.pop().unwrap_or_default(),
            _ => self.blocks.concat(),
        };
        Whole {
            bytes,
            _place: self.place,
        }
    }
}

impl Whole {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What one body takes of the shelf. It is free again when this is dropped.
#[derive(Debug)]
struct Place {
    taken: u64,
    shelf: Shelf,
}

impl Place {
    fn take(&mut self, more: usize) -> Result<(), Full> {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        let with_it = |taken: u64| {
            let taken = taken.checked_add(more)?;
            (taken <= MOST_BYTES).then_some(taken)
        };
        let all = &self.shelf.0;
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it)
            .map_err(|_| Full)?;
        self.taken = self.taken.saturating_add(more);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shelf.0.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, Full, MOST_BYTES, Shelf};
    use std::sync::atomic::Ordering;

    #[test]
    fn a_full_shelf_takes_no_more_until_something_goes() {
        let shelf = Shelf::default();
        let half = vec![b'a'; usize::try_from(MOST_BYTES / 2).unwrap_or(usize::MAX)];
        let (mut one, mut other) = (shelf.begin(), shelf.begin());
        assert_eq!(one.push(&half), Ok(()));
        assert_eq!(other.push(&half), Ok(()));
        assert_eq!(one.push(b"x"), Err(Full));
        assert_eq!(Shelf::default().begin().push(b"x"), Ok(()));
        drop(other);
        assert_eq!(one.push(b"x"), Ok(()));
        let one = one.finish();
        assert_eq!(one.bytes().len(), half.len() + 1);
        assert_eq!(shelf.0.load(Ordering::Relaxed), MOST_BYTES / 2 + 1);
        drop(one);
        assert_eq!(shelf.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn it_is_what_came_in_whatever_pieces() {
        let sizes = [
            0,
            1,
            BLOCK_BYTES - 1,
            BLOCK_BYTES,
            BLOCK_BYTES + 1,
            3 * BLOCK_BYTES + 5,
        ];
        let all: Vec<u8> = (0..=250).cycle().take(10 * BLOCK_BYTES).collect();
        for first in sizes {
            for then in sizes {
                let mut kept = Shelf::default().begin();
                let (one, rest) = all.split_at(first);
                let body = &all[..first + 2 * then];
                for piece in [one, &rest[..then], &rest[then..2 * then]] {
                    assert_eq!(kept.push(piece), Ok(()));
                }
                let room: usize = kept.blocks.iter().map(Vec::capacity).sum();
                assert!(room < body.len() + 2 * BLOCK_BYTES);
                assert!(kept.finish().bytes() == body, "{first} and {then}");
            }
        }
    }
}
