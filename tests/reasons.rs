//! Every reason code has a scenario, and every refusal a neighbour that is allowed: a gate that
//! refuses everything would otherwise pass.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_engine::Reason;
use std::collections::{BTreeMap, BTreeSet};

/// Codes that no request can bring about, each with why.
const EXEMPT: &[(Reason, &str)] = &[
    (
        Reason::HostError,
        "means that a hostcall failed, which neither host does to a request that it took",
    ),
    (
        Reason::BodyFull,
        "means 128 MiB of bodies at once, where a scenario sends one request at a time",
    ),
];

#[test]
fn every_reason_is_expected_somewhere() {
    let expected = expected();
    for reason in Reason::ALL {
        let exempt = EXEMPT.iter().any(|(exempt, _)| exempt == reason);
        assert_eq!(expected.contains_key(reason.code()), !exempt, "{reason}");
    }
}

#[test]
fn no_case_expects_a_reason_that_is_not_in_the_vocabulary() {
    for code in expected().keys() {
        assert!(
            Reason::ALL.iter().any(|reason| reason.code() == code),
            "{code}"
        );
    }
}

#[test]
fn every_refusal_has_an_allowed_neighbour() {
    for (code, neighbours) in expected() {
        let refuses = Reason::ALL
            .iter()
            .any(|reason| reason.code() == code && !reason.allows());
        assert!(
            !refuses || neighbours,
            "`{code}` has no scenario in which another case is allowed"
        );
    }
}

/// Each code, and whether some scenario that expects it allows another request.
fn expected() -> BTreeMap<String, bool> {
    let mut expected = BTreeMap::new();
    for scenario in portcullis_tests::scenarios().unwrap() {
        let codes: BTreeSet<&str> = scenario.expected_reasons().collect();
        let allows = Reason::ALL
            .iter()
            .any(|reason| reason.allows() && codes.contains(reason.code()));
        for code in codes {
            *expected.entry(code.to_owned()).or_insert(false) |= allows;
        }
    }
    expected
}
