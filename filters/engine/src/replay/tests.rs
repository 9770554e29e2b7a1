//! Courses of events with a clock that is moved by hand, and memory that changes between a look and a
//! write.

use super::*;
use Outcome::{Failed, First, Full, Seen};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    First,
    Seen,
    Full,
    Failed,
}

fn outcome(found: Result<(), Denied>) -> Outcome {
    match found {
        Ok(()) => First,
        Err(Denied { why, .. }) => match why {
            Why::Seen => Seen,
            Why::Full => Full,
            Why::Failed => Failed,
        },
    }
}

fn at(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

fn signature(key: &str, entries: u32, nonce: &str, until: u64) -> Claim {
    let space = Space::new(Kind::Signature, key, entries);
    Claim::signature(&space, Once::Nonce(nonce), at(until))
}

fn proof(subject: Option<&str>, key: u8, entries: u32, jti: &str) -> Claim {
    let space = Space::new(Kind::Proof, "corp", entries);
    Claim::proof(&space, &[key; 32], subject, jti, at(160))
}

fn table() -> Table<Memory> {
    Table::new("t", Memory::default())
}

/// When, of which key, which nonce, until when; and what becomes of it.
type Event = (u64, &'static str, &'static str, u64, Outcome);

#[test]
fn courses_of_events() {
    let courses: &[(&str, u32, &[Event])] = &[
        (
            "what was taken is taken once",
            10,
            &[
                (100, "a", "n", 130, First),
                (100, "a", "n", 130, Seen),
                (129, "a", "n", 130, Seen),
                (129, "a", "m", 130, First),
            ],
        ),
        (
            "a nonce is one key's",
            10,
            &[
                (100, "a", "n", 130, First),
                (100, "b", "n", 130, First),
                (100, "b", "n", 130, Seen),
            ],
        ),
        (
            "when its time is over, a nonce is free for another signature",
            10,
            &[
                (100, "a", "n", 130, First),
                (130, "a", "n", 160, First),
                (130, "a", "n", 160, Seen),
            ],
        ),
        (
            "a full quota refuses its key, and no other, and forgets nothing",
            2,
            &[
                (100, "a", "1", 130, First),
                (101, "a", "2", 140, First),
                (102, "a", "3", 140, Full),
                (102, "a", "1", 130, Seen),
                (102, "a", "2", 140, Seen),
                (102, "b", "3", 140, First),
                (129, "a", "3", 140, Full),
            ],
        ),
        (
            "the places of what is over are used again",
            2,
            &[
                (100, "a", "1", 130, First),
                (100, "a", "2", 140, First),
                (130, "a", "3", 160, First),
                (130, "a", "4", 160, Full),
                (140, "a", "4", 160, First),
                (140, "a", "5", 160, Full),
                (140, "a", "3", 160, Seen),
            ],
        ),
        (
            "a clock that is set back brings nothing back",
            2,
            &[
                (100, "a", "1", 130, First),
                (131, "a", "2", 160, First),
                (100, "a", "1", 130, Seen),
                (100, "a", "never shown", 130, Seen),
                (100, "a", "3", 131, First),
            ],
        ),
        (
            "the end of time",
            2,
            &[
                (100, "a", "1", u64::MAX / 1_000_000_000, First),
                (100, "a", "1", u64::MAX / 1_000_000_000, Seen),
                (u64::MAX / 1_000_000_000, "a", "1", 1, Seen),
            ],
        ),
    ];
    for (name, entries, events) in courses {
        let table = table();
        for (index, (now, key, nonce, until, expected)) in events.iter().enumerate() {
            let claim = signature(key, *entries, nonce, *until);
            let found = outcome(table.claim(&[claim], at(*now)));
            assert_eq!(found, *expected, "{name}: event {index}");
        }
    }
}

/// A part of a second is time in which a signature is good.
#[test]
fn it_is_remembered_to_the_last_nanosecond() {
    let table = table();
    let space = Space::new(Kind::Signature, "a", 10);
    let claim = Claim::signature(&space, Once::Signature(b"s"), at(130) + 1);
    assert_eq!(
        outcome(table.claim(std::slice::from_ref(&claim), at(100))),
        First
    );
    assert_eq!(outcome(table.claim(&[claim], at(130))), Seen);
}

#[test]
fn a_nonce_is_no_signature_and_a_signature_no_proof() {
    let table = table();
    let space = Space::new(Kind::Signature, "corp", 10);
    let nonce = Claim::signature(&space, Once::Nonce("x"), at(160));
    let signature = Claim::signature(&space, Once::Signature(b"x"), at(160));
    let all = [
        nonce,
        signature,
        proof(None, 1, 10, "x"),
        proof(None, 2, 10, "x"),
    ];
    assert_eq!(outcome(table.claim(&all, at(100))), First);
    for claim in all {
        assert_eq!(outcome(table.claim(&[claim], at(100))), Seen);
    }
}

/// Of those who share the places of a provider, one has a fourth of them at most.
#[test]
fn one_subject_does_not_fill_a_provider() {
    for entries in [100, 5_000] {
        let table = table();
        let mut taken = 0;
        for number in 0..2 * entries {
            // A token for a key of its own each time.
            let key = u8::try_from(number % 200).unwrap();
            let claim = proof(Some("greedy"), key, entries, &number.to_string());
            match outcome(table.claim(&[claim], at(100))) {
                First => taken += 1,
                other => assert_eq!(other, Full),
            }
        }
        assert!(taken <= entries / 2, "{taken} of {entries}");
        for number in 0..entries / 2 {
            let subject = format!("s-{number}");
            let claim = proof(Some(&subject), 201, entries, &number.to_string());
            assert_eq!(outcome(table.claim(&[claim], at(100))), First);
        }
    }
}

/// As many as it says have room, though digests are spread unevenly; ten times as many need no more
/// memory, and while they come nothing is forgotten.
#[test]
fn memory_has_an_end() {
    for entries in [1, 64, 65, 2_000] {
        let table = table();
        let claim = |number: u32, until| signature("a", entries, &number.to_string(), until);
        let mut taken = BTreeSet::new();
        for number in 0..10 * entries {
            let found = outcome(table.claim(&[claim(number, 200)], at(100)));
            assert!(
                found == First || (found == Full && number >= entries),
                "{number}"
            );
            if found == First {
                taken.insert(number);
            }
        }
        let most = table.cells().size();
        assert!(taken.len() <= 2 * usize::try_from(entries).unwrap());
        for number in &taken {
            let again = outcome(table.claim(&[claim(*number, 200)], at(199)));
            assert_eq!(again, Seen, "{number} of {entries}");
        }
        for number in 0..10 * entries {
            table.claim(&[claim(number, 300)], at(200)).ok();
        }
        let (cells, bytes) = table.cells().size();
        assert!(
            cells <= most.0 && bytes <= most.1 + most.1 / 20,
            "{entries}"
        );
        assert!(bytes <= 2 * 28 * usize::try_from(entries).unwrap() + 40 * cells);
    }
}

/// Cells as another worker's: before each write, somebody else may write.
struct Contended {
    cells: Memory,
    /// What the others do before the next writes, one for each.
    others: Mutex<Vec<Claim>>,
}

impl Cells for Contended {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, CellFault> {
        self.cells.read(key)
    }

    fn write(&self, key: &str, value: &[u8], seen: Option<u32>) -> Result<Written, CellFault> {
        if let Some(other) = self.others.lock().unwrap().pop() {
            // The memory by another hand, which nobody interrupts.
            Table::new("t", Borrowed(&self.cells))
                .claim(&[other], at(100))
                .unwrap();
        }
        self.cells.write(key, value, seen)
    }
}

struct Borrowed<'m>(&'m Memory);

