//! A compiled pattern and its searches, in time that grows with the text and the pattern and no
//! faster. What a search may take at most is paid for before it runs.

use std::cell::RefCell;

use regex_automata::{
    Anchored, Input,
    nfa::thompson::{
        self, NFA, WhichCaptures,
        backtrack::{self, BoundedBacktracker},
        pikevm::{self, PikeVM},
    },
    util::primitives::NonMaxUsize,
};
use regex_syntax::hir::Hir;

use super::super::call::{Failure, World};

/// The most bytes of a compiled pattern.
const PROGRAM: usize = 1024 * 1024;
/// Bytes of work that a byte of a compiled pattern takes.
const BUILD: usize = 4;
/// The most bytes that the captures of one search take.
const CAPTURES: usize = 1024 * 1024;
/// The faster engine remembers where it has been: this many bytes of it, cleared for every search.
const VISITED: usize = 4 * 1024;

/// Where the groups of a match begin and end, two for each group.
type Slots = Vec<Option<NonMaxUsize>>;

pub(in crate::builtins) struct Matcher {
    backtracker: BoundedBacktracker,
    machine: PikeVM,
    /// The most states that one byte of a text may go through.
    states: usize,
    /// The longest match there may be.
    longest: Option<usize>,
    /// By group, the whole match first; a pattern without captures has none.
    names: Vec<Option<Box<str>>>,
}

/// What a search writes to, kept from one to the next.
struct Scratch {
    backtracker: backtrack::Cache,
    machine: pikevm::Cache,
}

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

impl Matcher {
    /// `names` are the groups'; without them the pattern only matches or does not.
    ///
    /// # Errors
    /// Where it would take more than a pattern may, or more than the evaluation has left.
    pub(in crate::builtins) fn build(
        hir: &Hir,
        names: Vec<Option<Box<str>>>,
        charge: impl FnOnce(usize) -> Result<(), Failure>,
    ) -> Result<Matcher, Failure> {
        let too_large = || Failure::Unsupported("a pattern this large");
        let captures = match names.len() {
            0 => WhichCaptures::None,
            _ => WhichCaptures::All,
        };
        let config = thompson::Config::new()
            .nfa_size_limit(Some(PROGRAM))
            .which_captures(captures);
        let nfa: NFA = thompson::Compiler::new()
            .configure(config)
            .build_from_hir(hir)
            .map_err(|_| too_large())?;
        charge(nfa.memory_usage().saturating_mul(BUILD))?;
        let states = nfa.states().len();
        let slots = names.len().saturating_mul(2);
        if states.saturating_mul(slots).saturating_mul(8) > CAPTURES {
            return Err(too_large());
        }
        let backtracker = BoundedBacktracker::builder()
            .configure(backtrack::Config::new().visited_capacity(VISITED))
            .build_from_nfa(nfa.clone())
            .map_err(|_| too_large())?;
        let machine = PikeVM::new_from_nfa(nfa).map_err(|_| too_large())?;
        Ok(Matcher {
            backtracker,
            machine,
            states,
            longest: hir.properties().maximum_len(),
            names,
        })
    }

    pub(super) fn size(&self) -> usize {
        self.machine.get_nfa().memory_usage()
    }

    /// By group, the whole match first.
    pub(in crate::builtins) fn names(&self) -> &[Option<Box<str>>] {
        &self.names
    }

    /// # Errors
    /// Where the search might take more than the evaluation has left.
    pub(in crate::builtins) fn is_match(
        &self,
        text: &str,
        world: &World<'_>,
    ) -> Result<bool, Failure> {
        self.pay(text.len(), 0, world)?;
        Ok(self.run(&Input::new(text).earliest(true), &mut []))
    }

    /// Each state at each position, which carries its groups along.
    fn pay(&self, positions: usize, slots: usize, world: &World<'_>) -> Result<(), Failure> {
        let positions = positions.saturating_add(1);
        let state = slots.saturating_add(8) / 8;
        world.charge(positions.saturating_mul(self.states).saturating_mul(state))
    }

    fn run(&self, input: &Input<'_>, slots: &mut [Option<NonMaxUsize>]) -> bool {
        SCRATCH.with_borrow_mut(|scratch| {
            let scratch = scratch.get_or_insert_with(|| Scratch {
                backtracker: self.backtracker.create_cache(),
                machine: self.machine.create_cache(),
            });
            let length = input.get_span().len();
            if length <= self.backtracker.max_haystack_len() {
                let cache = &mut scratch.backtracker;
                cache.reset(&self.backtracker);
                if let Ok(found) = self.backtracker.try_search_slots(cache, input, slots) {
                    return found.is_some();
                }
            }
            scratch.machine.reset(&self.machine);
            self.machine
                .search_slots(&mut scratch.machine, input, slots)
                .is_some()
        })
    }
}

/// One search after another over a text.
pub(in crate::builtins) struct Search<'a> {
    matcher: &'a Matcher,
    text: &'a str,
    world: &'a World<'a>,
    slots: Slots,
    paid: bool,
}

impl<'a> Search<'a> {
    /// Of the first `groups` groups.
    pub(in crate::builtins) fn new(
        matcher: &'a Matcher,
        text: &'a str,
        groups: usize,
        world: &'a World<'a>,
    ) -> Search<'a> {
        Search {
            matcher,
            text,
            world,
            slots: vec![None; groups.max(1).saturating_mul(2)],
            paid: false,
        }
    }

    /// The leftmost match that begins at a byte or after it, and its groups.
    ///
    /// # Errors
    /// Where the search might take more than the evaluation has left.
    pub(in crate::builtins) fn at(
        &mut self,
        start: usize,
    ) -> Result<Option<(usize, usize)>, Failure> {
        let Some(left) = self.text.len().checked_sub(start) else {
            return Ok(None);
        };
        // The first search pays for the whole text. The next begins where a match ended, which that
        // search had passed by no more than the longest match.
        let again = self.matcher.longest.unwrap_or(left).min(left);
        let positions = if self.paid { again } else { left };
        self.paid = true;
        self.matcher.pay(positions, self.slots.len(), self.world)?;
        self.slots.fill(None);
        let input = Input::new(self.text)
            .anchored(Anchored::No)
            .span(start..self.text.len());
        self.matcher.run(&input, &mut self.slots);
        Ok(self.group(0))
    }

    /// Where a group of the last match begins and ends.
    pub(in crate::builtins) fn group(&self, index: usize) -> Option<(usize, usize)> {
        let first = index.checked_mul(2)?;
        let start = self.slots.get(first).copied().flatten()?;
        let end = self.slots.get(first.checked_add(1)?).copied().flatten()?;
        Some((start.get(), end.get()))
    }

    /// Its text; nothing where the group took no part.
    pub(in crate::builtins) fn group_text(&self, index: usize) -> Option<&'a str> {
        let (start, end) = self.group(index)?;
        self.text.get(start..end)
    }

    pub(in crate::builtins) fn text(&self) -> &'a str {
        self.text
    }

    pub(in crate::builtins) fn matcher(&self) -> &'a Matcher {
        self.matcher
    }
}
