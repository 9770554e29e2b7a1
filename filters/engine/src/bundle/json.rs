//! JSON (RFC 8259) in slices: a text becomes a tree whose members are sorted, with each number as it
//! was written, for that is what is signed. No member stands twice.

use super::fault::shown;
use json_event_parser::{JsonEvent, LowLevelJsonParser};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

/// As deep as a policy's values may be nested.
pub const MAX_DEPTH: usize = 128;
/// What is read in one unit.
const EVENTS: usize = 256;
const BYTES: usize = 16 * 1024;
/// Of one text or number as it is written.
const MAX_TOKEN: usize = 256 * 1024;
/// An object of more members is sorted as it grows, not at its end.
const FEW: usize = 64;
/// Names of members that are kept once, and how long they may be.
const NAMES: usize = 1024;
const NAME: usize = 64;

/// One value, as the text has it.
pub enum Node {
    Null,
    Bool(bool),
    /// A number that is written as it prints.
    Integer(i64),
    /// Any other number, by its text.
    Number(Box<str>),
    String(Arc<str>),
    Array(Vec<Node>),
    Object(Members),
}

/// The members of an object, sorted by the bytes of their names.
pub enum Members {
    Few(Vec<(Arc<str>, Node)>),
    Many(BTreeMap<Arc<str>, Node>),
}

/// A text that is being read.
pub struct Reading {
    parser: LowLevelJsonParser,
    rest: Range<usize>,
    depth: usize,
    open: Vec<Open>,
    names: BTreeSet<Arc<str>>,
    read: Option<Node>,
}

enum Open {
    Array(Vec<Node>),
    Object {
        members: Members,
        name: Option<Arc<str>>,
    },
}

/// What is wrong with a text. The first half of a sentence stands before it.
pub type Wrong = String;

impl Reading {
    /// Of this part of the bytes, which may be nested so deep.
    pub fn new(part: Range<usize>, depth: usize) -> Reading {
        Reading {
            parser: LowLevelJsonParser::new().with_max_stack_size(MAX_DEPTH.saturating_mul(2)),
            rest: part,
            depth,
            open: Vec::new(),
            names: BTreeSet::new(),
            read: None,
        }
    }

    /// One unit, of the same bytes each time. `values` is how many more there may be. The tree, once
    /// the text is read to its end.
    pub fn work(&mut self, bytes: &[u8], values: &mut usize) -> Result<Option<Node>, Wrong> {
        let until = self.rest.start.saturating_add(BYTES);
        for _ in 0..EVENTS {
            let rest = bytes.get(self.rest.clone()).unwrap_or_default();
            // As much as one text may be long: a unit is no longer than that.
            let (window, is_all) = match rest.get(..MAX_TOKEN) {
                Some(window) => (window, window.len() == rest.len()),
                None => (rest, true),
            };
            let found = self.parser.parse_next(window, is_all);
            self.rest.start = self.rest.start.saturating_add(found.consumed_bytes);
            let Some(event) = found.event else {
                if found.consumed_bytes == 0 {
                    return Err(format!("has a text of more than {MAX_TOKEN} bytes"));
                }
                if self.rest.start >= until {
                    break;
                }
                continue;
            };
            let event = event.map_err(|error| {
                let place = error.location().start;
                format!(
                    "is no JSON (line {}): {}",
                    place.line.saturating_add(1),
                    error.message()
                )
            })?;
            if matches!(event, JsonEvent::Eof) {
                let read = self.read.take();
                return read
                    .map(Some)
                    .ok_or_else(|| "is no JSON: it is empty".to_owned());
            }
            *values = values
                .checked_sub(1)
                .ok_or_else(|| "makes more values than a bundle of its size may".to_owned())?;
            self.event(event)?;
            if self.rest.start >= until {
                break;
            }
        }
        Ok(None)
    }

    fn event(&mut self, event: JsonEvent<'_>) -> Result<(), Wrong> {
        let node = match event {
            JsonEvent::Null => Node::Null,
            JsonEvent::Boolean(value) => Node::Bool(value),
            JsonEvent::Number(text) => number(&text),
            JsonEvent::String(text) => Node::String(Arc::from(text)),
            JsonEvent::StartArray => return self.open(Open::Array(Vec::new())),
            JsonEvent::StartObject => {
                let members = Members::Few(Vec::new());
                return self.open(Open::Object {
                    members,
                    name: None,
                });
            }
            JsonEvent::ObjectKey(text) => {
                let own = self.name(&text);
                if let Some(Open::Object { name, .. }) = self.open.last_mut() {
                    *name = Some(own);
                }
                return Ok(());
            }
            JsonEvent::EndArray | JsonEvent::EndObject => match self.open.pop() {
                Some(Open::Array(mut items)) => {
                    // A long one would be moved in one go.
                    if items.len() <= FEW {
                        items.shrink_to_fit();
                    }
                    Node::Array(items)
                }
                Some(Open::Object { members, .. }) => Node::Object(members.sorted()?),
                None => return Ok(()),
            },
            JsonEvent::Eof => return Ok(()),
        };
        self.put(node)
    }

    fn open(&mut self, open: Open) -> Result<(), Wrong> {
        if self.open.len() >= self.depth {
            return Err(format!("is nested deeper than {}", self.depth));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), Wrong> {
        match self.open.last_mut() {
            None => self.read = Some(node),
            Some(Open::Array(items)) => items.push(node),
            Some(Open::Object { members, name }) => {
                // The parser gives no value without a name.
                if let Some(name) = name.take() {
                    members.insert(name, node)?;
                }
            }
        }
        Ok(())
    }

    /// Records have the same names over and over.
    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.names.get(text) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(text);
        if self.names.len() < NAMES && text.len() <= NAME {
            self.names.insert(Arc::clone(&name));
        }
        name
    }
}

/// `-0` and what is past 64 bits is kept as it is written.
fn number(text: &str) -> Node {
    match text.parse::<i64>() {
        Ok(integer) if text != "-0" => Node::Integer(integer),
        _ => Node::Number(text.into()),
    }
}

fn twice(name: &str) -> Wrong {
    format!("has a member {} twice", shown(name))
}

impl Members {
    fn insert(&mut self, name: Arc<str>, node: Node) -> Result<(), Wrong> {
        match self {
            Members::Few(few) if few.len() < FEW => few.push((name, node)),
            Members::Few(few) => {
                let mut many = BTreeMap::new();
                for (name, node) in few.drain(..) {
                    add(&mut many, name, node)?;
                }
                add(&mut many, name, node)?;
                *self = Members::Many(many);
            }
            Members::Many(many) => add(many, name, node)?,
        }
        Ok(())
    }

    fn sorted(self) -> Result<Members, Wrong> {
        let Members::Few(mut few) = self else {
            return Ok(self);
        };
        few.sort_by(|(one, _), (other, _)| one.cmp(other));
        for pair in few.windows(2) {
            if let [(one, _), (other, _)] = pair
                && one == other
            {
                return Err(twice(one));
            }
        }
        few.shrink_to_fit();
        Ok(Members::Few(few))
    }
}

fn add(many: &mut BTreeMap<Arc<str>, Node>, name: Arc<str>, node: Node) -> Result<(), Wrong> {
    if many.contains_key(&name) {
        return Err(twice(&name));
    }
    many.insert(name, node);
    Ok(())
}
