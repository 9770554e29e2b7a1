//! YAML to values.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::{
    Words, float,
    scalar::{self, Scalar},
};
use crate::{
    builtins::{
        call::{Failure, World},
        json,
    },
    value::{self, Value},
};

/// As deep as JSON may be.
const MAX_DEPTH: usize = 128;

/// The first document. What aliases repeat is paid for each time.
///
/// # Errors
/// Where it is no YAML, or has no JSON.
pub(crate) fn read(text: &str, words: Words, world: &World<'_>) -> Result<Value, Failure> {
    world.charge(text.len().saturating_mul(16))?;
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        words,
        world,
    };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(Value::Null),
            event => return reader.node(event, 0)?.into_value(),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// What an anchor stands for; absent while the anchored node is still open.
    anchors: HashMap<usize, Node>,
    words: Words,
    world: &'t World<'t>,
}

/// What a key is made of differs from what a value is.
#[derive(Clone)]
enum Node {
    Value(Value),
    Unsigned(u64),
    Float(f64),
    /// A plain `<<`.
    Merge,
}

impl Node {
    fn into_value(self) -> Result<Value, Failure> {
        match self {
            Node::Value(value) => Ok(value),
            Node::Unsigned(unsigned) => Ok(Value::from(unsigned)),
            Node::Float(float) => scalar::float(float)
                .ok_or_else(|| wrong("json: unsupported value: an infinity or no number")),
            Node::Merge => Ok(value::string("<<")),
        }
    }

    /// JSON's keys are texts.
    fn into_key(self) -> Result<Value, Failure> {
        match self {
            Node::Value(text @ Value::String(_)) => Ok(text),
            Node::Value(Value::Bool(key)) => Ok(value::string(if key { "true" } else { "false" })),
            Node::Value(number @ Value::Number(_)) => {
                Ok(value::string(&value::to_json(&number).to_string()))
            }
            Node::Float(float) if float.is_nan() => Ok(value::string(".nan")),
            Node::Float(f64::INFINITY) => Ok(value::string(".inf")),
            Node::Float(f64::NEG_INFINITY) => Ok(value::string("-.inf")),
            Node::Float(float) => Ok(value::string(&float::shown_short(float))),
            _ => Err(wrong("unsupported map key")),
        }
    }
}

fn wrong(message: &str) -> Failure {
    Failure::error(format!("error converting YAML to JSON: {message}"))
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, Failure> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            // Valid to OPA, and only too deep here; the parser reads ahead of our own count.
            Some(Err(error)) if error.info().contains("recursion limit") => {
                Err(Failure::Unsupported("YAML that is nested so deep"))
            }
            Some(Err(error)) => Err(Failure::error(format!(
                "yaml: line {}: {}",
                error.marker().line(),
                error.info()
            ))),
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Node, Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::Unsupported("YAML that is nested so deep"));
        }
        self.world.charge_members(1)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => (
                anchor,
                scalar_node(&text, style, tag.as_deref(), self.words)?,
            ),
            Event::SequenceStart(anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor);
                let node = node.ok_or_else(|| wrong("an anchor's value contains itself"))?;
                if let Node::Value(value) = node
                    && json::depth(value, self.world)?.saturating_add(depth) > MAX_DEPTH
                {
                    return Err(Failure::Unsupported("YAML that is nested so deep"));
                }
                return Ok(node.clone());
            }
            _ => return Err(wrong("a value is missing")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, Failure> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node::Value(Value::from(items))),
                event => items.push(self.node(event, depth.saturating_add(1))?.into_value()?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Node, Failure> {
        let depth = depth.saturating_add(1);
        let mut entries: BTreeMap<Value, Value> = BTreeMap::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node::Value(Value::from(entries))),
                event => self.node(event, depth)?,
            };
            let event = self.next()?;
            let value = self.node(event, depth)?;
            if matches!(key, Node::Merge) {
                self.merge(&value.into_value()?, &mut entries)?;
            } else {
                let repeats = entries
                    .insert(key.into_key()?, value.into_value()?)
                    .is_some();
                if repeats && self.words == Words::TrueFalse {
                    return Err(Failure::error("a key repeats"));
                }
            }
        }
    }

    /// In the order in which they stand; of several maps the first has the last word.
    fn merge(
        &mut self,
        value: &Value,
        entries: &mut BTreeMap<Value, Value>,
    ) -> Result<(), Failure> {
        let maps = match value {
            Value::Object(_) => std::slice::from_ref(value),
            Value::Array(maps) => maps.as_slice(),
            _ => &[Value::Null],
        };
        for map in maps.iter().rev() {
            let Value::Object(map) = map else {
                return Err(wrong(
                    "map merge requires map or sequence of maps as the value",
                ));
            };
            self.world.charge_members(map.len())?;
            let copies = map.iter_sorted();
            entries.extend(copies.map(|(key, value)| (key.clone(), value.clone())));
        }
        Ok(())
    }
}

fn scalar_node(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    words: Words,
) -> Result<Node, Failure> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema());
    let is_plain = matches!(style, ScalarStyle::Plain);
    let as_text = || Ok(Node::Value(value::string(text)));
    let wanted = match (tag, core.map(|tag| tag.suffix.as_str())) {
        (None, _) if is_plain => None,
        (_, Some(wanted @ ("int" | "float" | "bool" | "null"))) => Some(wanted),
        (_, Some("binary")) => return Err(wrong("!!binary is no text")),
        _ => return as_text(),
    };
    if is_plain && text == "<<" {
        return Ok(Node::Merge);
    }
    let (kind, node) = match scalar::resolve(text, words) {
        Scalar::Null => ("null", Node::Value(Value::Null)),
        Scalar::Bool(value) => ("bool", Node::Value(Value::Bool(value))),
        #[expect(
            clippy::cast_precision_loss,
            clippy::as_conversions,
            reason = "the tag asks for a float"
        )]
        Scalar::Integer(integer) if wanted == Some("float") => {
            ("float", Node::Float(integer as f64))
        }
        Scalar::Integer(integer) => ("int", Node::Value(Value::from(integer))),
        Scalar::Unsigned(integer) => ("int", Node::Unsigned(integer)),
        Scalar::Big(integer) => {
            let digits = integer.to_string();
            let number = value::number_from_text(&digits);
            let number = number.map_err(|error| wrong(&error.to_string()))?;
            ("int", Node::Value(number))
        }
        Scalar::Float(float) => ("float", Node::Float(float)),
        Scalar::Text => ("str", Node::Value(value::string(text))),
    };
    match wanted {
        Some(wanted) if wanted != kind => Err(wrong(&format!(
            "yaml: cannot decode !!{kind} `{text}` as a !!{wanted}"
        ))),
        _ => Ok(node),
    }
}
