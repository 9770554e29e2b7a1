//! What is under envoy/ for Kubernetes, Istio and Envoy Gateway: each manifest is as its schema says, and the
//! schemas are held by manifests that are not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "kubernetes/python.rs"]
mod python;

#[test]
fn what_is_wrong_with_a_manifest_is_told() {
    if let Some(python) = python::with("kubernetes_validate") {
        let said = python.run("cases.py", &[]);
        assert!(said.success, "{}", said.text);
    }
}
