//! Every folder under `scenarios/` on every subject; a test for each subject, one run for all.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_runner::On;

#[test]
fn native() {
    passes(On::Native);
}

#[test]
fn wasmtime() {
    passes(On::Wasmtime);
}

#[test]
fn envoy() {
    passes(On::Envoy);
}

fn passes(on: On) {
    let report = portcullis_tests::everything().as_ref().unwrap().on(on);
    println!("{report}");
    let [passed, failed, _] = report.counts();
    let absent = passed == 0 && failed == 0;
    if absent && on == On::Envoy && !portcullis_tests::strict() {
        eprintln!("SKIPPED: no scenario ran on Envoy: {:?}", report.absent);
        return;
    }
    assert!(report.ok(), "scenarios failed on {on}");
}
