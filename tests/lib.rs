//! What the end-to-end tests beside this file share: where things are, and one run of all scenarios.

#[path = "bundles/shared.rs"]
pub mod bundles;
#[path = "example/mod.rs"]
pub mod example;
#[path = "remote/issuer.rs"]
pub mod issuer;

use portcullis_runner::{
    Envoy, Error, Exit, On, Options, Report, Runner, Scenario, envoy_bootstrap, envoy_listener,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Display,
    io::Write as _,
    net::SocketAddr,
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

/// Holds a page that a test writes against what it found; where `update` is set in the environment, writes
/// it anew.
///
/// # Panics
/// Where the page says otherwise, with the lines that differ.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn hold_against_the_page(page: &str, found: &str, update: &str) {
    let file = root().join(page);
    if std::env::var_os(update).is_some() {
        if let Err(error) = std::fs::write(&file, found) {
            panic!("{page}: {error}");
        }
        return;
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let differs: Vec<String> = found
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .filter(|(found, written)| found != written)
        .map(|(found, written)| format!("found   {found}\nwritten {written}"))
        .collect();
    assert!(
        found == written,
        "{page} says otherwise; where this is right, `{update}=1` writes it\n{}",
        differs.join("\n")
    );
}

/// Listeners of one Envoy, by name, with a gate each.
pub struct Listeners {
    pub envoy: Envoy,
    addresses: BTreeMap<String, SocketAddr>,
    /// What it was started with.
    pub config: Value,
}

impl Listeners {
    /// So many with the gate of this scenario in front of one upstream, once they have their shapes.
    /// Nothing where there is no Envoy.
    ///
    /// # Errors
    /// The scenario, or an Envoy that does not serve.
    pub fn start(
        scenario: &str,
        count: usize,
        upstream: SocketAddr,
        shape: impl FnOnce(&mut Value),
    ) -> Result<Option<Listeners>, String> {
        let Some(binary) = envoy() else {
            return Ok(None);
        };
        let told = |error: Error| error.to_string();
        let folder = root().join(scenario);
        let scenario = Scenario::read(&folder, &folder).map_err(told)?;
        let prepared = runner(&[]).and_then(|runner| {
            let prepared = runner.prepare(&scenario)?;
            let alike: Vec<_> = (0..count).map(|_| &prepared).collect();
            Ok(envoy_bootstrap(
                &alike,
                &module(),
                upstream,
                Path::new("/dev/null"),
            ))
        });
        let mut config = prepared.map_err(told)?;
        shape(&mut config);
        match Envoy::start(&binary, &config, &BTreeMap::new()).map_err(told)? {
            Exit::Serving(envoy) => Ok(Some(Listeners {
                addresses: envoy.listeners().map_err(told)?,
                envoy,
                config,
            })),
            Exit::Ended { log, .. } => Err(log),
        }
    }

    /// That of the listener, in the order of the bootstrap.
    pub fn address(&self, index: usize) -> Option<SocketAddr> {
        self.addresses.get(&envoy_listener(index)).copied()
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
