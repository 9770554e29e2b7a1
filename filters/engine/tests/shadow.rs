//! A candidate beside the policy: what is told of it, and that it changes no answer that is not its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use portcullis_engine::{
    Attributes, Decision, Effect, Gate, Incoming, Moment, Over, Request, Side, Told, api_key_hash,
    words::counter,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const ACTIVE: &str = r#"package envoy.authz

default allow := false

allow if input.parsed_path[0] == "open"

allow := {"allowed": false, "reason": "closed by the old one"} if input.parsed_path[0] == "told"
"#;

const CANDIDATE: &str = r#"package envoy.authz

default allow := false

allow if input.parsed_path[1] == "yes"

allow := {"allowed": false, "reason": "closed by the next one"} if input.parsed_path[1] == "told"

allow := 7 if input.parsed_path[1] == "wrong"

allow if {
	input.parsed_path[1] == "endless"
	some i in numbers.range(1, 100000)
	i == 100001
}
"#;

const UNDEFINED: &str = "package envoy.authz\n\nallow if input.parsed_path[1] == \"yes\"\n";

const NOW: u64 = 1_800_000_000_000_000_000;

fn gate(candidate: Option<Value>) -> Gate {
    let hash = |key: &str| api_key_hash(key, None);
    let mut document = json!({
        "policy": {"modules": {"authz.rego": ACTIVE}},
        "api_keys": {"keys": [
            {"id": "a", "hash": hash("key-a"), "subject": "alice", "scopes": []},
            {"id": "b", "hash": hash("key-b"), "subject": "bob", "scopes": []},
        ]},
    });
    if let Some(candidate) = candidate {
        document["policy"]["candidate"] = candidate;
    }
    let text = document.to_string();
    Gate::load(text.as_bytes(), &|_: &str| None).unwrap()
}

fn inline(source: &str, more: &Value) -> Option<Value> {
    let mut candidate = json!({"modules": {"next.rego": source}, "budget": {"instructions": 2000}});
    let members = candidate.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    Some(candidate)
}

/// Asks, and looks back.
fn ask(gate: &Gate, path: &str, key: Option<&str>, id: &str, now_ns: u64) -> (Decision, Told) {
    let mut headers: Vec<(&str, &[u8])> = vec![
        (":method", b"GET"),
        (":path", path.as_bytes()),
        (":authority", b"api.test"),
    ];
    headers.extend(key.map(|key| ("x-api-key", key.as_bytes())));
    let request = Request {
        headers: &headers,
        attributes: Attributes::default(),
        body: Incoming::None,
    };
    let moment = Moment {
        now_ns,
        decision_id: id,
    };
    let decision = gate.decide(&request, &moment);
    let told = gate.look_back(&Over {
        request: Some(&request),
        record: &decision.record,
        status: None,
        took_ns: None,
        now_ns,
    });
    (decision, told)
}

fn counted(gate: &Gate) -> BTreeMap<&'static str, u64> {
    gate.take_counts()
}

/// The path, which way the candidate goes and its reason (`-` where it goes the same way), what counts.
const CASES: [(&str, &str, &str); 10] = [
    ("/open/yes", CANDIDATE, "-"),
    ("/open/no", CANDIDATE, "would_deny policy.denied"),
    (
        "/open/told",
        CANDIDATE,
        "would_deny policy.denied closed by the next one",
    ),
    ("/shut/yes", CANDIDATE, "would_allow policy.allowed"),
    ("/shut/no", CANDIDATE, "-"),
    ("/told/yes", CANDIDATE, "would_allow policy.allowed"),
    (
        "/open/wrong",
        CANDIDATE,
        "would_deny policy.error the result is neither a boolean nor an object",
    ),
    ("/open/endless", CANDIDATE, "would_deny policy.budget"),
    ("/open/no", UNDEFINED, "would_deny policy.undefined"),
    ("/shut/no", UNDEFINED, "-"),
];

