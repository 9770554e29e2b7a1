//! An explanation for people.

use crate::terminal::{Colour, paint};
use portcullis_rego::tools::{Attempt, Explanation, Outcome, Shown};
use serde_json::Value;

/// More of a value than this is cut.
const WIDTH: usize = 160;

/// The lines of a rule and of those it asks.
pub fn lines(explanation: &Explanation, coloured: bool) -> Vec<String> {
    let mut lines = Vec::new();
    rule(explanation, 0, coloured, &mut lines);
    lines
}

fn rule(explanation: &Explanation, depth: usize, coloured: bool, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let value = match &explanation.error {
        Some(error) => format!("an error: {error}"),
        None => shown(explanation.value.as_ref()),
    };
    let rule = cut(&explanation.rule);
    lines.push(format!("{indent}{rule} is {value}"));
    for attempt in &explanation.attempts {
        self::attempt(attempt, depth.saturating_add(1), coloured, lines);
    }
}

fn attempt(attempt: &Attempt, depth: usize, coloured: bool, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let Attempt {
        file, place, text, ..
    } = attempt;
    lines.push(format!("{indent}{file}:{}  {text}", place.line));
    let indent = "  ".repeat(depth.saturating_add(1));
    let yes = |what: String| format!("{indent}{} {what}", paint(Colour::Green, "yes", coloured));
    let no = |what: String| format!("{indent}{} {what}", paint(Colour::Yellow, "no ", coloured));
    match &attempt.outcome {
        Outcome::Held { value, values: all } => {
            lines.push(yes(shown(value.as_ref())));
            values(all, depth.saturating_add(3), lines);
        }
        Outcome::Default { value } => {
            lines.push(yes(format!(
                "{}: nothing else holds",
                shown(value.as_ref())
            )));
        }
        Outcome::NotReached => lines.push(no("something else holds".to_owned())),
        Outcome::Unexplained(why) => lines.push(no(why.clone())),
        Outcome::Failed(condition) => {
            let place = condition.place;
            let at = format!("{file}:{}:{}", place.line, place.column);
            lines.push(no(format!("{at}  {}", one_line(&condition.text))));
            values(&condition.values, depth.saturating_add(3), lines);
            for because in &condition.because {
                rule(because, depth.saturating_add(3), coloured, lines);
            }
        }
    }
}

fn values(all: &[Shown], depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for it in all {
        let more = match it.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let part = one_line(&it.text);
        lines.push(format!(
            "{indent}{part} = {}{more}",
            shown(it.value.as_ref())
        ));
    }
}

/// A value in a line. What a client sent must not steer the terminal: JSON escapes it.
pub fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None => return "undefined".to_owned(),
        Some(value) => value.to_string(),
    };
    cut(&text)
}

fn cut(text: &str) -> String {
    safe(text, WIDTH)
}

/// So many characters of a text, with nothing in it that steers a terminal.
pub fn safe(text: &str, width: usize) -> String {
    let safe: String = text
        .chars()
        .take(width.saturating_add(1))
        .flat_map(|character| match steers(character) {
            true => character.escape_unicode().collect::<Vec<_>>(),
            false => vec![character],
        })
        .collect();
    match safe.char_indices().nth(width) {
        Some((at, _)) => format!("{}...", safe.get(..at).unwrap_or_default()),
        None => safe,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and those that turn the direction of a line.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
