//! The expressions of the rules and of the dashboard name what there is. That they parse, and give
//! something, says Prometheus.

use super::{document, metrics, text};
use portcullis_engine::Reason;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a scrape adds, and what Prometheus does.
const OTHER_LABELS: [&str; 5] = ["job", "instance", "le", "alertname", "alertstate"];

/// Each with the place that it stands at.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for group in document("alerts.yaml")["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let name = rule.get("alert").or(rule.get("record")).unwrap();
            let expression = rule["expr"].as_str().unwrap();
            found.push((name.to_string(), expression.to_owned()));
        }
    }
    let dashboard = document("grafana.json");
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            found.push((panel["title"].to_string(), expression.to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            found.push((variable["name"].to_string(), query.to_owned()));
        }
    }
    found
}

fn recorded() -> BTreeSet<String> {
    let document = document("alerts.yaml");
    let groups = document["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .filter_map(|rule| Some(rule.get("record")?.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn they_name_metrics_and_labels_that_exist() {
    let table = metrics::table();
    let recorded = recorded();
    let all_labels: BTreeSet<&str> = table
        .values()
        .flat_map(|row| &row.labels)
        .map(String::as_str)
        .chain(OTHER_LABELS)
        .collect();
    let text = Regex::new(r#""(?:[^"\\]|\\.)*"|'[^']*'"#).unwrap();
    let series = Regex::new(r"([a-z_]+:[a-z0-9_:]+|\bportcullis_[a-z0-9_]+)(\{[^}]*\})?").unwrap();
    let matcher = Regex::new(r"([a-z_]+)\s*(?:=~|!~|!=|=)").unwrap();
    let grouping = Regex::new(r"\b(?:by|on|without|group_left)\s*\(([^)]*)\)").unwrap();
    let mut used = BTreeSet::new();
    for (place, expression) in expressions() {
        let bare = text.replace_all(&expression, "\"\"");
        for found in series.captures_iter(&bare) {
            let name = &found[1];
            let labels: BTreeSet<&str> = match table.get(base(name, &table)) {
                Some(row) => row.labels.iter().map(String::as_str).collect(),
                None if recorded.contains(name) => all_labels.clone(),
                None => panic!("{place} names {name}, which nothing shows"),
            };
            used.insert(base(name, &table).to_owned());
            let matchers = found.get(2).map_or("", |braces| braces.as_str());
            for label in matcher.captures_iter(matchers) {
                let label = label.get(1).unwrap().as_str();
                assert!(
                    labels.contains(label) || OTHER_LABELS.contains(&label),
                    "{place}: {name} has no label {label}"
                );
            }
        }
        for group in grouping.captures_iter(&bare) {
            for label in group[1]
                .split(',')
                .map(str::trim)
                .filter(|it| !it.is_empty())
            {
                assert!(all_labels.contains(label), "{place}: no label is {label}");
            }
        }
    }
    let drawn_nowhere: Vec<_> = table.keys().filter(|name| !used.contains(*name)).collect();
    assert!(drawn_nowhere.is_empty(), "{drawn_nowhere:?}");
    let unused: Vec<_> = recorded.difference(&used).collect();
    assert!(unused.is_empty(), "recorded for nobody: {unused:?}");
}

/// A histogram has three series.
fn base<'n>(name: &'n str, table: &BTreeMap<String, metrics::Row>) -> &'n str {
    let parts = ["_bucket", "_sum", "_count"];
    let mut bases = parts.iter().filter_map(|part| name.strip_suffix(part));
    bases
        .find(|name| table.get(*name).is_some_and(|row| row.kind == "histogram"))
        .unwrap_or(name)
}

/// A reason that is new stands in the rule as well.
#[test]
fn what_fails_closed_is_every_503() {
    let rule = expressions();
    let (_, expression) = rule
        .iter()
        .find(|(name, _)| name.contains("failed_closed"))
        .unwrap();
    let (_, listed) = expression.split_once("reason=~\"").unwrap();
    let (listed, _) = listed.split_once('"').unwrap();
    let listed: Vec<String> = listed.split('|').map(|it| it.replace("\\\\", "")).collect();
    let reasons = Reason::ALL.iter().filter(|reason| reason.status() == 503);
    let reasons: Vec<String> = reasons.map(ToString::to_string).collect();
    assert_eq!(listed, reasons);
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = document("grafana.json");
    let panels = dashboard["panels"].as_array().unwrap();
    let numbers = |pointer: &str| -> Vec<u64> {
        let of = |panel: &Value| panel.pointer(pointer).and_then(Value::as_u64).unwrap();
        panels.iter().map(of).collect()
    };
    let ids: BTreeSet<u64> = numbers("/id").into_iter().collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    let (x, y) = (numbers("/gridPos/x"), numbers("/gridPos/y"));
    let (w, h) = (numbers("/gridPos/w"), numbers("/gridPos/h"));
    let mut taken = BTreeSet::new();
    for panel in 0..panels.len() {
        assert!(x[panel] + w[panel] <= 24, "{}", panels[panel]["title"]);
        for column in x[panel]..x[panel] + w[panel] {
            for line in y[panel]..y[panel] + h[panel] {
                assert!(
                    taken.insert((column, line)),
                    "{} lies on another",
                    panels[panel]["title"]
                );
            }
        }
    }
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].is_string(), "{}", panel["title"]);
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
    }
    // Who imports it chooses where the data is.
    assert!(!text("grafana.json").contains("__inputs"));
}