impl Cells for Borrowed<'_> {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, CellFault> {
        self.0.read(key)
    }

    fn write(&self, key: &str, value: &[u8], seen: Option<u32>) -> Result<Written, CellFault> {
        self.0.write(key, value, seen)
    }
}

#[test]
fn whoever_comes_between_is_seen() {
    let own = || signature("a", 10, "own", 130);
    for (name, others, expected) in [
        ("nobody", vec![], First),
        ("the same, in a new cell", vec![own()], Seen),
        ("another", vec![signature("a", 10, "other", 130)], First),
        (
            "others, then the same",
            vec![
                own(),
                signature("a", 10, "2", 130),
                signature("a", 10, "1", 130),
            ],
            Seen,
        ),
        (
            "as many as there is room for",
            (0..10)
                .map(|number| signature("a", 10, &number.to_string(), 130))
                .collect(),
            Full,
        ),
    ] {
        let cells = Contended {
            cells: Memory::default(),
            others: Mutex::new(others),
        };
        let table = Table::new("t", cells);
        assert_eq!(outcome(table.claim(&[own()], at(100))), expected, "{name}");
        let again = outcome(table.claim(&[own()], at(100)));
        assert_eq!(again, if expected == Full { Full } else { Seen }, "{name}");
    }
}

type Read = fn() -> Result<Option<(Vec<u8>, u32)>, CellFault>;

