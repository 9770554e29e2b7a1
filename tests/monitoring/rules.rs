//! Every alert says how bad it is and what to do, and has its test.

use super::{document, pages, text};
use serde_json::Value;

#[test]
fn every_alert_is_explained_and_tested() {
    let page = text("README.md");
    let anchors: Vec<String> = page.lines().filter_map(pages::anchor).collect();
    let tests = document("alerts_test.yaml");
    let mut alerts = Vec::new();
    for group in document("alerts.yaml")["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let Some(name) = rule["alert"].as_str() else {
                continue;
            };
            let severity = rule["labels"]["severity"].as_str().unwrap();
            assert!(
                ["critical", "warning", "info"].contains(&severity),
                "{name}"
            );
            let said = |what: &str| rule["annotations"][what].as_str().unwrap();
            assert!(!said("summary").is_empty() && !said("description").is_empty());
            let (file, anchor) = said("runbook").split_once('#').unwrap();
            assert_eq!(file, "envoy/monitoring/README.md");
            assert_eq!(anchor, name.to_lowercase());
            assert!(
                anchors.iter().any(|it| it == anchor),
                "the page lacks {name}"
            );
            let (fires, does_not) = tried(&tests, name);
            assert!(fires, "no test has {name} fire");
            assert!(does_not, "no test has {name} not fire");
            alerts.push(name.to_owned());
        }
    }
    assert!(alerts.len() > 15);
    // Nor does the page have more than there is.
    let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
    let explained: Vec<&str> = headings.filter(|it| it.starts_with("Portcullis")).collect();
    assert_eq!(explained, alerts);
}

/// Whether a test has it fire, and one that shows its metric has it not.
fn tried(tests: &Value, alert: &str) -> (bool, bool) {
    let name = format!("alertname=\"{alert}\"");
    let (mut fires, mut does_not) = (false, false);
    for test in tests["tests"].as_array().unwrap() {
        // Of all that fire at a time.
        let all: Vec<bool> = test["promql_expr_test"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|it| it["expr"].as_str().unwrap().starts_with("ALERTS"))
            .map(|it| {
                it["exp_samples"]
                    .to_string()
                    .replace('\\', "")
                    .contains(&name)
            })
            .collect();
        let own: Vec<bool> = test["alert_rule_test"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|it| it["alertname"] == alert)
            .map(|it| it["exp_alerts"].as_array().is_some_and(|it| !it.is_empty()))
            .collect();
        let here = all.iter().chain(&own).any(|fires| *fires);
        fires |= here;
        does_not |= here && all.iter().chain(&own).any(|fires| !fires);
    }
    (fires, does_not)
}
