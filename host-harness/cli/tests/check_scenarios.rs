//! `portcullis check` over every scenario's configuration: what it finds there is true, and each
//! scenario does it on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use portcullis_runner::{Options, Runner, Scenario};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};
use support::Folder;

/// Scenario, finding, and why it is there.
const ON_PURPOSE: &[(&str, &str, &str)] = &[
    (
        "attacks/cve_2021_32777_repeated_headers",
        "identity-header",
        "it denies by what the header says, to see how it is joined",
    ),
    (
        "attacks/cve_2026_40575_forwarded_headers",
        "input-not-configured",
        "a principal that a client writes must not be there",
    ),
    (
        "attacks/cve_2026_40575_forwarded_headers",
        "path-prefix",
        "the flaw that is tried needs it",
    ),
    (
        "attacks/rfc6750_2_1_empty_credentials",
        "default-allow",
        "only the credential may refuse",
    ),
    (
        "attacks/rfc9112_6_3_framing",
        "default-allow",
        "only the framing may refuse",
    ),
    (
        "attacks/rfc9440_client_certificate_headers",
        "input-never-set",
        "a certificate that a client writes must not be there",
    ),
    (
        "attacks/rfc9440_client_certificate_headers",
        "input-not-configured",
        "a peer that a client writes must not be there",
    ),
    (
        "bundles/archive",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/candidate",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/cold",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/data",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/delta",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/order",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/server",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/swap",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/tested",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/times",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    (
        "bundles/versions",
        "unsigned-bundle",
        "who signed it is not what it is about",
    ),
    ("body/digest", "default-allow", "only the body may refuse"),
    (
        "body/not_shown",
        "default-allow",
        "only the body may refuse",
    ),
    ("body/refused", "default-allow", "only the body may refuse"),
    ("body/required", "default-allow", "only the body may refuse"),
    ("body/shapes", "default-allow", "only the body may refuse"),
    ("body/streamed", "default-allow", "only the body may refuse"),
    (
        "decision_log/away",
        "default-allow",
        "nothing refuses: the server is what changes",
    ),
    (
        "decision_log/events",
        "authorization-header",
        "it repeats a token in its reason, to see it hidden",
    ),
    (
        "headers/default_limits",
        "default-allow",
        "only a limit may refuse",
    ),
    (
        "headers/invalid",
        "default-allow",
        "only the header may refuse",
    ),
    ("headers/limits", "default-allow", "only a limit may refuse"),
    (
        "headers/removed",
        "input-not-configured",
        "it looks for what must be gone",
    ),
    (
        "headers/repeated",
        "default-allow",
        "only the header may refuse",
    ),
    (
        "jwt/claim_headers",
        "default-allow",
        "only the upstream's headers are looked at",
    ),
    (
        "jwt/forward",
        "default-allow",
        "only the upstream's headers are looked at",
    ),
    (
        "library/deny_lists",
        "input-not-configured",
        "a list names subjects, keys and peers, whichever of them a gate verifies",
    ),
    (
        "library/example",
        "input-not-configured",
        "a list names subjects, keys and peers, whichever of them a gate verifies",
    ),
    (
        "library/example",
        "unused-rule",
        "it has the whole library beside it, and uses seven rules of it",
    ),
    (
        "policy/data_and_folders",
        "identity-header",
        "something of the request has to choose the data",
    ),
    (
        "policy/fails_closed",
        "input-not-configured",
        "what is not there must not allow",
    ),
    (
        "policy/results",
        "entrypoint-undefined",
        "undefined is one of the results",
    ),
    (
        "policy/imports",
        "shadowed-name",
        "what a name means that two have is what it is about",
    ),
    (
        "policy/imports",
        "unused-rule",
        "and which of the two is asked",
    ),
    (
        "policy/self_check",
        "entrypoint-undefined",
        "undefined is one of the answers that are compared",
    ),
    (
        "policy/self_check_off",
        "entrypoint-undefined",
        "undefined is one of the answers that are compared",
    ),
    (
        "policy/version_0",
        "identity-header",
        "something of the request has to choose the data",
    ),
    (
        "upstream/components",
        "default-allow",
        "only what the upstream is shown is looked at",
    ),
    (
        "upstream/digest",
        "default-allow",
        "only what the upstream is shown is looked at",
    ),
    (
        "upstream/digest",
        "rewritten-component",
        "what is signed is what it is about",
    ),
    (
        "upstream/jwks",
        "rewritten-component",
        "what is signed is what it is about",
    ),
    (
        "upstream/signed",
        "rewritten-component",
        "what is signed is what it is about",
    ),
    (
        "upstream/signed_beside",
        "rewritten-component",
        "what is signed is what it is about",
    ),
    (
        "upstream/webhook",
        "rewritten-component",
        "what is signed is what it is about",
    ),
    (
        "upstream/wristband",
        "default-allow",
        "only what the upstream is shown is looked at",
    ),
    (
        "upstream/wristband_in_place",
        "default-allow",
        "only what the upstream is shown is looked at",
    ),
];

#[test]
fn nothing_is_found_but_what_is_there_on_purpose() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let runner = Runner::new(Options {
        on: Vec::new(),
        module: root.clone(),
        minter: None,
        strict: false,
    })
    .unwrap();
    let known: BTreeSet<(String, String)> = ON_PURPOSE
        .iter()
        .map(|(scenario, name, _)| ((*scenario).to_owned(), (*name).to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    for scenario in Scenario::read_all(&root).unwrap() {
        // What is refused at load is another test's.
        if scenario.expected_reasons().next().is_none() {
            continue;
        }
        let folder = Folder::new();
        folder.write("gate.json", runner.prepare(&scenario).unwrap().document);
        let arguments = ["--allow", "evaluator", "--format", "json"];
        let ran = folder.run(&[&["check", "--config", "gate.json"], &arguments[..]].concat());
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        for finding in report.get("findings").unwrap().as_array().unwrap() {
            let name = finding.get("name").unwrap().as_str().unwrap();
            found.insert((scenario.name.clone(), name.to_owned()));
        }
    }
    assert_eq!(found, known);
}
