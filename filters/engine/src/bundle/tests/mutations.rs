//! Whatever is changed of a signed bundle: it is refused, or its content is the one that was signed.

use super::{super::*, build::*};
use std::fmt::Write as _;

const FILES: &[(&str, &str)] = &[
    ("/data.json", r#"{"a": {"role": "user"}, "n": 1.50}"#),
    (
        "/.manifest",
        r#"{"revision": "7", "roots": ["a", "n", "p"]}"#,
    ),
    ("/p.rego", "package p"),
];

fn told(read: Result<Bundle, Fault>) -> Option<String> {
    let bundle = read.ok()?;
    let mut told = String::new();
    write!(told, "{bundle:?}{}", data(&bundle)).unwrap();
    if let Content::Snapshot { modules, .. } = &bundle.content {
        write!(told, "{modules:?}").unwrap();
    }
    Some(told)
}

#[test]
fn no_bit_of_a_signed_bundle_changes_what_it_says() {
    let rules = Arc::new(verifying());
    let tape = signed_tape(FILES);
    let good = told(read_tape(tape.clone(), &rules)).unwrap();
    let mut taken = 0;
    for at in 0..tape.len() {
        for bit in 0..8 {
            let mut changed = tape.clone();
            changed[at] ^= 1 << bit;
            if let Some(said) = told(read_tape(changed, &rules)) {
                assert_eq!(said, good, "bit {bit} of byte {at}");
                taken += 1;
            }
        }
    }
    // What fills a block up is no content.
    assert!(taken > 0);
    for end in 0..tape.len() {
        if let Some(said) = told(read_tape(tape[..end].to_vec(), &rules)) {
            assert_eq!(said, good, "cut to {end}");
        }
    }
}

#[test]
fn no_change_of_the_packed_bytes_does() {
    let packed = signed(FILES);
    let good = told(read(packed.clone(), verifying())).unwrap();
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut changed = packed.clone();
            changed[at] ^= 1 << bit;
            if let Some(said) = told(read(changed, verifying())) {
                assert_eq!(said, good, "bit {bit} of byte {at}");
            }
        }
        assert_eq!(
            told(read(packed[..at].to_vec(), verifying())),
            None,
            "cut to {at}"
        );
    }
}

/// Blocks moved, doubled and mixed with what is random: never a panic, never other content.
#[test]
fn nor_does_any_shuffle() {
    let rules = Arc::new(verifying());
    let unsigned = Arc::new(super::build::rules());
    let tape = signed_tape(FILES);
    let good = told(read_tape(tape.clone(), &rules)).unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..3_000 {
        let mut changed = tape.clone();
        for _ in 0..=next(4) {
            let blocks = changed.len() / 512;
            let (from, to) = (next(blocks) * 512, next(blocks) * 512);
            match next(4) {
                0 => changed.copy_within(from..from + 512, to),
                1 => changed[to..to + 512].fill_with(|| u8::try_from(next(256)).unwrap()),
                2 => changed.truncate(to + next(512)),
                _ => {
                    let block = changed[from..from + 512].to_vec();
                    changed.splice(to..to, block);
                }
            }
            if changed.len() < 512 {
                break;
            }
        }
        if let Some(said) = told(read_tape(changed.clone(), &rules)) {
            assert_eq!(said, good);
        }
        // Nobody signed this one: it only must not panic.
        drop(read_tape(changed, &unsigned));
    }
    for _ in 0..2_000 {
        let bytes: Vec<u8> = (0..next(2_000))
            .map(|_| u8::try_from(next(256)).unwrap())
            .collect();
        let mut gzipped = vec![0x1f, 0x8b, 8, 0];
        gzipped.extend_from_slice(&bytes);
        assert_eq!(told(read(gzipped, verifying())), None);
        assert_eq!(told(read(gzip(&bytes), verifying())), None);
        assert_eq!(told(read(bytes, verifying())), None);
    }
}
