//! JSON with positions. `serde_json` is the reader, strict and exact in numbers; jsonc-parser says
//! where each node stands.

use crate::{
    document::{Fault, MAX_DEPTH},
    spans::{Children, Field, Point, Spans},
};
use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{ObjectPropName, Value as Node},
    common::Ranged,
    parse_to_ast,
};
use serde_json::Value;
use std::collections::HashMap;

pub fn parse(text: &str) -> Result<(Value, Spans), Fault> {
    let value = serde_json::from_str(text).map_err(|error| Fault {
        at: Point {
            line: error.line(),
            column: error.column().max(1),
        },
        message: format!("invalid JSON: {}", without_position(&error.to_string())),
    })?;
    let lines = Lines::new(text);
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    let node = parsed
        .map_err(|error| Fault {
            at: lines.point(error.range().start),
            message: format!("invalid JSON: {}", error.kind()),
        })?
        .value
        .ok_or(Fault {
            at: Point { line: 1, column: 1 },
            message: "invalid JSON: there is no value".into(),
        })?;
    Ok((value, spans(&node, &lines, 0)?))
}

fn spans(node: &Node<'_>, lines: &Lines<'_>, depth: usize) -> Result<Spans, Fault> {
    let at = lines.point(node.start());
    if depth > MAX_DEPTH {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        return Err(Fault { at, message });
    }
    let children = match node {
        Node::Object(object) => {
            let mut seen: HashMap<&str, Point> = HashMap::new();
            let mut fields = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                let (name, start) = match &property.name {
                    ObjectPropName::String(name) => (name.value.as_ref(), name.range.start),
                    ObjectPropName::Word(name) => (name.value, name.range.start),
                };
                let at = lines.point(start);
                if let Some(first) = seen.insert(name, at) {
                    return Err(Fault {
                        at,
                        message: duplicate(name, first),
                    });
                }
                fields.push(Field {
                    name: name.to_owned(),
                    at,
                    value: spans(&property.value, lines, depth.saturating_add(1))?,
                });
            }
            Children::Fields(fields)
        }
        Node::Array(array) => Children::Items(
            array
                .elements
                .iter()
                .map(|element| spans(element, lines, depth.saturating_add(1)))
                .collect::<Result<_, _>>()?,
        ),
        _ => Children::None,
    };
    Ok(Spans { at, children })
}

pub fn duplicate(name: &str, first: Point) -> String {
    format!(
        "the key `{name}` stands here a second time; the first is in line {}",
        first.line
    )
}

/// serde_json repeats the position that is shown in front already.
fn without_position(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(before, _)| before)
}

/// Byte offsets to lines and columns.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Lines {
            text,
            starts: std::iter::once(0).chain(after).collect(),
        }
    }

    fn point(&self, offset: usize) -> Point {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied();
        let before = self.text.get(start.unwrap_or(0)..offset).unwrap_or("");
        Point {
            line,
            column: before.chars().count().saturating_add(1),
        }
    }
}
