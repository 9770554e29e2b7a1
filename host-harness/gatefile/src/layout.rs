//! A text of YAML, or of JSON, which is YAML too, with the places of its nodes in bytes.

use crate::document::MAX_DEPTH;
use saphyr_parser::{Event, Parser, Span, StrInput};

pub struct Layout<'t> {
    pub text: &'t str,
    pub root: Node,
}

pub struct Node {
    /// In bytes. The end of a block is that of the last thing in it.
    pub start: usize,
    pub end: usize,
    /// Whether it stands in brackets or braces.
    pub is_flow: bool,
    pub kind: Kind,
}

pub enum Kind {
    /// As it reads, whatever its type.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Alias,
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

impl<'t> Layout<'t> {
    /// `None` where it does not parse.
    pub fn read(text: &'t str) -> Option<Layout<'t>> {
        let bytes = text.char_indices().map(|(at, _)| at);
        let mut reader = Reader {
            text,
            parser: Parser::new_from_str(text),
            bytes: bytes.chain([text.len()]).collect(),
        };
        loop {
            match reader.next()? {
                (Event::StreamStart | Event::DocumentStart(_), ..) => {}
                (event, start, end) => {
                    let root = reader.node(event, start, end, 0)?;
                    return Some(Layout { text, root });
                }
            }
        }
    }

    /// The line's end after something that ends at `end`, without the newline itself.
    pub fn end_of_line(&self, end: usize) -> Option<usize> {
        let rest = self.text.get(end..)?;
        let line = rest.split('\n').next()?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        end.checked_add(line.len())
    }

    /// What stands before a place in its line.
    pub fn line_before(&self, at: usize) -> Option<&'t str> {
        self.text.get(..at)?.rsplit('\n').next()
    }

    /// In characters, from 0.
    pub fn column(&self, at: usize) -> Option<usize> {
        Some(self.line_before(at)?.chars().count())
    }

    pub fn newline(&self) -> &'static str {
        match self.text.contains("\r\n") {
            true => "\r\n",
            false => "\n",
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Where each character begins: the parser counts those.
    bytes: Vec<usize>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<(Event<'t>, usize, usize)> {
        let (event, Span { start, end }) = self.parser.next_event()?.ok()?;
        let start = *self.bytes.get(start.index())?;
        Some((event, start, *self.bytes.get(end.index())?))
    }

    fn node(&mut self, event: Event<'t>, start: usize, end: usize, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let depth = depth.checked_add(1)?;
        // What opens a block takes no room.
        let is_flow = self.text.get(start..end)?.starts_with(['[', '{']);
        let (kind, end) = match event {
            Event::Scalar(text, ..) => {
                let written = without_rest(self.text.get(start..end)?);
                let end = start.checked_add(written.len())?;
                (Kind::Scalar(text.into_owned()), end)
            }
            Event::Alias(_) => (Kind::Alias, end),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                let closed = loop {
                    match self.next()? {
                        (Event::SequenceEnd, _, end) => break end,
                        (event, start, end) => items.push(self.node(event, start, end, depth)?),
                    }
                };
                let last = items.last().map_or(start, |item| item.end);
                (Kind::List(items), if is_flow { closed } else { last })
            }
            Event::MappingStart(..) => {
                let mut fields = Vec::new();
                let closed = loop {
                    match self.next()? {
                        (Event::MappingEnd, _, end) => break end,
                        (event, start, end) => {
                            let key = self.node(event, start, end, depth)?;
                            let (event, start, end) = self.next()?;
                            fields.push((key, self.node(event, start, end, depth)?));
                        }
                    }
                };
                let last = fields.last().map_or(start, |(_, value)| value.end);
                (Kind::Map(fields), if is_flow { closed } else { last })
            }
            _ => return None,
        };
        Some(Node {
            start,
            end,
            is_flow,
            kind,
        })
    }
}

/// A scalar alone: the parser counts white space and comments behind quotes, and lines behind a block
/// of text.
fn without_rest(written: &str) -> &str {
    let Some(quote) = written.chars().next().filter(|it| matches!(it, '"' | '\'')) else {
        return written.trim_end();
    };
    let mut inside = written.char_indices().skip(1).peekable();
    while let Some((at, char)) = inside.next() {
        let is_doubled = quote == '\'' && inside.peek().is_some_and(|(_, next)| *next == quote);
        if (char == '\\' && quote == '"') || (char == quote && is_doubled) {
            inside.next();
        } else if char == quote {
            return written.get(..at.saturating_add(1)).unwrap_or(written);
        }
    }
    written
}
