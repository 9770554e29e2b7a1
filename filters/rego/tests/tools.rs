//! A policy's tests, and what they cover.

#![expect(clippy::unwrap_used, reason = "a test, outside of its test functions")]

use portcullis_rego::{
    Module, Moment, Sources,
    tools::{
        coverage::{Coverage, Lines},
        tests::{Error, Outcome, Ran, Suite},
    },
};
use std::time::Duration;

const MOMENT: Moment = Moment {
    now_ns: 7,
    instructions: u32::MAX,
    strict_builtin_errors: false,
};

const TIMEOUT: Duration = Duration::from_secs(60);

fn sources(modules: &[&str]) -> Sources {
    let modules = modules.iter().enumerate();
    Sources {
        modules: modules
            .map(|(index, text)| Module::new(format!("{index}.rego"), *text))
            .collect(),
        ..Sources::default()
    }
}

fn run(modules: &[&str], names: &[&str]) -> (Vec<(String, Ran)>, Coverage) {
    let suite = Suite::load(sources(modules), true).unwrap();
    let mut runner = suite.runner().unwrap();
    let tests = suite
        .tests()
        .iter()
        .filter(|test| names.is_empty() || names.contains(&test.name.as_str()));
    let ran = tests
        .map(|test| (test.name.clone(), runner.run(test, &MOMENT, Some(TIMEOUT))))
        .collect();
    let coverage = suite.coverage([runner.covered()]).unwrap();
    (ran, coverage)
}

type Ranges = Vec<(u32, u32)>;

fn lines(coverage: &Coverage, file: &str) -> (Ranges, Ranges) {
    let lines = coverage.files.get(file).unwrap();
    (
        Lines::ranges(&lines.covered),
        Lines::ranges(&lines.not_covered),
    )
}

#[test]
fn one_test_leaves_nothing_to_the_next() {
    let module = r#"package a_test

seen := input.x

test_with if {
	print("seen", seen) with input as {"x": 1}
	seen == 1 with input as {"x": 1}
}

test_clock if {
	time.now_ns() == 7
	time.now_ns() == 8 with time.now_ns as 8
}

test_error if {
	object := {k: v | some k in ["a"]; some v in [1, 2]}
	object.a == 1
}

test_without if not seen
"#;
    let (ran, _) = run(&[module], &[]);
    let outcomes: Vec<(&str, &Outcome)> = ran
        .iter()
        .map(|(name, ran)| (name.as_str(), &ran.outcome))
        .collect();
    let [with, clock, error, without] = outcomes.as_slice() else {
        panic!("{outcomes:?}");
    };
    assert_eq!(*with, ("test_with", &Outcome::Passed));
    assert_eq!(*clock, ("test_clock", &Outcome::Passed));
    assert!(
        matches!(error.1, Outcome::Erred(Error::Failed(_))),
        "{error:?}"
    );
    assert_eq!(*without, ("test_without", &Outcome::Passed));
    assert_eq!(ran[0].1.printed, ["seen 1"]);
}

#[test]
fn a_head_counts_where_it_came_to_a_value() {
    let policy = r#"package a

f("a") := 1

f("b") :=
	2

level := 1 if {
	input.x == 1
} else := 2 if {
	input.x == 2
} else := 3

names contains name if {
	some name in input.names
	name != "x"
}

by_name[name] := name if {
	some name in input.names
	name == "x"
}

default open := false

open if {
	input.y
}

unasked if true
"#;
    let test = r#"package a_test

import data.a

test_f if a.f("b") == 2

test_level if a.level == 2 with input as {"x": 2}

test_names if a.names == set() with input as {"names": ["x"]}

test_by_name if a.by_name.x == "x" with input as {"names": ["x"]}

test_open if not a.open with input as {}
"#;
    let (_, coverage) = run(&[policy, test], &["test_f"]);
    let (covered, _) = lines(&coverage, "0.rego");
    assert_eq!(covered, [(5, 5)]);
    let (_, coverage) = run(&[policy, test], &["test_level"]);
    assert_eq!(lines(&coverage, "0.rego").0, [(9, 11)]);
    let (_, coverage) = run(&[policy, test], &["test_names"]);
    assert_eq!(lines(&coverage, "0.rego").0, [(15, 16)]);
    let (_, coverage) = run(&[policy, test], &["test_by_name"]);
    assert_eq!(lines(&coverage, "0.rego").0, [(19, 21)]);
    let (_, coverage) = run(&[policy, test], &["test_open"]);
    assert_eq!(lines(&coverage, "0.rego").0, [(24, 24), (27, 27)]);
    let (_, coverage) = run(&[policy, test], &[]);
    let (covered, not_covered) = lines(&coverage, "0.rego");
    let all = [(5, 5), (9, 11), (15, 16), (19, 21), (24, 24), (27, 27)];
    assert_eq!(covered, all);
    assert_eq!(
        not_covered,
        [(3, 3), (8, 8), (12, 12), (14, 14), (26, 26), (30, 30)]
    );
    assert_eq!(coverage.totals(), (16, 6));
}

/// What was written decides what an error names, not what became of it.
#[test]
fn errors_have_their_places() {
    for (text, place) in [
        (
            "package a\n\ntest_x[x] if { some x in [1]; y == 1 }\n",
            "0.rego:3:31: ",
        ),
        (
            "package a\n\ntest_x if true\ntest_x if nope(1)\n",
            "0.rego:4:11: ",
        ),
        ("package a\n\ntest_x if {\n", "0.rego:4:"),
        (
            "package a\n\ntest_x if __portcullis_told(1, 2)\n",
            "0.rego: ",
        ),
    ] {
        let Err(errors) = Suite::load(sources(&[text]), true) else {
            panic!("{text} loads");
        };
        assert!(errors.to_string().starts_with(place), "{errors}");
    }
}

#[test]
fn no_tests_are_no_error() {
    for text in ["package a\n", "package a\n\nf(x) := x\n"] {
        let suite = Suite::load(sources(&[text]), false).unwrap();
        assert!(suite.tests().is_empty());
        assert!(suite.coverage([]).is_none());
    }
}
