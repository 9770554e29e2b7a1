//! The compiled patterns that were used last. They belong to no evaluation: the patterns of a policy
//! are the same on every request.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    sync::Arc,
};

use super::{super::call::Failure, Matcher};

/// What a pattern is written in: the same text means other things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::builtins) enum Kind {
    Glob,
    Regex,
    Template,
}

/// Patterns kept.
const ENTRIES: usize = 256;
/// Bytes that all of them take.
const BYTES: usize = 4 * 1024 * 1024;

/// By the hash of what was compiled, so that a hit copies no key. The hash is keyed by chance, and
/// two patterns of one hash only replace each other.
#[derive(Default)]
struct Cache {
    hasher: RandomState,
    entries: HashMap<u64, Entry>,
    bytes: usize,
    clock: u64,
}

struct Entry {
    kind: Kind,
    pattern: Arc<str>,
    /// The delimiters.
    variant: Box<[char]>,
    matcher: Rc<Matcher>,
    used: u64,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The compiled pattern, from the cache or by `compile`, which pays for its work.
pub(in crate::builtins) fn cached(
    kind: Kind,
    pattern: &Arc<str>,
    variant: &[char],
    compile: impl FnOnce() -> Result<Matcher, Failure>,
) -> Result<Rc<Matcher>, Failure> {
    let hash = CACHE.with_borrow(|cache| cache.hasher.hash_one((kind, pattern, variant)));
    let hit = CACHE.with_borrow_mut(|cache| cache.get(hash, kind, pattern, variant));
    if let Some(matcher) = hit {
        return Ok(matcher);
    }
    let matcher = Rc::new(compile()?);
    let entry = Entry {
        kind,
        pattern: Arc::clone(pattern),
        variant: variant.into(),
        matcher: Rc::clone(&matcher),
        used: 0,
    };
    CACHE.with_borrow_mut(|cache| cache.put(hash, entry));
    Ok(matcher)
}

impl Cache {
    fn get(
        &mut self,
        hash: u64,
        kind: Kind,
        pattern: &str,
        variant: &[char],
    ) -> Option<Rc<Matcher>> {
        self.clock = self.clock.saturating_add(1);
        let entry = self.entries.get_mut(&hash)?;
        let same = entry.kind == kind && *entry.pattern == *pattern && *entry.variant == *variant;
        same.then(|| {
            entry.used = self.clock;
            Rc::clone(&entry.matcher)
        })
    }

    /// What was not used for the longest gives way.
    fn put(&mut self, hash: u64, mut entry: Entry) {
        entry.used = self.clock;
        let size = entry.size();
        if size > BYTES {
            return;
        }
        self.remove(hash);
        while self.entries.len() >= ENTRIES || self.bytes.saturating_add(size) > BYTES {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some((&oldest, _)) = oldest else {
                break;
            };
            self.remove(oldest);
        }
        self.bytes = self.bytes.saturating_add(size);
        self.entries.insert(hash, entry);
    }

    fn remove(&mut self, hash: u64) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.bytes = self.bytes.saturating_sub(entry.size());
        }
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.matcher.size().saturating_add(self.pattern.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::Hir;

    fn matcher() -> Matcher {
        Matcher::build(&Hir::literal(*b"abc"), Vec::new(), |_| Ok(())).unwrap()
    }

    fn entry(pattern: &str) -> Entry {
        Entry {
            kind: Kind::Regex,
            pattern: pattern.into(),
            variant: Box::default(),
            matcher: Rc::new(matcher()),
            used: 0,
        }
    }

    #[test]
    fn the_least_recently_used_gives_way() {
        let mut cache = Cache::default();
        for number in 0..1000_u64 {
            let pattern = number.to_string();
            assert!(cache.get(number, Kind::Regex, &pattern, &[]).is_none());
            cache.put(number, entry(&pattern));
            assert!(cache.get(0, Kind::Regex, "0", &[]).is_some());
        }
        assert_eq!(cache.entries.len(), ENTRIES);
        assert!(cache.get(1, Kind::Regex, "1", &[]).is_none());
        assert!(cache.get(999, Kind::Regex, "999", &[]).is_some());
        assert!(cache.get(999, Kind::Glob, "999", &[]).is_none());
        assert!(cache.get(999, Kind::Regex, "999", &['.']).is_none());
        let sizes: usize = cache.entries.values().map(Entry::size).sum();
        assert_eq!(cache.bytes, sizes);
    }

    #[test]
    fn what_all_take_is_bounded() {
        let mut cache = Cache::default();
        let large = "a".repeat(BYTES / 3);
        for number in 0..10 {
            cache.put(number, entry(&large));
            assert!(cache.bytes <= BYTES);
        }
        assert_eq!(cache.entries.len(), 2);
    }
}
