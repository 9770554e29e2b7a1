//! Why a test failed: the one place that says so, for every format.

use portcullis_rego::tools::tests::{Suite, Test};

/// A line each, without indentation; the first is the test's place.
pub fn lines(_suite: &Suite, test: &Test) -> Vec<String> {
    vec![format!("{}:{}", test.file, test.line)]
}
