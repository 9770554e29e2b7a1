//! For people: the place, the line, what would be right.

use super::finding::Finding;
use crate::terminal::{Colour, colourful, paint};
use portcullis_rego::tools::lint::Severity;
use std::{collections::BTreeMap, fmt::Write, fs, io, path::PathBuf};

/// All findings, and a last line that counts them.
pub fn of(findings: &[Finding]) -> String {
    let on = colourful(&io::stdout());
    let mut texts = Texts::default();
    let mut text = String::new();
    for finding in findings {
        let (word, colour) = word(finding.severity);
        let _ = writeln!(
            text,
            "{}: {}: {} [{}]",
            finding.place,
            paint(colour, word, on),
            finding.message,
            finding.kind.name
        );
        if finding.kind.severity == Severity::Note && finding.hint.is_none() {
            continue;
        }
        if finding.width > 0
            && let Some(line) = texts.line(finding)
        {
            let number = finding.place.line.to_string();
            let gap = " ".repeat(number.len());
            let before = finding.place.column.saturating_sub(1);
            // A tab is as wide as the terminal likes.
            let indent: String = line
                .chars()
                .take(before)
                .map(|char| if char == '\t' { '\t' } else { ' ' })
                .collect();
            let left = line.chars().count().saturating_sub(before).max(1);
            let caret = "^".repeat(finding.width.min(left));
            let _ = writeln!(text, "  {number} | {line}");
            let _ = writeln!(text, "  {gap} | {indent}{}", paint(colour, &caret, on));
        }
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "  {}: {hint}", paint(Colour::Blue, "hint", on));
        }
    }
    text.push_str(&summary(findings));
    text
}

fn word(severity: Severity) -> (&'static str, Colour) {
    match severity {
        Severity::Error => ("error", Colour::Red),
        Severity::Warning => ("warning", Colour::Yellow),
        Severity::Note => ("note", Colour::Blue),
    }
}

/// How many of a severity there are.
pub fn count(findings: &[Finding], severity: Severity) -> usize {
    let of_it = findings.iter().filter(|it| it.severity == severity);
    of_it.count()
}

fn summary(findings: &[Finding]) -> String {
    let counted = [Severity::Error, Severity::Warning].map(|severity| {
        match (count(findings, severity), severity.name()) {
            (0, name) => format!("no {name}s"),
            (1, name) => format!("1 {name}"),
            (many, name) => format!("{many} {name}s"),
        }
    });
    counted.join(", ")
}

/// Files that are shown, each read once.
#[derive(Default)]
struct Texts(BTreeMap<PathBuf, Option<String>>);

impl Texts {
    fn line(&mut self, finding: &Finding) -> Option<&str> {
        let file = &finding.place.file;
        let text = self
            .0
            .entry(file.clone())
            .or_insert_with(|| fs::read_to_string(file).ok());
        let text = text.as_deref()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        text.lines().nth(finding.place.line.checked_sub(1)?)
    }
}
