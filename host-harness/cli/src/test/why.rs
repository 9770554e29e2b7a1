//! Why a test failed: the one place that says so, for every format.

use portcullis_rego::tools::tests::{Suite, Test};

/// A line each, without indentation; none where there is nothing to say.
pub fn lines(_suite: &Suite, _test: &Test) -> Vec<String> {
    Vec::new()
}
