//! Random policies and inputs, asked of both evaluators: they must agree, errors included. The seeds
//! are fixed; `DIFFERENTIAL_SEEDS=FROM..TO` asks others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test, outside of its test function"
)]

mod generate;
mod reached;

use std::{collections::BTreeMap, io::Write as _, ops::Range};

use generate::Generator;
use portcullis_rego::{Entrypoint, EvalError, Module, Moment, Policy, RegoVersion, Sources, value};

const SEEDS: Range<u64> = 0..2000;
const MOMENT: Moment = Moment {
    now_ns: 1_700_000_000_000_000_000,
    instructions: 200_000,
    strict_builtin_errors: false,
};

#[test]
fn the_evaluators_agree() {
    let seeds = match std::env::var("DIFFERENTIAL_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").unwrap();
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => SEEDS,
    };
    let total = seeds.end - seeds.start;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut differing = Vec::new();
    for seed in seeds {
        let mut generator = Generator::new(seed);
        let text = generator.policy();
        let entrypoint = Entrypoint::parse("p/allow").unwrap();
        let sources = Sources {
            modules: vec![Module::new("p.rego", &text)],
            data: value::from_json(&generate::data()).unwrap(),
            version: RegoVersion::V1,
        };
        let policy = match Policy::load(sources, std::slice::from_ref(&entrypoint)) {
            Ok(policy) => policy,
            Err(errors) => {
                if std::env::var_os("DIFFERENTIAL_SHOW").is_some() {
                    panic!("seed {seed}: {errors}\n{text}");
                }
                *counts.entry("not loaded").or_default() += 1;
                continue;
            }
        };
        if !policy.is_on_machine(&entrypoint) {
            *counts.entry("on the interpreter").or_default() += 1;
            continue;
        }
        for _ in 0..3 {
            let input = generator.input();
            let rego = value::from_json(&input).unwrap();
            let reached = reached::within(policy.reach(), &rego);
            let chosen = policy.evaluate(&entrypoint, reached, &MOMENT);
            let reference = policy.evaluate_by_interpreter(&entrypoint, rego, &MOMENT);
            let kind = match (&chosen, &reference) {
                (Ok(one), Ok(other)) if one == other && one.is_some() => "defined",
                (Ok(one), Ok(other)) if one == other => "undefined",
                (Err(EvalError::Failed(_)), Err(EvalError::Failed(_))) => "errors",
                (Err(EvalError::Budget), Err(EvalError::Budget)) => "budget",
                // One may find a conflict in what the other need not look at: it denies.
                (Ok(_), Err(EvalError::Failed(error))) | (Err(EvalError::Failed(error)), Ok(_))
                    if is_conflict(error) =>
                {
                    "one finds a conflict"
                }
                _ => {
                    differing.push(format!(
                        "seed {seed}: {chosen:?} against {reference:?} for {input}\n{text}"
                    ));
                    "differing"
                }
            };
            *counts.entry(kind).or_default() += 1;
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "differential: {total} policies: {counts:?}"
    );
    assert!(
        differing.is_empty(),
        "{}:\n{}",
        differing.len(),
        differing
            .iter()
            .take(5)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
    // It is worth nothing where little of it runs.
    let count = |kind| counts.get(kind).copied().unwrap_or_default();
    assert!(count("not loaded") * 2 < total && count("defined") * 2 > total);
}

fn is_conflict(error: &str) -> bool {
    ["more than one value", "rules conflict"]
        .iter()
        .any(|words| error.contains(words))
}
