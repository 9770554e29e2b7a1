//! Archives that are none, and some that only look odd.

use super::{super::*, build::*};
use tar::EntryType;

const GOOD: &[(&str, &str)] = &[("/data.json", r#"{"a": 1}"#), ("/p.rego", "package p")];

fn with(entry: Vec<u8>) -> Vec<u8> {
    let mut bytes = file("data.json", "{}");
    bytes.extend(entry);
    gzip(&ended(bytes))
}

fn named(name: &str) -> Vec<u8> {
    with(file(name, "{}"))
}

fn pax(record: &str) -> Vec<u8> {
    // The length counts itself.
    let length = record.len() + 4;
    let line = format!("{length:02} {record}\n");
    entry(EntryType::XHeader, b"pax", line.as_bytes())
}

#[test]
fn what_is_no_archive_of_files_is_refused() {
    let good = bundle(GOOD);
    let at = |end: usize| good[..end].to_vec();
    let mut trailing = good.clone();
    trailing.extend_from_slice(&gzip(b"more"));
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    let mut after = tape(GOOD);
    after.resize(after.len() + 4096, 0);
    after.extend_from_slice(&file("late.rego", "package late"));
    let mut sum = tape(GOOD);
    sum[3] ^= 1;
    let mut twice = pax("path=one");
    twice.extend(pax("path=two"));
    twice.extend(file("x", ""));
    let mut sparse = pax("GNU.sparse.major=1");
    sparse.extend(file("x", ""));
    let limits = |change: fn(&mut Limits)| {
        let mut rules = rules();
        change(&mut rules.limits);
        rules
    };
    let zeros = "0".repeat(3 * 1024 * 1024);
    let kind = |kind| with(entry(kind, b"x", b""));
    let step = Step::Unpack;
    refused(vec![
        ("empty", Vec::new(), rules(), step, "no gzip stream"),
        (
            "text",
            b"package p".to_vec(),
            rules(),
            step,
            "no gzip stream",
        ),
        ("a bare tape", tape(GOOD), rules(), step, "no gzip stream"),
        ("a header alone", at(2), rules(), step, "cut short"),
        (
            "cut in the middle",
            at(good.len() / 2),
            rules(),
            step,
            "cut short",
        ),
        (
            "cut at its end",
            at(good.len() - 1),
            rules(),
            step,
            "cut short",
        ),
        ("two members", trailing, rules(), step, "follows"),
        ("damaged", damaged, rules(), step, ""),
        (
            "too large",
            good.clone(),
            limits(|it| it.packed = 10),
            step,
            "more than the 10",
        ),
        (
            "unpacks to too much",
            good.clone(),
            limits(|it| it.unpacked = 1024),
            step,
            "more than 1024 bytes",
        ),
        (
            "a bomb",
            bundle(&[("a", &zeros)]),
            rules(),
            step,
            "more than 200 times",
        ),
        (
            "many entries",
            good.clone(),
            limits(|it| it.entries = 1),
            step,
            "more than 1 entries",
        ),
        (
            "a long path",
            good.clone(),
            limits(|it| it.path = 6),
            step,
            "more than 6 bytes",
        ),
        ("no tape", gzip(b"x"), rules(), step, "cut short"),
        ("nothing", gzip(b""), rules(), step, "cut short"),
        (
            "a tape without an end",
            gzip(&file("a", "b")),
            rules(),
            step,
            "cut short",
        ),
        (
            "half a file",
            gzip(&file("a", "b")[..513]),
            rules(),
            step,
            "cut short",
        ),
        (
            "after the end",
            gzip(&after),
            rules(),
            step,
            "follows the end",
        ),
        (
            "a header that is not",
            gzip(&sum),
            rules(),
            step,
            "does not sum up",
        ),
        (
            "a hard link",
            kind(EntryType::Link),
            rules(),
            step,
            "a hard link",
        ),
        (
            "a symbolic link",
            kind(EntryType::Symlink),
            rules(),
            step,
            "a symbolic link",
        ),
        ("a device", kind(EntryType::Char), rules(), step, "a device"),
        ("a disk", kind(EntryType::Block), rules(), step, "a device"),
        ("a pipe", kind(EntryType::Fifo), rules(), step, "a pipe"),
        (
            "a sparse file",
            kind(EntryType::GNUSparse),
            rules(),
            step,
            "a sparse file",
        ),
        (
            "a sparse file of pax",
            with(sparse),
            rules(),
            step,
            "a sparse file",
        ),
        (
            "contiguous",
            kind(EntryType::Continuous),
            rules(),
            step,
            "no known kind",
        ),
        (
            "a long link",
            kind(EntryType::GNULongLink),
            rules(),
            step,
            "a link",
        ),
        (
            "a folder with content",
            with(entry(EntryType::Directory, b"x/", b"y")),
            rules(),
            step,
            "has a content",
        ),
        (
            "two slashes",
            named("//etc/data.json"),
            rules(),
            step,
            "absolute",
        ),
        (
            "out of the root",
            named("../data.json"),
            rules(),
            step,
            "`..`",
        ),
        (
            "out on the way",
            named("a/../../data.json"),
            rules(),
            step,
            "`..`",
        ),
        (
            "a folder outside",
            with(entry(EntryType::Directory, b"../", b"")),
            rules(),
            step,
            "`..`",
        ),
        (
            "here on the way",
            named("a/./data.json"),
            rules(),
            step,
            "`.`",
        ),
        (
            "here after a slash",
            named("/./data.json"),
            rules(),
            step,
            "`.`",
        ),
        (
            "nothing on the way",
            named("a//data.json"),
            rules(),
            step,
            "two slashes",
        ),
        (
            "a backslash",
            named("a\\data.json"),
            rules(),
            step,
            "backslash",
        ),
        (
            "a line",
            named("a\ndata.json"),
            rules(),
            step,
            "control character",
        ),
        (
            "no UTF-8",
            with(entry(EntryType::Regular, b"\xff", b"")),
            rules(),
            step,
            "no UTF-8",
        ),
        (
            "no name",
            with(file("", "x")),
            rules(),
            step,
            "nothing between",
        ),
        (
            "the root as a file",
            with(file("./", "x")),
            rules(),
            step,
            "has a content",
        ),
        (
            "NUL in a pax name",
            with([pax("path=a\0b"), file("x", "")].concat()),
            rules(),
            step,
            "control character",
        ),
        (
            "twice",
            named("data.json"),
            rules(),
            step,
            "`data.json` twice",
        ),
        (
            "twice, with a slash",
            named("/data.json"),
            rules(),
            step,
            "twice",
        ),
        (
            "twice, with a dot",
            named("./data.json"),
            rules(),
            step,
            "twice",
        ),
        (
            "twice, by pax",
            with([pax("path=data.json"), file("x", "")].concat()),
            rules(),
            step,
            "twice",
        ),
        ("two names", with(twice), rules(), step, "two names"),
        (
            "a name for nobody",
            with(pax("path=x")),
            rules(),
            step,
            "where a file should come",
        ),
        (
            "pax without a length",
            with(entry(EntryType::XHeader, b"p", b"path=x\n")),
            rules(),
            step,
            "damaged",
        ),
        (
            "pax for everybody",
            with(entry(EntryType::XGlobalHeader, b"p", b"10 path=x\n")),
            rules(),
            step,
            "global pax",
        ),
        (
            "pax without an end",
            with(entry(EntryType::XHeader, b"p", &[b' '; 20_000])),
            rules(),
            step,
            "of one file",
        ),
        (
            "a manifest inside",
            named("a/.manifest"),
            rules(),
            step,
            "could be taken for `.manifest`",
        ),
        (
            "a manifest by its end",
            named("old.manifest"),
            rules(),
            step,
            "could be taken for `.manifest`",
        ),
        (
            "signatures inside",
            named("a/.signatures.json"),
            rules(),
            step,
            "could be taken for `.signatures.json`",
        ),
        (
            "signatures without a dot",
            named("signatures.json"),
            rules(),
            step,
            "could be taken for `.signatures.json`",
        ),
        (
            "a patch inside",
            named("a/patch.json"),
            rules(),
            step,
            "could be taken for `patch.json`",
        ),
    ]);
}

#[test]
fn what_only_looks_odd_is_taken() {
    let long = "x".repeat(200) + "/data.json";
    let gnu = entry(
        EntryType::GNULongName,
        b"././@LongLink",
        format!("{long}\0").as_bytes(),
    );
    let mut zeros = tape(GOOD);
    zeros.resize(10 * 1024, 0);
    let folder = |name: &[u8]| entry(EntryType::Directory, name, b"");
    let cases = [
        ("as OPA writes", bundle(GOOD)),
        (
            "as `tar -C dir .` writes",
            with([folder(b"./"), folder(b"./a/"), file("./a/data.json", "{}")].concat()),
        ),
        (
            "as `tar *` writes",
            bundle(&[("data.json", "{}"), ("a/p.rego", "package p")]),
        ),
        ("padded to a record", gzip(&zeros)),
        (
            "a long name of GNU",
            with([gnu, file("short", "{}")].concat()),
        ),
        (
            "a name by pax",
            with([pax("path=b/data.json"), file("short", "{}")].concat()),
        ),
        (
            "a commit by `git archive`",
            with(entry(
                EntryType::XGlobalHeader,
                b"g",
                b"18 comment=abcdef\n",
            )),
        ),
        (
            "names that differ in case",
            bundle(&[("data.json", "{}"), ("Data.json", "x")]),
        ),
        ("nothing in it", gzip(&ended(Vec::new()))),
        (
            "large and dull",
            bundle(&[("readme", &"0".repeat(900_000))]),
        ),
    ];
    for (name, packed) in cases {
        if let Err(fault) = read(packed, rules()) {
            panic!("{name}: {fault}");
        }
    }
}
