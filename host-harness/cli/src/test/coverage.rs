//! Coverage as `opa test --coverage` has it, and as a table for people.

use portcullis_rego::tools::coverage::{Coverage, Lines};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub fn json(coverage: &Coverage) -> String {
    let files = coverage.files.iter();
    let files: Map<String, Value> = files
        .map(|(path, lines)| (path.clone(), file(lines)))
        .collect();
    let (covered, not_covered) = coverage.totals();
    let report = json!({
        "files": files,
        "covered_lines": covered,
        "not_covered_lines": not_covered,
        "coverage": number(percent((covered, not_covered))),
    });
    format!("{report:#}")
}

/// What is empty or zero is left out.
fn file(lines: &Lines) -> Value {
    let ranges = |lines: &BTreeSet<u32>| -> Value {
        let ranges = Lines::ranges(lines).into_iter();
        ranges
            .map(|(start, end)| json!({"start": {"row": start}, "end": {"row": end}}))
            .collect()
    };
    let (covered, not_covered) = (lines.covered.len(), lines.not_covered.len());
    let mut fields = Map::new();
    if covered > 0 {
        fields.insert("covered".to_owned(), ranges(&lines.covered));
        fields.insert("covered_lines".to_owned(), covered.into());
        let percent = percent((covered, not_covered));
        fields.insert("coverage".to_owned(), number(percent));
    }
    if not_covered > 0 {
        fields.insert("not_covered".to_owned(), ranges(&lines.not_covered));
        fields.insert("not_covered_lines".to_owned(), not_covered.into());
    }
    Value::Object(fields)
}

/// As Go writes it: `72`, not `72.0`.
fn number(percent: f64) -> Value {
    serde_json::from_str(&percent.to_string()).unwrap_or_else(|_| percent.into())
}

/// Of covered and not covered lines; 0 where there are none, as OPA has it.
pub fn percent((covered, not_covered): (usize, usize)) -> f64 {
    let total = covered.saturating_add(not_covered);
    match total {
        0 => 0.0,
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 lines")]
        total => 100.0 * covered as f64 / total as f64,
    }
}

/// A line a file, and where lines were not covered.
pub fn table(coverage: &Coverage, follows: bool) -> String {
    let rows: Vec<(&str, (usize, usize), Vec<String>)> = coverage
        .files
        .iter()
        .filter(|(_, lines)| !lines.covered.is_empty() || !lines.not_covered.is_empty())
        .map(|(path, lines)| {
            let counts = (lines.covered.len(), lines.not_covered.len());
            (path.as_str(), counts, places(path, lines))
        })
        .collect();
    let width = rows.iter().map(|(path, ..)| path.chars().count()).max();
    let width = width.unwrap_or_default().max("total".len());
    let mut text = match follows {
        true => "\n".to_owned(),
        false => String::new(),
    };
    text.push_str(&format!(
        "{:width$}  covered    lines  not covered\n",
        "coverage"
    ));
    let total = ("total", coverage.totals(), Vec::new());
    for (path, (covered, not_covered), places) in rows.iter().chain([&total]) {
        let percent = percent((*covered, *not_covered));
        let lines = format!("{covered}/{}", covered.saturating_add(*not_covered));
        let row = format!(
            "{path:width$}  {percent:6.2}%  {lines:>7}  {}",
            places.join(" ")
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Every place that was not covered, a line each.
pub fn missing(coverage: &Coverage) -> String {
    let files = coverage.files.iter();
    let places: Vec<String> = files
        .flat_map(|(path, lines)| places(path, lines))
        .collect();
    places.join("\n")
}

fn places(path: &str, lines: &Lines) -> Vec<String> {
    let ranges = Lines::ranges(&lines.not_covered).into_iter();
    ranges
        .map(|(start, end)| match start == end {
            true => format!("{path}:{start}"),
            false => format!("{path}:{start}-{end}"),
        })
        .collect()
}
