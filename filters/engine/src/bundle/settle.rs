//! A tree becomes values in slices, and on the way the digest of its canonical form: no white space,
//! members sorted, numbers by their text, texts escaped as Go's `encoding/json` does without HTML
//! (OPA's `v1/bundle/hash.go`; Go from 1.22 on, which writes `\b` and `\f`). The form itself is never
//! held.

use super::json::{Members, Node};
use crate::crypto::Hasher;
use portcullis_rego::value::{self, Value};
use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
    vec,
};

/// Nodes in a unit.
const NODES: usize = 256;
/// Of the canonical form, before it is hashed.
const PIECE: usize = 4 * 1024;

pub struct Settling {
    next: Option<Node>,
    open: Vec<Open>,
    digest: Option<Digest>,
}

enum Open {
    Array {
        items: vec::IntoIter<Node>,
        done: Vec<Value>,
    },
    Few {
        members: vec::IntoIter<(Arc<str>, Node)>,
        name: Arc<str>,
        done: Vec<(Value, Value)>,
    },
    /// Grows member by member, so that no unit is as long as it.
    Many {
        members: btree_map::IntoIter<Arc<str>, Node>,
        name: Arc<str>,
        done: Value,
    },
}

/// A value, and the digest of its canonical form where one was asked for.
pub type Settled = (Value, Option<Vec<u8>>);

impl Settling {
    pub fn new(node: Node, hasher: Option<Hasher>) -> Settling {
        Settling {
            next: Some(node),
            open: Vec::new(),
            digest: hasher.map(Digest::new),
        }
    }

    /// One unit. The value, once it is whole.
    ///
    /// # Errors
    /// Where a number cannot be held.
    pub fn work(&mut self) -> Result<Option<Settled>, String> {
        for _ in 0..NODES {
            let Some(node) = self.next.take() else {
                return Ok(None);
            };
            let mut value = self.begin(node)?;
            // What it was the last one of is whole too.
            while let Some(whole) = value.take() {
                match self.open.pop() {
                    None => {
                        let digest = self.digest.take().map(Digest::finish);
                        return Ok(Some((whole, digest)));
                    }
                    Some(open) => value = self.put(open, whole),
                }
            }
        }
        Ok(None)
    }

    /// The value, where it is one already; else its first part is next.
    fn begin(&mut self, node: Node) -> Result<Option<Value>, String> {
        let value = match node {
            Node::Null => {
                self.write("null");
                Value::Null
            }
            Node::Bool(value) => {
                self.write(if value { "true" } else { "false" });
                Value::Bool(value)
            }
            Node::Integer(integer) => {
                if let Some(digest) = &mut self.digest {
                    digest.write(&integer.to_string());
                }
                Value::from(integer)
            }
            Node::Number(text) => {
                self.write(&text);
                value::number_from_text(&text).map_err(|error| format!("has {error}"))?
            }
            Node::String(text) => {
                if let Some(digest) = &mut self.digest {
                    digest.text(&text);
                }
                Value::String(text)
            }
            Node::Array(items) => {
                self.write("[");
                let done = Vec::with_capacity(items.len());
                let items = items.into_iter();
                return Ok(self.go_on(Open::Array { items, done }));
            }
            Node::Object(Members::Few(members)) => {
                self.write("{");
                let done = Vec::with_capacity(members.len());
                let (members, name) = (members.into_iter(), Arc::from(""));
                return Ok(self.go_on(Open::Few {
                    members,
                    name,
                    done,
                }));
            }
            Node::Object(Members::Many(members)) => {
                self.write("{");
                let (members, name) = (members.into_iter(), Arc::from(""));
                let done = Value::new_object();
                return Ok(self.go_on(Open::Many {
                    members,
                    name,
                    done,
                }));
            }
        };
        Ok(Some(value))
    }

    fn put(&mut self, mut open: Open, value: Value) -> Option<Value> {
        match &mut open {
            Open::Array { done, .. } => done.push(value),
            Open::Few { name, done, .. } => {
                done.push((Value::String(Arc::clone(name)), value));
            }
            Open::Many { name, done, .. } => {
                if let Ok(object) = done.as_object_mut() {
                    object.insert(Value::String(Arc::clone(name)), value);
                }
            }
        }
        self.go_on(open)
    }

    /// With its next part, or the whole.
    fn go_on(&mut self, mut open: Open) -> Option<Value> {
        let (next, is_first) = match &mut open {
            Open::Array { items, done } => (items.next().map(|node| (None, node)), done.is_empty()),
            Open::Few {
                members,
                name,
                done,
            } => (named(members.next(), name), done.is_empty()),
            Open::Many {
                members,
                name,
                done,
            } => (
                named(members.next(), name),
                done.as_object().is_ok_and(|object| object.is_empty()),
            ),
        };
        let Some((name, node)) = next else {
            return Some(match open {
                Open::Array { done, .. } => {
                    self.write("]");
                    Value::from(done)
                }
                Open::Few { done, .. } => {
                    self.write("}");
                    Value::from(done.into_iter().collect::<BTreeMap<_, _>>())
                }
                Open::Many { done, .. } => {
                    self.write("}");
                    done
                }
            });
        };
        if let Some(digest) = &mut self.digest {
            if !is_first {
                digest.write(",");
            }
            if let Some(name) = name {
                digest.text(&name);
                digest.write(":");
            }
        }
        self.open.push(open);
        self.next = Some(node);
        None
    }

    fn write(&mut self, text: &str) {
        if let Some(digest) = &mut self.digest {
            digest.write(text);
        }
    }
}

/// The member's name is kept until its value is whole.
fn named(
    member: Option<(Arc<str>, Node)>,
    kept: &mut Arc<str>,
) -> Option<(Option<Arc<str>>, Node)> {
    let (name, node) = member?;
    *kept = Arc::clone(&name);
    Some((Some(name), node))
}

struct Digest {
    hasher: Hasher,
    piece: Vec<u8>,
}

impl Digest {
    fn new(hasher: Hasher) -> Digest {
        let piece = Vec::with_capacity(PIECE.saturating_mul(2));
        Digest { hasher, piece }
    }

    fn write(&mut self, text: &str) {
        self.piece.extend_from_slice(text.as_bytes());
        if self.piece.len() >= PIECE {
            self.hasher.update(&self.piece);
            self.piece.clear();
        }
    }

    fn text(&mut self, text: &str) {
        self.write("\"");
        let mut rest = text;
        while let Some(at) = rest.find(is_escaped) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.write(before);
            let mut characters = after.chars();
            if let Some(character) = characters.next() {
                self.escape(character);
            }
            rest = characters.as_str();
        }
        self.write(rest);
        self.write("\"");
    }

    fn escape(&mut self, character: char) {
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            other => {
                let mut digits = [0; 4];
                let code = u16::try_from(u32::from(other)).unwrap_or_default();
                let digits = base16ct::lower::encode_str(&code.to_be_bytes(), &mut digits);
                self.write("\\u");
                return self.write(digits.unwrap_or_default());
            }
        };
        self.write(short);
    }

    fn finish(mut self) -> Vec<u8> {
        self.hasher.update(&self.piece);
        self.hasher.finish()
    }
}

fn is_escaped(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}' | '"' | '\\' | '\u{2028}' | '\u{2029}'
    )
}
