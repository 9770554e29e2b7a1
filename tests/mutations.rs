//! Each condition of the library, turned into its opposite, one at a time: at least one of the
//! library's tests must fail then. What no test would miss is not held.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use portcullis_gatefile::{Policies, Tests};
use portcullis_rego::{
    Module, Moment, RegoVersion, Sources,
    tools::{
        Statement, outline,
        tests::{Outcome, Suite},
    },
    value,
};
use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// A condition that may be turned without a test that fails, each with the reason. None is left.
const HARMLESS: &[(&str, &str, &str)] = &[];

#[test]
fn no_condition_can_be_turned_unseen() {
    let library = portcullis_tests::root().join("policies/library");
    let sources = sources(&library);
    assert_eq!(
        failing(&sources, Path::new("")).unwrap(),
        0,
        "the library's tests pass as it is"
    );
    let mutants: Vec<(usize, Statement)> = sources
        .modules
        .iter()
        .enumerate()
        .filter(|(_, module)| !module.path.ends_with("_test.rego"))
        .flat_map(|(index, module)| {
            let conditions = conditions(module).into_iter();
            conditions.map(move |condition| (index, condition))
        })
        .collect();
    let turned = mutants.len();
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut survivors = Vec::new();
        while let Some((index, condition)) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let module = &sources.modules[*index];
            let mut changed = sources.clone();
            changed.modules[*index].text = opposite(&module.text, condition);
            let own = Path::new(&module.path).parent().unwrap();
            // One that does not load any more is seen as well.
            if failing(&changed, own).unwrap_or(1) == 0 {
                survivors.push((module.path.clone(), condition.clone()));
            }
        }
        survivors
    };
    let survivors: Vec<(String, Statement)> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    });
    println!("{turned} conditions turned, {} unseen", survivors.len());
    let unseen: Vec<String> = survivors
        .iter()
        .filter(|(path, condition)| {
            !HARMLESS
                .iter()
                .any(|(file, text, _)| path.ends_with(file) && condition.text == *text)
        })
        .map(|(path, condition)| format!("{path}:{}: {}", condition.place.line, condition.text))
        .collect();
    assert!(turned > 100, "{turned} conditions");
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

fn sources(library: &Path) -> Sources {
    let read = Policies::read(Path::new(""), &[library.to_owned()], Tests::Read).unwrap();
    Sources {
        modules: read
            .modules
            .into_iter()
            .map(|(path, text)| Module::new(path, text))
            .collect(),
        data: value::from_json(&serde_json::Value::Object(read.data)).unwrap(),
        version: RegoVersion::V1,
    }
}

/// Those that say something: what only gives a name to a value has no opposite.
fn conditions(module: &Module) -> Vec<Statement> {
    let outline = outline(std::slice::from_ref(module), RegoVersion::V1).unwrap();
    outline
        .into_iter()
        .flat_map(|module| module.definitions)
        .flat_map(|definition| definition.branches)
        .flat_map(|branch| branch.conditions)
        .filter(|condition| !condition.binds && !condition.text.starts_with("every "))
        .collect()
}

fn opposite(text: &str, condition: &Statement) -> String {
    let place = condition.place;
    let (before, after) = (&text[..place.start], &text[place.end..]);
    match condition.text.strip_prefix("not ") {
        Some(inner) => format!("{before}{inner}{after}"),
        None => format!("{before}not {}{after}", condition.text),
    }
}

/// How many tests do not pass, up to the first, those of a folder before the others; none where the
/// library does not load.
fn failing(sources: &Sources, first: &Path) -> Option<usize> {
    let suite = Suite::load(sources.clone(), false).ok()?;
    let mut runner = suite.runner().ok()?;
    let moment = Moment {
        now_ns: 1_700_000_000_000_000_000,
        instructions: u32::MAX,
        strict_builtin_errors: false,
    };
    let mut tests: Vec<_> = suite.tests().iter().collect();
    tests.sort_by_key(|test| Path::new(&test.file).parent() != Some(first));
    for test in tests {
        let ran = runner.run(test, &moment, Some(Duration::from_secs(10)));
        if !matches!(ran.outcome, Outcome::Passed | Outcome::Skipped) {
            return Some(1);
        }
    }
    Some(0)
}
