//! Eight bytes in a row of a credential, in lower case: where they stand, they are hidden.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher},
};

/// As much of a credential tells of it, in either case.
pub const WINDOW: usize = 8;

/// As many as a token has, with its signature in hexadecimal: room for them at once is less work.
const USUAL: usize = 1792;

/// Every window of the texts that were added.
pub struct Windows {
    added: HashSet<u64, Keyed>,
    /// Those that are looked for, where it is known in what: no other is kept.
    wanted: Option<HashSet<u64, Keyed>>,
}

impl Windows {
    /// `seed`: what no client knows beforehand, so that none can choose windows that make the table slow.
    pub fn new(seed: &str) -> Windows {
        Windows {
            added: HashSet::with_capacity_and_hasher(USUAL, Keyed::new(seed)),
            wanted: None,
        }
    }

    /// To be looked for in this text, and in no other.
    pub fn within(text: &str, seed: &str) -> Windows {
        let mut wanted = HashSet::with_hasher(Keyed::new(seed));
        wanted.extend(windows(text).map(|(_, window)| window));
        Windows {
            added: HashSet::with_hasher(Keyed::new(seed)),
            wanted: Some(wanted),
        }
    }

    pub fn add(&mut self, text: &str) {
        let windows = windows(text).map(|(_, window)| window);
        match &self.wanted {
            Some(wanted) => {
                let wanted = windows.filter(|window| wanted.contains(window));
                self.added.extend(wanted);
            }
            None => self.added.extend(windows),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// Where one begins.
    pub fn find<'t>(&'t self, text: &'t str) -> impl Iterator<Item = usize> + 't {
        let found = windows(text).filter(|(_, window)| self.added.contains(window));
        found.map(|(at, _)| at)
    }
}

/// Each window with where it begins.
fn windows(text: &str) -> impl Iterator<Item = (usize, u64)> + '_ {
    let mut window = 0u64;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        window = window.wrapping_shl(8) | u64::from(byte.to_ascii_lowercase());
        let begins = at.checked_sub(WINDOW.saturating_sub(1))?;
        Some((begins, window))
    })
}

/// A folded multiplication with keys: cheap, and no client knows them.
#[derive(Clone, Copy)]
struct Keyed(u64, u64);

impl Keyed {
    fn new(seed: &str) -> Keyed {
        // FNV-1a spreads it over both.
        let spread = |start: u64| {
            seed.bytes().fold(start, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
        };
        Keyed(
            spread(0xcbf2_9ce4_8422_2325),
            spread(0x9e37_79b9_7f4a_7c15) | 1,
        )
    }
}

struct Folded(Keyed, u64);

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(*self, 0)
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.1
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.1.wrapping_shl(8) | u64::from(*byte));
        }
    }

    fn write_u64(&mut self, window: u64) {
        let product = u128::from(window ^ self.0.0).wrapping_mul(u128::from(self.0.1));
        let [a, b, c, d, e, f, g, h, rest @ ..] = product.to_le_bytes();
        self.1 = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_le_bytes(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::Windows;

    #[test]
    fn windows_are_found_in_either_case_and_nothing_else_is() {
        let mut windows = Windows::new("a seed");
        windows.add("Hunter2-Hunter3");
        windows.add("short");
        let found = |text| windows.find(text).collect::<Vec<usize>>();
        assert_eq!(found("hunter2-"), [0]);
        assert_eq!(found("xxHUNTER2-Hxx"), [2, 3]);
        assert!(found("hunter2").is_empty());
        assert!(found("short").is_empty());
        assert!(found("").is_empty());
    }

    #[test]
    fn in_the_text_that_is_looked_at_all_are_found() {
        for text in ["xxHUNTER2-Hxx", "hunter2", "", "Hunter2-Hunter3", "another"] {
            let (mut all, mut some) = (Windows::new("a seed"), Windows::within(text, "a seed"));
            for windows in [&mut all, &mut some] {
                windows.add("Hunter2-Hunter3");
                windows.add("short");
            }
            let found = |windows: &Windows| windows.find(text).collect::<Vec<usize>>();
            assert_eq!(found(&all), found(&some), "{text}");
        }
    }
}
