//! Changes one item of a list in a YAML or JSON file, and puts another one behind it. Everything else
//! stays as it was, comments and layout too. What the edited text says is compared with what it
//! should say: where they differ, because of anchors or a layout that is not understood, there is no
//! edit.

use crate::{
    document::Document,
    layout::{Kind, Layout, Node},
};
use serde_json::{Map, Value};

/// A field of a record: its name and value.
pub type Field = (&'static str, Value);

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Field(String),
    Item(usize),
}

/// The file's layout is not one that can be edited safely.
#[derive(Debug)]
pub struct Unsafe;

/// What to do with an item of a list.
pub struct Edit<'e> {
    /// The way to the item: its last step is [`Step::Item`].
    pub item: &'e [Step],
    /// A field that it gets, in place of the one of that name.
    pub set: Option<Field>,
    /// The item that comes behind it.
    pub next: &'e [Field],
}

impl Document {
    /// The text with the edit.
    ///
    /// # Errors
    /// Where the text is laid out so that it would not say exactly that, and nothing else.
    pub fn edited(&self, edit: &Edit<'_>) -> Result<String, Unsafe> {
        let text = textual(self, edit).ok_or(Unsafe)?;
        let wanted = intended(&self.value, edit).ok_or(Unsafe)?;
        match Document::parse(&self.file, text.clone()) {
            Ok(document) if document.value == wanted => Ok(text),
            _ => Err(Unsafe),
        }
    }
}

/// A record in one line, as YAML.
pub fn yaml_line(fields: &[Field]) -> String {
    Style::Yaml.line(fields)
}

#[derive(Clone, Copy)]
enum Style {
    Yaml,
    Json,
}

/// The document's value with the edit.
fn intended(value: &Value, edit: &Edit<'_>) -> Option<Value> {
    let mut value = value.clone();
    let (last, way) = edit.item.split_last()?;
    let mut here = &mut value;
    for step in way {
        here = match step {
            Step::Field(name) => here.get_mut(name)?,
            Step::Item(index) => here.get_mut(index)?,
        };
    }
    let (Step::Item(index), Value::Array(items)) = (last, here) else {
        return None;
    };
    let item = items.get_mut(*index)?.as_object_mut()?;
    if let Some((name, value)) = &edit.set {
        item.insert((*name).to_owned(), value.clone());
    }
    let next = edit.next.iter();
    let next: Map<String, Value> = next
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    items.insert(index.checked_add(1)?, Value::Object(next));
    Some(value)
}

fn textual(document: &Document, edit: &Edit<'_>) -> Option<String> {
    let style = match document.is_json() {
        true => Style::Json,
        false => Style::Yaml,
    };
    let layout = Layout::read(&document.text)?;
    let (last, way) = edit.item.split_last()?;
    let mut list = &layout.root;
    for step in way {
        list = child(list, step)?;
    }
    let item = child(list, last)?;
    let mut pieces = Vec::new();
    if let Some((name, value)) = &edit.set {
        pieces.push(set(&layout, item, style, name, value)?);
    }
    pieces.push(insert(&layout, list, item, style, edit.next)?);
    splice(layout.text, &mut pieces)
}

fn child<'n>(node: &'n Node, step: &Step) -> Option<&'n Node> {
    match (step, &node.kind) {
        (Step::Field(name), Kind::Map(fields)) => fields
            .iter()
            .find(|(key, _)| key.text() == Some(name))
            .map(|(_, value)| value),
        (Step::Item(index), Kind::List(items)) => items.get(*index),
        _ => None,
    }
}

/// Text in place of what stands from `start` to `end`.
struct Piece {
    start: usize,
    end: usize,
    text: String,
}

impl Piece {
    fn at(place: usize, text: String) -> Piece {
        Piece {
            start: place,
            end: place,
            text,
        }
    }
}