#[test]
fn a_difference_is_told_with_both_rules() {
    for (path, source, expected) in CASES {
        let gate = gate(inline(source, &json!({})));
        let (decision, told) = ask(&gate, path, None, "id-1", NOW);
        let shadow = told.shadow.unwrap();
        assert_eq!(shadow.of, Side::Candidate, "{path}");
        let found = match shadow.differs {
            None => "-".to_owned(),
            Some((direction, reason)) => {
                let detail = shadow.detail.clone().unwrap_or_default();
                assert_eq!(reason, shadow.reason);
                format!("{} {reason} {detail}", direction.name())
                    .trim()
                    .to_owned()
            }
        };
        assert_eq!(found, expected, "{path}");
        let lines: Vec<String> = told.lines.into_iter().map(|(_, line)| line).collect();
        match expected {
            "-" => assert!(lines.is_empty(), "{lines:?}"),
            _ => {
                let [line] = lines.as_slice() else {
                    panic!("{path}: {lines:?}")
                };
                let direction = expected.split(' ').next().unwrap();
                let (reason, own) = (decision.record.reason, shadow.reason);
                for part in [
                    direction,
                    &format!("the candidate `data.envoy.authz.allow` says {own}"),
                    &format!("where `data.envoy.authz.allow` says {reason} and decided"),
                    "decision id-1",
                ] {
                    assert!(line.contains(part), "{line} lacks {part}");
                }
            }
        }
        let counts = counted(&gate);
        assert_eq!(counts.get(counter::SHADOW_EVALUATIONS), Some(&1), "{path}");
        let erred = ["policy.error", "policy.budget", "policy.undefined"];
        let erred = erred.contains(&shadow.reason.code());
        assert_eq!(counts.contains_key(counter::SHADOW_ERRORS), erred, "{path}");
    }
}

#[test]
fn it_changes_no_answer() {
    let alone = gate(None);
    for (path, source, _) in CASES {
        let beside = gate(inline(source, &json!({})));
        for key in [None, Some("key-a"), Some("key-c")] {
            let (without, _) = ask(&alone, path, key, "id", NOW);
            let (mut with, _) = ask(&beside, path, key, "id", NOW);
            let has_asked = with.record.evidence.take().is_some();
            assert_eq!(has_asked, with.record.rule.is_some(), "{path}");
            assert_eq!(with, without, "{path} {key:?}");
        }
    }
}

#[test]
fn a_share_of_decisions_is_shown_to_it() {
    let gate = gate(inline(CANDIDATE, &json!({"sample": 0.25})));
    let mut asked = 0;
    for number in 0..2000 {
        let id = format!("id-{number}");
        let (decision, told) = ask(&gate, "/open/yes", None, &id, NOW);
        assert_eq!(decision.record.evidence.is_some(), told.shadow.is_some());
        asked += u64::from(told.shadow.is_some());
    }
    assert!((400..600).contains(&asked), "{asked} of 2000");
    assert_eq!(counted(&gate)[counter::SHADOW_EVALUATIONS], asked);
}

#[test]
fn what_is_kept_of_a_request_is_shown_by_nobody() {
    let gate = gate(inline(CANDIDATE, &json!({})));
    let (decision, told) = ask(&gate, "/open/no?token=hush-hush", None, "id", NOW);
    let shown = format!(
        "{decision:?} {:?} {} {:?}",
        told.shadow, decision.record, told.lines
    );
    assert!(decision.record.evidence.is_some());
    assert!(!shown.contains("parsed_query"), "{shown}");
    assert!(!decision.record.to_string().contains("hush"), "{shown}");
}

fn by_candidate(decision: &Decision) -> bool {
    decision.record.by_candidate
}

