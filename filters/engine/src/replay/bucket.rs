//! One cell's content: the claims that fall into it, each with its end. It is replaced as a whole.

/// As it lies in a cell: a version, the time before which everything may be forgotten, entries.
const VERSION: u8 = 1;
const HEAD: usize = 5;
const ENTRY: usize = 28;

/// Seconds since the Unix epoch throughout.
#[derive(Default)]
pub struct Bucket {
    /// The latest end of what was forgotten. What ends no later may have been here.
    forgotten: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
pub struct Entry {
    pub digest: [u8; 16],
    pub member: [u8; 8],
    pub until: u32,
}

/// How many entries a bucket has room for, of everybody and of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub all: usize,
    pub member: usize,
}

/// Why an entry is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Not {
    New,
    Room,
}

impl Bucket {
    /// `None`: these bytes are not ours.
    pub fn parse(bytes: &[u8]) -> Option<Bucket> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let (version, forgotten) = head.split_first()?;
        let (entries, []) = rest.as_chunks::<ENTRY>() else {
            return None;
        };
        if *version != VERSION {
            return None;
        }
        Some(Bucket {
            forgotten: u32::from_be_bytes(forgotten.try_into().ok()?),
            entries: entries.iter().map(Entry::parse).collect::<Option<_>>()?,
        })
    }

    /// How many claims it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let size = self.entries.len().saturating_mul(ENTRY);
        let mut bytes = Vec::with_capacity(size.saturating_add(HEAD));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.forgotten.to_be_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.digest);
            bytes.extend_from_slice(&entry.member);
            bytes.extend_from_slice(&entry.until.to_be_bytes());
        }
        bytes
    }

    /// Takes an entry that was not here, once those whose time is over have made room. A clock that is
    /// set back, or a worker's that is behind, brings nothing back that was forgotten.
    pub fn take(&mut self, new: Entry, room: Room, now: u32) -> Result<(), Not> {
        for entry in self.entries.extract_if(.., |it| it.until <= now) {
            self.forgotten = self.forgotten.max(entry.until);
        }
        let is_here = |entry: &Entry| entry.digest == new.digest;
        if new.until <= self.forgotten || self.entries.iter().any(is_here) {
            return Err(Not::New);
        }
        let is_own = |entry: &&Entry| entry.member == new.member;
        let own = self.entries.iter().filter(is_own).count();
        if self.entries.len() >= room.all || own >= room.member {
            return Err(Not::Room);
        }
        self.entries.push(new);
        Ok(())
    }
}

impl Entry {
    fn parse(bytes: &[u8; ENTRY]) -> Option<Entry> {
        let (digest, rest) = bytes.split_first_chunk::<16>()?;
        let (member, until) = rest.split_first_chunk::<8>()?;
        Some(Entry {
            digest: *digest,
            member: *member,
            until: u32::from_be_bytes(until.try_into().ok()?),
        })
    }
}