fn set(layout: &Layout<'_>, item: &Node, style: Style, name: &str, value: &Value) -> Option<Piece> {
    let Kind::Map(fields) = &item.kind else {
        return None;
    };
    if let Some((_, old)) = fields.iter().find(|(key, _)| key.text() == Some(name)) {
        old.text()?;
        // Nothing goes but the value: a comment is no part of it, and would not be missed.
        if layout.text.get(old.start..old.end)?.contains(['#', '\n']) {
            return None;
        }
        return Some(Piece {
            start: old.start,
            end: old.end,
            text: style.value(value),
        });
    }
    let field = style.field(name, value);
    if item.is_flow {
        let (_, last) = fields.last()?;
        let gap = flow_gap(layout, item)?;
        return Some(Piece::at(last.end, format!(",{gap}{field}")));
    }
    let indent = " ".repeat(layout.column(item.start)?);
    let text = format!("{}{indent}{field}", layout.newline());
    Some(Piece::at(layout.end_of_line(item.end)?, text))
}

fn insert(
    layout: &Layout<'_>,
    list: &Node,
    item: &Node,
    style: Style,
    fields: &[Field],
) -> Option<Piece> {
    let before = layout.line_before(item.start)?;
    let record = match (item.is_flow, style) {
        (true, _) => flow_record(layout, item, style, fields)?,
        (false, _) => {
            let indent = " ".repeat(before.chars().count());
            let lines: Vec<String> = fields
                .iter()
                .map(|(name, value)| style.field(name, value))
                .collect();
            lines.join(&format!("{}{indent}", layout.newline()))
        }
    };
    if list.is_flow {
        let gap = match before.trim().is_empty() {
            true => format!("{}{before}", layout.newline()),
            false => " ".to_owned(),
        };
        return Some(Piece::at(item.end, format!(",{gap}{record}")));
    }
    // The item is alone behind its dash.
    if before.trim() != "-" {
        return None;
    }
    let text = format!("{}{before}{record}", layout.newline());
    Some(Piece::at(layout.end_of_line(item.end)?, text))
}

/// In braces, laid out as the item is.
fn flow_record(layout: &Layout<'_>, item: &Node, style: Style, fields: &[Field]) -> Option<String> {
    let gap = flow_gap(layout, item)?;
    if !gap.contains('\n') {
        return Some(style.line(fields));
    }
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| style.field(name, value))
        .collect();
    let indent = layout.line_before(item.end.checked_sub(1)?)?;
    let indent: String = indent.chars().take_while(|it| it.is_whitespace()).collect();
    let joined = fields.join(&format!(",{gap}"));
    Some(format!("{{{gap}{joined}{}{indent}}}", layout.newline()))
}

/// What stands between two fields of an item in braces, behind the comma.
fn flow_gap<'t>(layout: &Layout<'t>, item: &Node) -> Option<&'t str> {
    let Kind::Map(fields) = &item.kind else {
        return None;
    };
    let (first, _) = fields.first()?;
    let opened = layout
        .text
        .get(item.start..first.start)?
        .strip_prefix('{')?;
    match opened.contains('\n') && opened.trim().is_empty() {
        true => Some(opened),
        false => Some(" "),
    }
}

fn splice(text: &str, pieces: &mut [Piece]) -> Option<String> {
    // Stable: what comes at the same place keeps its order.
    pieces.sort_by_key(|piece| piece.start);
    let (mut result, mut at) = (String::new(), 0);
    for piece in pieces {
        result.push_str(text.get(at..piece.start)?);
        result.push_str(&piece.text);
        at = piece.end;
    }
    result.push_str(text.get(at..)?);
    Some(result)
}

impl Style {
    fn line(self, fields: &[Field]) -> String {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| self.field(name, value))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }

    fn field(self, name: &str, value: &Value) -> String {
        let name = self.value(&Value::from(name));
        format!("{name}: {}", self.value(value))
    }

    /// In one line.
    fn value(self, value: &Value) -> String {
        match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::String(text) if matches!(self, Style::Yaml) && is_plain(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Whether every reader of YAML, 1.1 too, takes it for text, or for a time as it is written.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_word = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'));
    let begins = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_time = text.len() == "2026-12-01T00:00:00Z".len()
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            19 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    is_time || (begins && is_word && !WORDS.contains(&text.to_ascii_lowercase().as_str()))
}
