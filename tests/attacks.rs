//! The page of attacks stays true: what it names is there and is refused, or shows what was stripped;
//! each row says where the attack is described, and no folder of attacks is missing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_engine::Reason;
use portcullis_runner::Scenario;
use portcullis_tests::{code_spans, root, scenarios};
use std::fs;

const PAGE: &str = "filters/engine/ATTACKS.md";
/// From the page to the scenarios.
const SCENARIOS: &str = "../../tests/scenarios/";

struct Row {
    attack: String,
    source: String,
    defence: String,
    /// Scenarios, each with the cases that are named, or none where all are meant.
    tried: Vec<(String, Vec<String>)>,
}

#[test]
fn every_row_says_where_its_attack_is_described() {
    for row in rows() {
        let source = &row.source;
        let known = ["RFC ", "CVE-", "CWE-", "OWASP ", "#", "](https://"];
        assert!(
            known.iter().any(|kind| source.contains(kind)),
            "{}: {source}",
            row.attack
        );
        for part in source
            .split([';', ','])
            .map(str::trim)
            .filter(|part| part.starts_with("RFC "))
        {
            assert!(part.contains(" section"), "{part} has no section");
        }
    }
}

#[test]
fn every_case_that_it_names_is_there_and_holds() {
    let scenarios = scenarios().unwrap();
    for row in rows() {
        assert!(!row.tried.is_empty(), "{}: nothing tries it", row.attack);
        for (name, cases) in &row.tried {
            let found = scenarios.iter().find(|scenario| scenario.name == *name);
            assert!(found.is_some(), "{}: no scenario `{name}`", row.attack);
            let scenario = found.unwrap();
            if scenario.file.expect_load_error.is_some() {
                assert!(cases.is_empty(), "`{name}` is refused at load");
                continue;
            }
            let strips = row.defence.contains("*strip");
            let holding = holding(scenario, strips);
            for case in cases {
                assert!(
                    holding.contains(&case.as_str()),
                    "{}: `{name}` has no case `{case}` that is refused{}",
                    row.attack,
                    if strips { " or stripped" } else { "" }
                );
            }
            assert!(!holding.is_empty(), "{}: `{name}`", row.attack);
            assert!(
                scenario.expected_reasons().any(allows),
                "`{name}` has no case that is allowed"
            );
        }
    }
}

#[test]
fn every_folder_of_attacks_is_there_under_its_source() {
    let rows = rows();
    for scenario in scenarios().unwrap() {
        let Some(folder) = scenario.name.strip_prefix("attacks/") else {
            continue;
        };
        let words: Vec<&str> = folder.split('_').collect();
        let source = match words.as_slice() {
            ["cve", year, number, ..] => format!("CVE-{year}-{number}"),
            [first, ..] => first.replace("rfc", "RFC "),
            [] => continue,
        };
        let named = rows.iter().any(|row| {
            row.tried.iter().any(|(name, _)| *name == scenario.name)
                && row.source.to_lowercase().contains(&source.to_lowercase())
        });
        assert!(named, "no row links `{folder}` and names {source}");
    }
}

/// The cases that are refused, and where that is the defence, those that show what was stripped.
fn holding(scenario: &Scenario, strips: bool) -> Vec<&str> {
    scenario
        .file
        .cases
        .iter()
        .filter(|case| {
            let upstream = &case.expect.upstream;
            let shows = !upstream.absent.is_empty() || !upstream.headers.is_empty();
            !allows(&case.expect.reason) || (strips && shows)
        })
        .map(|case| case.name.as_str())
        .collect()
}

fn allows(code: &str) -> bool {
    Reason::ALL
        .iter()
        .any(|reason| reason.code() == code && reason.allows())
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let rows: Vec<Row> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| attack |"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 4, "{line}");
            Row {
                attack: cells.first().unwrap().to_string(),
                source: cells.get(1).unwrap().to_string(),
                defence: cells.get(2).unwrap().to_string(),
                tried: tried(cells.get(3).unwrap()),
            }
        })
        .collect();
    assert!(rows.len() > 40, "the page lost its tables");
    rows
}

/// `[text](link): `case`, `case`, [text](link)`.
fn tried(cell: &str) -> Vec<(String, Vec<String>)> {
    cell.split("](")
        .skip(1)
        .map(|rest| {
            let (link, after) = rest.split_once(')').unwrap();
            let name = link.strip_prefix(SCENARIOS).unwrap();
            (name.to_owned(), code_spans(after))
        })
        .collect()
}
