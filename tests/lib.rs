//! What the end-to-end tests beside this file share: where things are, and one run of all scenarios.

use portcullis_runner::{Envoy, Error, On, Options, Report, Runner, Scenario};
use std::{
    fmt::Display,
    io::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The module that `make build` leaves, or the one that `PORTCULLIS_WASM` names.
pub fn module() -> PathBuf {
    match std::env::var_os("PORTCULLIS_WASM") {
        Some(path) => path.into(),
        None => root().join("target/wasm32-wasip1/release/portcullis.wasm"),
    }
}

/// In CI nothing that is missing is skipped.
pub fn strict() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// What a test needs beside the repository. Without it there is nothing to test, which is said, and is
/// a failure in CI.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn needed<T>(found: Result<T, impl Display>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(why) if strict() => panic!("{why}"),
        Err(why) => {
            // What a harness captures, nobody reads.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
            None
        }
    }
}

/// Where Envoy is, for a test that needs it.
pub fn envoy() -> Option<PathBuf> {
    needed(portcullis_runner::find_envoy(&root()))
}

/// No filter of this Envoy has crashed.
///
/// # Panics
/// Where its log says otherwise.
pub fn assert_well(envoy: &Envoy) {
    let log = envoy.log();
    for bad in [
        "[critical]",
        "panicked",
        "Function: proxy_on",
        "assert failure",
    ] {
        assert!(!log.contains(bad), "{log}");
    }
}

pub fn scenarios() -> Result<Vec<Scenario>, Error> {
    let mut all = portcullis_runner::scenarios(&root().join("tests/scenarios"))?;
    all.push(workload()?);
    Ok(all)
}

/// What `make bench` measures: a scenario among the others, so that it stays what it says it is.
pub fn workload() -> Result<Scenario, Error> {
    let tests = root().join("tests");
    Scenario::read(&tests, &tests.join("bench/workload"))
}

pub fn runner(on: &[On]) -> Result<Runner, Error> {
    Runner::new(Options {
        on: on.to_vec(),
        module: module(),
        minter: Some(root().join("tests/minter/mint.py")),
        strict: strict(),
    })
}

/// What stands in backticks, in order.
pub fn code_spans(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every scenario on every subject, run once: one Envoy serves all tests of a process.
pub fn everything() -> &'static Result<Report, String> {
    static REPORT: OnceLock<Result<Report, String>> = OnceLock::new();
    REPORT.get_or_init(|| {
        let run = || runner(On::ALL)?.run(&scenarios()?);
        run().map_err(|error: Error| error.to_string())
    })
}
