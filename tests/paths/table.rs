//! What was seen, as the tables of PATHS.md.

use crate::{
    client::Answer,
    gates::{Gate, SETTINGS},
};
use std::collections::BTreeMap;

const FILE: &str = "tests/PATHS.md";
/// Set, it writes the file.
const UPDATE: &str = "UPDATE_PATHS";

const HEAD: &str = "# Paths, spelling by spelling

What [paths.rs](paths.rs) finds on a real Envoy 1.40 with the gate, over HTTP/1.1; the test fails where this file says anything else, and
writes it with `UPDATE_PATHS=1`. **Where a cell is a path, the policy has read the very same bytes that the upstream
received.** Elsewhere the upstream received nothing: a cell has the status, and the gate's reason or that Envoy answered by itself.
Where Envoy's route rewrites the path, over HTTP/2 too, the upstream received that path rewritten.

The columns are settings of Envoy's `HttpConnectionManager`: nothing; `normalize_path` and `merge_slashes`; those with each
`path_with_escaped_slashes_action`. `\\xNN` is a byte; an empty path stands as `(empty)`.
";

/// What came of each path with each of the settings.
#[derive(Default)]
pub struct Table(BTreeMap<(usize, usize), String>);

impl Table {
    pub fn note(&mut self, row: usize, settings: usize, answer: &Answer, target: Option<&[u8]>) {
        let cell = match (target, answer) {
            (Some(target), _) => code(target),
            (None, Answer::Status(status, Some(reason))) => format!("{status} {reason}"),
            (None, Answer::Status(status, None)) => format!("{status} by Envoy"),
            (None, Answer::Whole | Answer::Ended) => "ended".to_owned(),
        };
        self.0.insert((row, settings), cell);
    }

    fn to_markdown(&self, gate: Gate, rows: &[&[u8]]) -> String {
        let title = match gate {
            Gate::Plain => "No route of the gate's goes by path",
            Gate::ByPath => "Routes of the gate's go by path",
        };
        let columns = SETTINGS.map(|(name, _)| match name.contains('_') {
            true => format!("`{name}`"),
            false => name.to_owned(),
        });
        let mut text = format!("\n## {title}\n\n| sent | {} |\n", columns.join(" | "));
        text.push_str(&"|---".repeat(columns.len() + 1));
        text.push_str("|\n");
        for (row, path) in rows.iter().enumerate() {
            let cells = (0..SETTINGS.len()).map(|settings| self.0[&(row, settings)].as_str());
            let cells: Vec<&str> = cells.collect();
            text.push_str(&format!("| {} | {} |\n", code(path), cells.join(" | ")));
        }
        text
    }
}

fn code(path: &[u8]) -> String {
    if path.is_empty() {
        return "(empty)".to_owned();
    }
    let shown = path.escape_ascii().to_string();
    let shown = shown.replace("\\\\", "\\").replace("\\\"", "\"");
    let shown = shown.replace("\\'", "'").replace('|', "\\|");
    match shown.contains('`') {
        true => format!("`` {shown} ``"),
        false => format!("`{shown}`"),
    }
}

pub fn hold_against_the_file(tables: [(Gate, &Table); 2], rows: &[&[u8]]) {
    let tables = tables.map(|(gate, table)| table.to_markdown(gate, rows));
    let found = format!("{HEAD}{}", tables.concat());
    portcullis_tests::hold_against_the_page(FILE, &found, UPDATE);
}
