//! Small changes to a text at the places that a syntax tree's spans name.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, LiteralStmt, Module, Query, RuleAssign, Source, Span};

use crate::source::RegoVersion;

/// Changes by their byte offset. None may overlap another; those at one place nest.
#[derive(Default)]
pub(crate) struct Edits {
    /// At one place, what closes stands before what opens.
    closing: BTreeMap<usize, String>,
    opening: BTreeMap<usize, String>,
    /// Where a replaced text begins, where it ends, and what comes instead.
    replaced: BTreeMap<usize, (usize, String)>,
}

impl Edits {
    pub fn apply(&self, text: &str) -> String {
        let mut edited = String::with_capacity(text.len());
        let mut skip_to = 0;
        for (offset, character) in text.char_indices() {
            self.inserted_at(offset, &mut edited);
            if let Some((end, instead)) = self.replaced.get(&offset) {
                edited.push_str(instead);
                skip_to = *end;
            }
            // A text that is replaced keeps its lines.
            if offset >= skip_to || character == '\n' {
                edited.push(character);
            }
        }
        self.inserted_at(text.len(), &mut edited);
        edited
    }

    /// From the outside in: what is put around later stands inside.
    pub fn around(&mut self, (start, end): (usize, usize), open: &str, close: &str) {
        self.opening.entry(start).or_default().push_str(open);
        self.closing.entry(end).or_default().insert_str(0, close);
    }

    pub fn insert(&mut self, at: usize, text: &str) {
        self.closing.entry(at).or_default().push_str(text);
    }

    pub fn replace(&mut self, (start, end): (usize, usize), instead: &str) {
        self.replaced.insert(start, (end, instead.to_owned()));
    }

    fn inserted_at(&self, offset: usize, edited: &mut String) {
        for texts in [&self.closing, &self.opening] {
            edited.push_str(texts.get(&offset).map_or("", String::as_str));
        }
    }
}

/// How a body begins where there is none yet.
pub(crate) fn opening(module: &Module, version: RegoVersion) -> &'static str {
    match version {
        RegoVersion::V0 if !module.rego_v1 => " { ",
        _ => " if { ",
    }
}

/// The statement of a query that is `if` and this statement, without braces.
pub(crate) fn without_braces(query: &Query) -> Option<&LiteralStmt> {
    let first = query.stmts.first()?;
    (range(&query.span).0 == range(&first.span).0).then_some(first)
}

/// What a span covers. regorus leaves out the quotes of a string at either end.
pub(crate) fn range(span: &Span) -> (usize, usize) {
    let offset = |at: u32| usize::try_from(at).unwrap_or_default();
    let (start, end) = (offset(span.start), offset(span.end));
    let bytes = span.source.contents().as_bytes();
    let quote = |at: Option<usize>| {
        let at = at.and_then(|at| bytes.get(at));
        usize::from(matches!(at, Some(b'"' | b'`')))
    };
    (
        start.saturating_sub(quote(start.checked_sub(1))),
        end.saturating_add(quote(Some(end))),
    )
}

/// Where a symbol stands between two places, outside of comments.
pub(crate) fn find(source: &Source, (start, end): (usize, usize), symbol: char) -> Option<usize> {
    let mut is_comment = false;
    for (offset, character) in source.contents().get(start..end)?.char_indices() {
        match character {
            '\n' => is_comment = false,
            '#' => is_comment = true,
            found if found == symbol && !is_comment => return start.checked_add(offset),
            _ => {}
        }
    }
    None
}

/// What an expression covers. An object of several fields begins, as regorus has it, with its last
/// one; only its line and column are those of the brace.
pub(crate) fn of(expr: &Expr) -> (usize, usize) {
    let (start, end) = range(expr.span());
    let start = match expr {
        Expr::Object { span, fields, .. } if fields.len() > 1 => brace(span).unwrap_or(start),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => of(refr).0.min(start),
        _ => start,
    };
    (start, end)
}

/// The place of a line and a column.
fn brace(span: &Span) -> Option<usize> {
    let contents = span.source.contents();
    let above = usize::try_from(span.line.checked_sub(1)?).ok()?;
    let line_start = match above.checked_sub(1) {
        None => 0,
        Some(last) => contents.match_indices('\n').nth(last)?.0.checked_add(1)?,
    };
    let column = usize::try_from(span.col.checked_sub(1)?).ok()?;
    let (offset, character) = contents.get(line_start..)?.char_indices().nth(column)?;
    (character == '{').then(|| line_start.saturating_add(offset))
}

/// Where an assigned value stands: after the operator and what is blank.
pub(crate) fn assigned(assign: &RuleAssign) -> (usize, usize) {
    let (start, end) = range(&assign.span);
    let contents = assign.span.source.contents();
    let text = contents.get(start..end).unwrap_or_default();
    let value = text.trim_start_matches([':', '=']).trim_start();
    (
        start.saturating_add(text.len().saturating_sub(value.len())),
        end,
    )
}