#[test]
fn it_decides_on_its_share_of_subjects_and_on_nobody_else() {
    let all = gate(inline(CANDIDATE, &json!({"enforce": {"share": 1}})));
    let (decision, told) = ask(&all, "/shut/yes", Some("key-a"), "id", NOW);
    assert!(by_candidate(&decision));
    assert!(matches!(decision.effect, Effect::Allow(_)));
    assert_eq!(decision.record.to_json()["enforced_by"], "candidate");
    let shadow = told.shadow.unwrap();
    assert_eq!(shadow.of, Side::Active);
    assert_eq!(shadow.reason.code(), "policy.denied");
    let (direction, reason) = shadow.differs.unwrap();
    assert_eq!(
        (direction.name(), reason.code()),
        ("would_allow", "policy.allowed")
    );
    // Nobody was proven.
    let (decision, _) = ask(&all, "/shut/yes", None, "id", NOW);
    assert!(!by_candidate(&decision));
    assert!(matches!(decision.effect, Effect::Deny(_)));
    assert!(all.leaves_to_candidate(Some("acme")) && !all.leaves_to_candidate(None));
    let counts = counted(&all);
    assert_eq!(counts[counter::SHADOW_ENFORCED], 1);

    // One subject is always on the same side, whatever the decision's id.
    let mut sides = BTreeMap::new();
    for share in [0.1, 0.5, 0.9] {
        let gate = gate(inline(CANDIDATE, &json!({"enforce": {"share": share}})));
        for key in ["key-a", "key-b"] {
            let side = |id: &str| by_candidate(&ask(&gate, "/open/no", Some(key), id, NOW).0);
            let own = side("id-0");
            assert!((1..50).all(|number| side(&format!("id-{number}")) == own));
            // A larger share has all those of a smaller one.
            let before = sides.insert(key, own).unwrap_or(false);
            assert!(own || !before, "{key} at {share}");
        }
    }
}

#[test]
fn with_too_many_errors_in_a_window_the_active_policy_decides_again() {
    let enforce = json!({"enforce": {"share": 1, "max_errors": 3, "window": "10s"}});
    let gate = gate(inline(CANDIDATE, &enforce));
    let second = u64::try_from(Duration::from_secs(1).as_nanos()).unwrap();
    let ask = |path: &str, at: u64| ask(&gate, path, Some("key-a"), "id", NOW + at * second);
    // Three in a window, and three in the next.
    for at in [0, 1, 2, 11, 12, 13] {
        let (decision, told) = ask("/open/wrong", at);
        assert!(!by_candidate(&decision));
        // The active policy's word.
        assert!(matches!(decision.effect, Effect::Allow(_)), "at {at}");
        assert_eq!(told.shadow.unwrap().reason.code(), "policy.error");
        assert!(by_candidate(&ask("/open/no", at).0), "at {at}");
        assert!(gate.is_candidate_deciding());
    }
    assert_eq!(counted(&gate).get(counter::SHADOW_RETURNS), None);
    let (_, told) = ask("/open/endless", 14);
    let warnings = told.lines.iter().filter(|(is_warning, _)| *is_warning);
    let warnings: Vec<&String> = warnings.map(|(_, line)| line).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("enforce.max_errors"), "{warnings:?}");
    assert!(!gate.is_candidate_deciding());
    // For good, as this candidate; and it is told once.
    for at in [15, 1000, 100_000] {
        let (decision, told) = ask("/open/no", at);
        assert!(!by_candidate(&decision));
        assert!(matches!(decision.effect, Effect::Allow(_)));
        assert!(told.lines.iter().all(|(is_warning, _)| !is_warning));
        assert_eq!(told.shadow.unwrap().of, Side::Candidate);
    }
    let counts = counted(&gate);
    assert_eq!(counts[counter::SHADOW_RETURNS], 1);
    assert_eq!(counts[counter::SHADOW_ERRORS], 1);
}

/// Exchanges end in another order than they are decided in, and each candidate has errors of its own.
#[test]
fn old_errors_begin_no_new_window() {
    let enforce = json!({"enforce": {"share": 1, "max_errors": 3, "window": "10s"}});
    let gate = gate(inline(CANDIDATE, &enforce));
    let second = u64::try_from(Duration::from_secs(1).as_nanos()).unwrap();
    for at in [100, 20, 101, 30, 102] {
        ask(&gate, "/open/wrong", Some("key-a"), "id", NOW + at * second);
    }
    assert!(!gate.is_candidate_deciding());
}
