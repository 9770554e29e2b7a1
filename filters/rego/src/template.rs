//! Template strings, `$"user {input.name}"`, which regorus does not read: each becomes a call that
//! joins its parts. An expression is a set of its values, so that one without a value is no error.
//!
//! Nothing moves to another line.

use crate::{builtins, error::LoadError, source::Module};

/// Templates in templates.
const MAX_DEPTH: usize = 8;

/// # Errors
/// Where a template has no end.
pub(crate) fn module(module: Module) -> Result<Module, LoadError> {
    // `$` stands nowhere else in Rego but in texts and comments.
    if !module.text.contains("$\"") && !module.text.contains("$`") {
        return Ok(module);
    }
    let mut reader = Reader {
        rest: &module.text,
        depth: 0,
    };
    let mut text = String::with_capacity(module.text.len());
    match reader.code(&mut text, None) {
        Ok(()) => Ok(module.with_text(text)),
        Err(Unfinished) => {
            let read = module.text.len().saturating_sub(reader.rest.len());
            let before = module.text.get(..read).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            Err(LoadError::new(&module.path, "a template string has no end")
                .at(u32::try_from(line).unwrap_or(u32::MAX), 1)
                .hint("an expression in braces is closed by `}`, a template by its quote"))
        }
    }
}

struct Unfinished;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next();
        self.rest = characters.as_str();
        character
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Code up to the end of the text, or to the bracket that closes an expression.
    fn code(&mut self, out: &mut String, close: Option<char>) -> Result<(), Unfinished> {
        let mut open = 0_usize;
        loop {
            if self.take("$\"") {
                self.template(out, '"')?;
                continue;
            }
            if self.take("$`") {
                self.template(out, '`')?;
                continue;
            }
            let Some(character) = self.next() else {
                return match close {
                    Some(_) => Err(Unfinished),
                    None => Ok(()),
                };
            };
            match character {
                found if Some(found) == close && open == 0 => return Ok(()),
                '{' => open = open.saturating_add(1),
                '}' => open = open.saturating_sub(1),
                _ => {}
            }
            out.push(character);
            match character {
                '"' | '`' => self.text(out, character),
                '#' => self.comment(out),
                _ => {}
            }
        }
    }

    /// A text that is no template; the parser says what is wrong with it.
    fn text(&mut self, out: &mut String, quote: char) {
        while let Some(character) = self.next() {
            out.push(character);
            if character == quote {
                return;
            }
            if character == '\\' && quote == '"' {
                out.extend(self.next());
            }
        }
    }

    fn comment(&mut self, out: &mut String) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let (comment, rest) = self.rest.split_at(end);
        out.push_str(comment);
        self.rest = rest;
    }

    fn template(&mut self, out: &mut String, quote: char) -> Result<(), Unfinished> {
        if self.depth >= MAX_DEPTH {
            return Err(Unfinished);
        }
        self.depth = self.depth.saturating_add(1);
        out.push_str(builtins::TEMPLATE);
        out.push_str("([");
        let mut part = String::new();
        loop {
            match self.next().ok_or(Unfinished)? {
                end if end == quote => break,
                '\\' if self.take("{") => part.push('{'),
                '\\' if quote == '"' => {
                    part.push('\\');
                    part.extend(self.next());
                }
                '{' => {
                    literal(&part, quote, out);
                    part.clear();
                    let name = format!("__portcullis_part_{}", self.rest.len());
                    out.push_str(&format!(", {{{name} | {name} := "));
                    self.code(out, Some('}'))?;
                    out.push_str("}, ");
                }
                other => part.push(other),
            }
        }
        literal(&part, quote, out);
        out.push_str("])");
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }
}

/// A part as a text of its own, and its lines after it.
fn literal(part: &str, quote: char, out: &mut String) {
    match quote {
        '"' => {
            out.push('"');
            out.push_str(part);
            out.push('"');
        }
        _ => out.push_str(&serde_json::Value::from(part).to_string()),
    }
    out.extend(part.chars().filter(|&character| character == '\n'));
}
