//! Small changes to a text at the places that a syntax tree's spans name.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, LiteralStmt, Module, Query, Ref, RuleAssign, Source, Span};

use crate::{source, steps};

/// Each module with the changes that its tree asks for, one at a time.
pub(crate) async fn modules(
    sources: &[source::Module],
    trees: &[Ref<Module>],
    mut changes: impl FnMut(&Module) -> Edits,
) -> Vec<source::Module> {
    let mut modules = Vec::new();
    for (source, tree) in sources.iter().zip(trees) {
        modules.push(source.with_text(changes(tree).apply(&source.text)));
        steps::pause().await;
    }
    modules
}

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
        self.apply_within(text, 0, text.len())
    }

    /// A part of a text, changed.
    pub fn apply_within(&self, text: &str, start: usize, end: usize) -> String {
        let part = text.get(start..end).unwrap_or_default();
        let mut edited = String::with_capacity(part.len());
        let mut skip_to = 0;
        for (offset, character) in part.char_indices() {
            let offset = start.saturating_add(offset);
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
        self.inserted_at(end, &mut edited);
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
pub(crate) fn opening(module: &Module) -> &'static str {
    match module.rego_v1 {
        true => " if { ",
        false => " { ",
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
pub(crate) fn find(source: &Source, (start, end): (usize, usize), symbol: &str) -> Option<usize> {
    let between = source.contents().get(start..end)?;
    let mut is_comment = false;
    for (offset, character) in between.char_indices() {
        match character {
            '\n' => is_comment = false,
            '#' => is_comment = true,
            _ => {}
        }
        if !is_comment && between.get(offset..)?.starts_with(symbol) {
            return start.checked_add(offset);
        }
    }
    None
}

/// What an expression covers. An object of several fields begins, as regorus has it, with its last
/// one, and the empty set ends with what comes after it.
pub(crate) fn of(expr: &Expr) -> (usize, usize) {
    let (start, end) = range(expr.span());
    let start = match expr {
        Expr::Object { span, fields, .. } if fields.len() > 1 => fields
            .first()
            .and_then(|(_, key, _)| brace(span, of(key).0))
            .unwrap_or(start),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => of(refr).0.min(start),
        _ => start,
    };
    let end = match expr {
        Expr::Set { span, items, .. } if items.is_empty() => {
            find(&span.source, (start, end), ")").map_or(end, |at| at.saturating_add(1))
        }
        _ => end,
    };
    (start, end)
}

/// The brace before an object's first key; only blanks and comments stand between.
fn brace(span: &Span, key: usize) -> Option<usize> {
    let before = span.source.contents().get(..key)?;
    let mut rest = before;
    for line in before.split_inclusive('\n').rev() {
        rest = rest.get(..rest.len().checked_sub(line.len())?)?;
        let code = match line.trim_start().starts_with('#') {
            true => "",
            false => line,
        };
        // A comment may follow the brace on its line.
        if let Some(at) = code
            .find('#')
            .map_or(code, |hash| code.get(..hash).unwrap_or_default())
            .rfind('{')
        {
            return rest.len().checked_add(at);
        }
    }
    None
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