/// Memory that does what it is told here, whatever it is asked.
struct Odd {
    read: Read,
    write: Result<Written, CellFault>,
    asked: AtomicUsize,
}

impl Cells for Odd {
    fn read(&self, _: &str) -> Result<Option<(Vec<u8>, u32)>, CellFault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        (self.read)()
    }

    fn write(&self, _: &str, _: &[u8], _: Option<u32>) -> Result<Written, CellFault> {
        self.write
    }
}

#[test]
fn memory_that_fails_takes_nothing() {
    for (name, read, write) in [
        ("no read", (|| Err(CellFault)) as Read, Ok(Written::Done)),
        ("no write", || Ok(None), Err(CellFault)),
        ("always too late", || Ok(None), Ok(Written::Changed)),
        (
            "nothing of ours",
            || Ok(Some((vec![], 1))),
            Ok(Written::Done),
        ),
        (
            "another version",
            || Ok(Some((vec![2; 5], 1))),
            Ok(Written::Done),
        ),
        (
            "half an entry",
            || Ok(Some((vec![1; 19], 1))),
            Ok(Written::Done),
        ),
    ] {
        let asked = AtomicUsize::new(0);
        let table = Table::new("t", Odd { read, write, asked });
        let claim = signature("a", 10, "n", 130);
        assert_eq!(outcome(table.claim(&[claim], at(100))), Failed, "{name}");
        assert_eq!(table.since_ns(at(100)), None, "{name}");
        assert!(table.cells().asked.load(Ordering::Relaxed) <= 512, "{name}");
    }
}

#[test]
fn it_has_begun_once() {
    let table = table();
    assert_eq!(table.since_ns(at(100)), Some(at(100)));
    assert_eq!(table.since_ns(at(200)), Some(at(100)));
}

/// Threads that claim the same at the same time, in one cell and in many.
#[test]
fn of_all_who_claim_the_same_at_once_one_has_it() {
    for entries in [64, 10_000] {
        let table = Arc::new(table());
        let claims = 200;
        let run = |start: u32| {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut taken = 0;
                for step in 0..claims {
                    let nonce = ((start + step) % claims).to_string();
                    let claim = signature("a", entries.max(claims), &nonce, 130);
                    match outcome(table.claim(&[claim], at(100))) {
                        First => taken += 1,
                        other => assert_eq!(other, Seen),
                    }
                }
                taken
            })
        };
        let threads: Vec<_> = [0, 0, 50, 100].map(run).into_iter().collect();
        let taken: u32 = threads.into_iter().map(|it| it.join().unwrap()).sum();
        assert_eq!(taken, claims);
    }
}
