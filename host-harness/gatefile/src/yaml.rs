//! YAML 1.2 with positions, as far as it can be said in JSON: one document, core schema, text keys.
//! saphyr-parser gives the events; this builds the value from them.

use crate::{
    document::{Fault, MAX_DEPTH},
    json::duplicate,
    spans::{Children, Field, Point, Spans},
};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// Nodes that aliases may add. Without a bound, nine lines of them make a billion.
const MAX_ALIASED: usize = 10_000;

pub fn parse(text: &str) -> Result<(Value, Spans), Fault> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        aliased: 0,
    };
    let mut root = None;
    loop {
        let (event, at) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            _ if root.is_some() => {
                return Err(Fault {
                    at,
                    message: "a second YAML document begins here; one is read".into(),
                });
            }
            event => root = Some(reader.node(event, at, 0)?),
        }
    }
    root.map(|node| (node.value, node.spans)).ok_or(Fault {
        at: Point { line: 1, column: 1 },
        message: "the file holds no value".into(),
    })
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// What an anchor stands for; absent while the anchored node is still open.
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

#[derive(Clone)]
struct Node {
    value: Value,
    spans: Spans,
    size: usize,
    height: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Point), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, point(&span))),
            Some(Err(error)) => Err(Fault {
                at: Point {
                    line: error.marker().line(),
                    column: error.marker().col().saturating_add(1),
                },
                message: format!("invalid YAML: {}", error.info()),
            }),
            None => Ok((Event::StreamEnd, Point { line: 1, column: 1 })),
        }
    }

    fn node(&mut self, event: Event<'t>, at: Point, depth: usize) -> Result<Node, Fault> {
        let fault = |message: String| Fault { at, message };
        if depth > MAX_DEPTH {
            return Err(fault(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref()).map_err(fault)?;
                (anchor, Node::leaf(value, at))
            }
            Event::SequenceStart(anchor, tag) => {
                only_tag(tag.as_deref(), "seq").map_err(fault)?;
                (anchor, self.sequence(at, depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                only_tag(tag.as_deref(), "map").map_err(fault)?;
                (anchor, self.mapping(at, depth)?)
            }
            Event::Alias(anchor) => return self.alias(anchor, at, depth),
            _ => return Err(fault("invalid YAML: a value is missing here".into())),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, at: Point, depth: usize) -> Result<Node, Fault> {
        let (mut items, mut spans) = (Vec::new(), Vec::new());
        let (mut size, mut height) = (1_usize, 0);
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                break;
            }
            let node = self.node(event, at, depth.saturating_add(1))?;
            size = size.saturating_add(node.size);
            height = height.max(node.height.saturating_add(1));
            items.push(node.value);
            spans.push(node.spans);
        }
        Ok(Node {
            value: Value::Array(items),
            spans: Spans {
                at,
                children: Children::Items(spans),
            },
            size,
            height,
        })
    }

    fn mapping(&mut self, at: Point, depth: usize) -> Result<Node, Fault> {
        let (mut map, mut fields) = (Map::new(), Vec::<Field>::new());
        let (mut size, mut height) = (1_usize, 0);
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, at, depth.saturating_add(1))?;
            let name = key_text(key.value).map_err(|message| Fault { at, message })?;
            let (event, value_at) = self.next()?;
            let node = self.node(event, value_at, depth.saturating_add(1))?;
            size = size.saturating_add(node.size).saturating_add(1);
            height = height.max(node.height.saturating_add(1));
            if map.insert(name.clone(), node.value).is_some() {
                let first = fields.iter().find(|field| field.name == name);
                return Err(Fault {
                    at,
                    message: duplicate(&name, first.map_or(at, |field| field.at)),
                });
            }
            fields.push(Field {
                name,
                at,
                value: node.spans,
            });
        }
        Ok(Node {
            value: Value::Object(map),
            spans: Spans {
                at,
                children: Children::Fields(fields),
            },
            size,
            height,
        })
    }

    fn alias(&mut self, anchor: usize, at: Point, depth: usize) -> Result<Node, Fault> {
        let fault = |message: String| Fault { at, message };
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(fault("this alias stands inside what it repeats".into()));
        };
        self.aliased = self.aliased.saturating_add(node.size);
        if self.aliased > MAX_ALIASED {
            let message = format!("aliases repeat more than {MAX_ALIASED} values; write them out");
            return Err(fault(message));
        }
        if depth.saturating_add(node.height) > MAX_DEPTH {
            return Err(fault(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let mut node = node.clone();
        node.spans.at = at;
        Ok(node)
    }
}

impl Node {
    fn leaf(value: Value, at: Point) -> Node {
        Node {
            value,
            spans: Spans {
                at,
                children: Children::None,
            },
            size: 1,
            height: 0,
        }
    }
}

/// A key is text in JSON; OPA writes numbers and truth values as their text, too.
fn key_text(key: Value) -> Result<String, String> {
    match key {
        Value::String(text) if text == "<<" => {
            Err("merge keys (`<<`) are not part of YAML 1.2; repeat the fields".into())
        }
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null => Err("a key is missing; write the empty one as `\"\"`".into()),
        Value::Array(_) | Value::Object(_) => Err("a key must be text".into()),
    }
}

/// The core schema, YAML 1.2.2 section 10.3.2.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return match plain {
            true => resolve(text),
            false => Ok(Value::String(text.into())),
        };
    };
    if tag.handle.is_empty() && tag.suffix == "!" {
        return Ok(Value::String(text.into()));
    }
    let known = tag.is_yaml_core_schema().then_some(tag.suffix.as_str());
    let resolved = resolve(text)?;
    match (known, resolved) {
        (Some("str"), _) => Ok(Value::String(text.into())),
        (Some("null"), Value::Null) => Ok(Value::Null),
        (Some("bool"), Value::Bool(truth)) => Ok(Value::Bool(truth)),
        (Some("int" | "float"), Value::Number(number)) => Ok(Value::Number(number)),
        (Some("null" | "bool" | "int" | "float"), _) => {
            Err(format!("`{text}` is not of the type its tag `{tag}` says"))
        }
        _ => Err(unknown_tag(tag)),
    }
}

fn only_tag(tag: Option<&Tag>, suffix: &str) -> Result<(), String> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == suffix => Ok(()),
        Some(tag) => Err(unknown_tag(tag)),
    }
}

fn unknown_tag(tag: &Tag) -> String {
    format!("the tag `{tag}` has no meaning here; JSON has no types of one's own")
}

fn resolve(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(not_finite(text)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(not_finite(text));
    }
    match number(text) {
        Some(number) => Ok(Value::Number(number)),
        None => Ok(Value::String(text.into())),
    }
}

fn not_finite(text: &str) -> String {
    format!("`{text}` cannot be said in JSON; quote it if text is meant")
}

/// A number of the core schema in JSON's spelling, so that none of its digits is lost.
fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits = Some(digits).filter(|digits| !digits.starts_with(['+', '-']))?;
            return u64::from_str_radix(digits, radix).ok().map(Number::from);
        }
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let some_digit = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    if !some_digit || !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let mut json = format!("{sign}{whole}");
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        json.push('.');
        json.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        let digits_of = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if digits_of.is_empty() || !digits(digits_of) {
            return None;
        }
        json.push('e');
        json.push_str(exponent);
    }
    serde_json::from_str(&json).ok()
}

fn point(span: &Span) -> Point {
    Point {
        line: span.start.line(),
        column: span.start.col().saturating_add(1),
    }
}
