//! Values to YAML, as go-yaml v2 lays it out: maps in blocks, lists not indented below their key,
//! long lines folded.

use super::{
    float,
    scalar::{self, Scalar},
    sort,
    style::{self, Style},
};
use crate::{
    builtins::{
        call::{Failure, World},
        json::MAX_DEPTH,
    },
    value::{self, Value},
};

/// A space past this column becomes a new line.
const WIDTH: usize = 80;
const INDENT: usize = 2;
/// A longer key stands on a line of its own.
const MAX_KEY: usize = 128;

pub(super) fn write(document: &Value, world: &World<'_>) -> Result<String, Failure> {
    let mut writer = Writer {
        text: String::new(),
        column: 0,
        world,
    };
    match document {
        Value::Object(entries) if entries.is_empty() => writer.put("{}")?,
        Value::Array(items) if items.is_empty() => writer.put("[]")?,
        Value::Set(items) if items.is_empty() => writer.put("[]")?,
        Value::Array(_) | Value::Set(_) | Value::Object(_) => writer.node(document, 0, true, 0)?,
        scalar => writer.scalar(scalar, INDENT)?,
    }
    if writer.column > 0 {
        writer.text.push('\n');
    }
    Ok(writer.text)
}

struct Writer<'a> {
    text: String,
    column: usize,
    world: &'a World<'a>,
}

impl Writer<'_> {
    /// A collection. It goes on in the line in which it is asked for, or begins a new one.
    fn node(
        &mut self,
        value: &Value,
        indent: usize,
        mut inline: bool,
        depth: usize,
    ) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::Exceeded);
        }
        match value {
            Value::Array(items) => {
                for item in items.iter() {
                    self.item(item, indent, &mut inline, depth)?;
                }
            }
            Value::Set(items) => {
                for item in items.iter_sorted() {
                    self.item(item, indent, &mut inline, depth)?;
                }
            }
            Value::Object(entries) => {
                self.world.charge_members(entries.len())?;
                let mut sorted = Vec::with_capacity(entries.len());
                for (key, value) in entries.iter_sorted() {
                    sorted.push((super::key_text(key, self.world)?, value));
                }
                for (key, value) in sort::sorted(sorted, self.world)? {
                    self.begin(indent, &mut inline)?;
                    self.entry(&key, value, indent, depth)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn item(
        &mut self,
        item: &Value,
        indent: usize,
        inline: &mut bool,
        depth: usize,
    ) -> Result<(), Failure> {
        self.begin(indent, inline)?;
        self.put("-")?;
        self.after(item, indent.saturating_add(INDENT), depth)
    }

    fn entry(
        &mut self,
        key: &str,
        value: &Value,
        indent: usize,
        depth: usize,
    ) -> Result<(), Failure> {
        let inside = indent.saturating_add(INDENT);
        if key.len() > MAX_KEY || key.contains(style::is_break) {
            self.put("? ")?;
            self.string(key, inside, false)?;
            self.line(indent)?;
            self.put(":")?;
            return self.after(value, inside, depth);
        }
        self.string(key, inside, true)?;
        self.put(":")?;
        match value {
            Value::Object(entries) if !entries.is_empty() => {
                self.node(value, inside, false, depth.saturating_add(1))
            }
            Value::Array(items) if !items.is_empty() => {
                self.node(value, indent, false, depth.saturating_add(1))
            }
            Value::Set(items) if !items.is_empty() => {
                self.node(value, indent, false, depth.saturating_add(1))
            }
            other => self.after(other, inside, depth),
        }
    }

    /// In the same line, after a space.
    fn after(&mut self, value: &Value, indent: usize, depth: usize) -> Result<(), Failure> {
        self.put(" ")?;
        match value {
            Value::Object(entries) if entries.is_empty() => self.put("{}"),
            Value::Array(items) if items.is_empty() => self.put("[]"),
            Value::Set(items) if items.is_empty() => self.put("[]"),
            Value::Array(_) | Value::Set(_) | Value::Object(_) => {
                self.node(value, indent, true, depth.saturating_add(1))
            }
            scalar => self.scalar(scalar, indent),
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) -> Result<(), Failure> {
        match value {
            Value::Bool(true) => self.put("true"),
            Value::Bool(false) => self.put("false"),
            Value::String(text) => self.string(text, indent, false),
            Value::Number(_) => {
                let digits = value::to_json(value).to_string();
                let shown = match scalar::resolve(&digits, super::Words::YesNo) {
                    Scalar::Float(number) => float::shown(number),
                    _ => digits,
                };
                self.put(&shown)
            }
            _ => self.put("null"),
        }
    }

    fn string(&mut self, text: &str, indent: usize, is_key: bool) -> Result<(), Failure> {
        self.world.charge(text.len().saturating_mul(2))?;
        if text.chars().any(style::is_refused) {
            return Err(Failure::error(
                "error converting JSON to YAML: yaml: control characters are not allowed",
            ));
        }
        match style::of(text, is_key) {
            Style::Plain => self.folded(text, indent, is_key, |_| None),
            Style::Single => {
                self.put("'")?;
                self.folded(text, indent, is_key, |c| {
                    (c == '\'').then(|| "''".to_owned())
                })?;
                self.put("'")
            }
            Style::Double => {
                self.put("\"")?;
                self.folded(text, indent, is_key, style::escape)?;
                self.put("\"")
            }
            Style::Literal => self.literal(text, indent),
        }
    }

    /// A single space past the width becomes a new line, except in a key.
    fn folded(
        &mut self,
        text: &str,
        indent: usize,
        is_key: bool,
        escape: impl Fn(char) -> Option<String>,
    ) -> Result<(), Failure> {
        let mut characters = text.chars().peekable();
        let mut after_space = true;
        while let Some(character) = characters.next() {
            let is_single = character == ' '
                && !after_space
                && characters.peek().is_some_and(|next| *next != ' ');
            after_space = character == ' ';
            if is_single && !is_key && self.column > WIDTH {
                self.line(indent)?;
                continue;
            }
            match escape(character) {
                Some(escaped) => self.put(&escaped)?,
                None => {
                    self.text.push(character);
                    self.column = self.column.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    fn literal(&mut self, text: &str, indent: usize) -> Result<(), Failure> {
        self.put("|")?;
        if text.starts_with([' ', '\n']) {
            self.put("2")?;
        }
        match text.strip_suffix('\n') {
            None => self.put("-")?,
            Some(before) if before.is_empty() || before.ends_with('\n') => self.put("+")?,
            Some(_) => {}
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        for line in body.split('\n') {
            self.text.push('\n');
            self.column = 0;
            if !line.is_empty() {
                self.indent(indent)?;
                self.put(line)?;
            }
        }
        // Its own end is the line's end.
        if text.ends_with('\n') {
            self.text.push('\n');
            self.column = 0;
        }
        Ok(())
    }

    fn begin(&mut self, indent: usize, inline: &mut bool) -> Result<(), Failure> {
        self.world.charge_members(1)?;
        if std::mem::replace(inline, false) {
            return Ok(());
        }
        self.line(indent)
    }

    /// A line of its own, unless it has begun already.
    fn line(&mut self, indent: usize) -> Result<(), Failure> {
        if self.column > 0 {
            self.text.push('\n');
            self.column = 0;
        }
        self.indent(indent)
    }

    fn indent(&mut self, indent: usize) -> Result<(), Failure> {
        self.put(&" ".repeat(indent))
    }

    fn put(&mut self, text: &str) -> Result<(), Failure> {
        self.world.charge(text.len())?;
        self.text.push_str(text);
        self.column = self.column.saturating_add(text.chars().count());
        Ok(())
    }
}
