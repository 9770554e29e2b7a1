//! A text of Rego on one line, for what is put elsewhere than it was written.

use std::collections::BTreeSet;

use regorus::unstable::{Module, Query};

use crate::{edit, visit::Visitor, walk};

/// Where a statement ends that only a new line parts from the next, in a whole module.
pub(crate) fn breaks(module: &Module) -> BTreeSet<usize> {
    let mut breaks = Breaks(BTreeSet::new());
    for rule in &module.policy {
        walk::rule(rule, &mut breaks);
    }
    breaks.0
}

struct Breaks(BTreeSet<usize>);

impl Visitor for Breaks {
    fn query(&mut self, query: &Query) {
        for pair in query.stmts.windows(2) {
            let [one, next] = pair else {
                continue;
            };
            let between = (edit::range(&one.span).1, edit::range(&next.span).0);
            if edit::find(&one.span.source, between, ";").is_none() {
                self.0.insert(between.0);
            }
        }
    }
}

/// The text from `start` to `end` without comments and new lines.
pub(crate) fn text(
    whole: &str,
    (start, end): (usize, usize),
    breaks: &BTreeSet<usize>,
) -> Option<String> {
    let part = whole.get(start..end)?;
    if !part.contains('\n') {
        return Some(part.to_owned());
    }
    let mut flat = String::with_capacity(part.len());
    let mut characters = part.char_indices();
    while let Some((offset, character)) = characters.next() {
        if breaks.contains(&start.saturating_add(offset)) {
            flat.push(';');
        }
        match character {
            '\n' | '\r' => flat.push(' '),
            '#' => {
                let _ = characters
                    .by_ref()
                    .find(|(_, character)| *character == '\n');
                flat.push(' ');
            }
            '"' => {
                flat.push('"');
                while let Some((_, character)) = characters.next() {
                    flat.push(character);
                    match character {
                        '"' => break,
                        '\\' => flat.extend(characters.next().map(|(_, escaped)| escaped)),
                        _ => {}
                    }
                }
            }
            '`' => {
                let raw = characters.by_ref().map(|(_, character)| character);
                let raw: String = raw.take_while(|&character| character != '`').collect();
                match raw.contains('\n') {
                    true => flat.push_str(&serde_json::Value::from(raw).to_string()),
                    false => flat.push_str(&format!("`{raw}`")),
                }
            }
            other => flat.push(other),
        }
    }
    Some(flat)
}
