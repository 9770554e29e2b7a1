//! A store of fixed places, in memory that has compare-and-swap and neither an end nor a deletion of
//! what is in it: as Envoy's shared data.
//!
//! Every claim has one cell, which its digest names. It is taken by replacing that cell's content by
//! itself and the new entry, if the content is still what was looked at; else it is looked at again.
//! So of two who claim the same at the same time the second finds the first one's entry. The cells of
//! a space are as many as its entries need, and each has an end: nothing that a client sends adds one.

use super::{
    Claim, Denied, Kind, ReplayStore, Space, Why,
    bucket::{Bucket, Entry, Not, Room},
    hex,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Memory that several may use at once. A key always means the same cell.
pub trait Cells {
    /// A cell's content and its version; `None` where there is no such cell.
    ///
    /// # Errors
    /// The memory does not answer.
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, CellFault>;

    /// Writes a cell that has been seen in this version, or that has been seen absent, if it still is.
    ///
    /// # Errors
    /// The memory does not answer.
    fn write(&self, key: &str, value: &[u8], seen: Option<u32>) -> Result<Written, CellFault>;
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Somebody else has written it: nothing was changed.
    Changed,
}

/// Memory that does not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellFault;

/// The store in some cells, whose keys begin with the prefix.
pub struct Table<C> {
    prefix: String,
    cells: C,
    fills: Fills,
}

/// How full the cells were that were used last, in percent. Digests are spread evenly, so that one tells
/// of all.
#[derive(Clone, Default)]
pub struct Fills(Arc<Mutex<BTreeMap<Kind, u64>>>);

impl Fills {
    fn note(&self, kind: Kind, entries: usize, room: usize) {
        let percent = entries.saturating_mul(100).checked_div(room).unwrap_or(100);
        self.lock()
            .insert(kind, u64::try_from(percent).unwrap_or(100));
    }

    /// Those that were noted since this was asked last.
    pub fn take(&self) -> Vec<(Kind, u64)> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each time somebody else has got on: as many workers at one cell, at one moment, there are not.
const TRIES: usize = 256;
/// Entries that fall into one cell, where all are taken.
const MEAN: u32 = 64;
/// A member may have one in so many.
const SHARE: u32 = 4;
const SECOND: u64 = 1_000_000_000;

impl<C> Table<C> {
    pub fn new(prefix: impl Into<String>, cells: C) -> Table<C> {
        Table {
            prefix: prefix.into(),
            cells,
            fills: Fills::default(),
        }
    }

    /// The table that notes there how full it is.
    pub fn noting(mut self, fills: &Fills) -> Table<C> {
        self.fills = fills.clone();
        self
    }

    #[cfg(test)]
    pub fn cells(&self) -> &C {
        &self.cells
    }
}

impl<C: Cells> Table<C> {
    fn take(&self, claim: &Claim, now_ns: u64) -> Result<(), Why> {
        let shape = Shape::of(&claim.space);
        let key = shape.cell(&self.prefix, claim);
        // A part of a second more is remembered, never less.
        let entry = Entry {
            digest: claim.digest,
            member: claim.member,
            until: seconds(claim.until_ns.div_ceil(SECOND)),
        };
        let now = seconds(now_ns.checked_div(SECOND).unwrap_or(0));
        for _ in 0..TRIES {
            let found = self.cells.read(&key).map_err(failed)?;
            let (mut bucket, seen) = match found {
                None => (Bucket::default(), None),
                Some((bytes, version)) => {
                    (Bucket::parse(&bytes).ok_or(Why::Failed)?, Some(version))
                }
            };
            let taken = bucket.take(entry, shape.room, now);
            self.fills
                .note(claim.space.kind, bucket.len(), shape.room.all);
            taken.map_err(|not| match not {
                Not::New => Why::Seen,
                Not::Room => Why::Full,
            })?;
            match self.cells.write(&key, &bucket.bytes(), seen) {
                Ok(Written::Done) => return Ok(()),
                Ok(Written::Changed) => {}
                Err(fault) => return Err(failed(fault)),
            }
        }
        Err(Why::Failed)
    }
}

impl<C: Cells + Send + Sync> ReplayStore for Table<C> {
    fn claim(&self, claims: &[Claim], now_ns: u64) -> Result<(), Denied> {
        claims.iter().try_for_each(|claim| {
            self.take(claim, now_ns).map_err(|why| Denied {
                kind: claim.space.kind,
                why,
            })
        })
    }

    fn take_fills(&self) -> Vec<(Kind, u64)> {
        self.fills.take()
    }

    fn since_ns(&self, now_ns: u64) -> Option<u64> {
        let key = format!("{}/since", self.prefix);
        for _ in 0..TRIES {
            match self.cells.read(&key).ok()? {
                Some((bytes, _)) => return Some(u64::from_be_bytes(bytes.try_into().ok()?)),
                None => match self.cells.write(&key, &now_ns.to_be_bytes(), None).ok()? {
                    Written::Done => return Some(now_ns),
                    Written::Changed => {}
                },
            }
        }
        None
    }
}

/// How a space is laid out: in as many cells as it takes, each with room for more than its share, since
/// no digests are spread evenly. Six standard deviations: one of a hundred thousand tables that are
/// taken to their last entry has a cell that was full before.
struct Shape {
    cells: u32,
    room: Room,
}

impl Shape {
    fn of(space: &Space) -> Shape {
        let cells = space.entries.div_ceil(MEAN).max(1);
        let mean = space.entries.div_ceil(cells);
        let all = match cells {
            1 => mean,
            _ => mean.saturating_add(mean.isqrt().saturating_mul(6)),
        };
        let member = match space.kind {
            Kind::Signature => all,
            Kind::Proof => all.div_ceil(SHARE),
        };
        let size = |entries: u32| usize::try_from(entries).unwrap_or(usize::MAX);
        Shape {
            cells,
            room: Room {
                all: size(all),
                member: size(member),
            },
        }
    }

    fn cell(&self, prefix: &str, claim: &Claim) -> String {
        let number = u128::from_be_bytes(claim.digest)
            .checked_rem(u128::from(self.cells))
            .unwrap_or(0);
        // Another number of cells is another layout, in which nothing would be found again.
        let (space, cells) = (hex(&claim.space.name), self.cells);
        format!("{prefix}/{space}/{cells}/{number}")
    }
}

fn failed(_: CellFault) -> Why {
    Why::Failed
}

/// Later than the last second that fits is never.
fn seconds(found: u64) -> u32 {
    u32::try_from(found).unwrap_or(u32::MAX)
}
