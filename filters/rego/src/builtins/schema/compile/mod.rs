//! A schema's keywords, checked and made ready. The words are OPA's (`schema.go` of gojsonschema).

mod containers;
mod keywords;
mod reference;
mod scalars;

use std::{collections::HashMap, rc::Rc};

use regorus::value::{Array, Object};

use self::keywords::{Keywords, invalid, member};
use super::MAX_DEPTH;
use crate::{
    builtins::{
        call::{Failure, World},
        pattern::Matcher,
    },
    value::Value,
};

/// A schema of a [`Schema`], by its place there: schemas refer to each other, and to themselves.
pub(super) type Index = usize;

pub(super) struct Schema<'a> {
    nodes: Vec<Node<'a>>,
    root: Index,
}

/// One schema's keywords. What is not there says nothing.
#[derive(Default)]
pub(super) struct Node<'a> {
    /// The schemas `true` and `false`.
    pub always: Option<bool>,
    /// `$ref`, beside which nothing counts.
    pub reference: Option<Index>,
    pub types: Vec<&'static str>,
    pub any_of: Vec<Index>,
    pub one_of: Vec<Index>,
    pub all_of: Vec<Index>,
    pub not: Option<Index>,
    pub dependencies: Vec<(&'a Value, Dependency<'a>)>,
    pub condition: Option<Index>,
    pub then: Option<Index>,
    pub otherwise: Option<Index>,
    pub constant: Option<&'a Value>,
    pub enumeration: Option<&'a Array>,
    pub format: Option<&'a str>,
    pub properties: Vec<(&'a Value, Index)>,
    /// The object of `properties`, to look a name up.
    pub named: Option<&'a Object>,
    pub pattern_properties: Vec<(Rc<Matcher>, Index)>,
    pub additional_properties: Rest,
    pub property_names: Option<Index>,
    pub required: Vec<&'a Value>,
    pub min_properties: Option<u64>,
    pub max_properties: Option<u64>,
    pub items: Items,
    pub additional_items: Rest,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub unique_items: bool,
    pub contains: Option<Index>,
    pub multiple_of: Option<&'a Value>,
    pub minimum: Option<&'a Value>,
    pub exclusive_minimum: Option<&'a Value>,
    pub maximum: Option<&'a Value>,
    pub exclusive_maximum: Option<&'a Value>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub pattern: Option<(&'a str, Rc<Matcher>)>,
}

pub(super) enum Dependency<'a> {
    Names(Vec<&'a Value>),
    Schema(Index),
}

/// What holds for the items or members that no other keyword names.
#[derive(Default)]
pub(super) enum Rest {
    #[default]
    Any,
    None,
    Schema(Index),
}

#[derive(Default)]
pub(super) enum Items {
    #[default]
    Any,
    Each(Index),
    Positional(Vec<Index>),
}

/// By `$schema`; a schema that names none, or another one, may use what any of them has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Four,
    Six,
    Seven,
    Hybrid,
}

impl<'a> Schema<'a> {
    /// # Errors
    /// Where it is no schema, in OPA's words; where it refers to another document; past the budget.
    pub fn compile(schema: &'a Value, world: &'a World<'a>) -> Result<Schema<'a>, Failure> {
        let mut compiler = Compiler {
            root: schema,
            draft: draft(schema)?,
            nodes: Vec::new(),
            references: HashMap::new(),
            world,
        };
        let root = compiler.schema(schema, MAX_DEPTH)?;
        Ok(Schema {
            nodes: compiler.nodes,
            root,
        })
    }

    pub fn root(&self) -> Index {
        self.root
    }

    pub fn node(&self, index: Index) -> Result<&Node<'a>, Failure> {
        self.nodes.get(index).ok_or(Failure::Exceeded)
    }
}

fn draft(schema: &Value) -> Result<Draft, Failure> {
    let members = match schema {
        Value::Object(members) => members,
        Value::Bool(_) => return Ok(Draft::Hybrid),
        _ => return Err(Failure::error("schema is invalid")),
    };
    match member(members, "$schema") {
        None => Ok(Draft::Hybrid),
        Some(Value::String(uri)) => Ok(match uri.strip_suffix('#').unwrap_or(uri) {
            "http://json-schema.org/draft-04/schema" => Draft::Four,
            "http://json-schema.org/draft-06/schema" => Draft::Six,
            "http://json-schema.org/draft-07/schema" => Draft::Seven,
            _ => Draft::Hybrid,
        }),
        Some(_) => Err(Failure::error("$schema must be of type string")),
    }
}

struct Compiler<'a> {
    root: &'a Value,
    draft: Draft,
    nodes: Vec<Node<'a>>,
    /// What `$ref` names, by its fragment.
    references: HashMap<String, Index>,
    world: &'a World<'a>,
}

impl<'a> Compiler<'a> {
    /// A schema, and before it all that are in it.
    fn schema(&mut self, schema: &'a Value, left: usize) -> Result<Index, Failure> {
        let index = self.reserve()?;
        self.fill(index, schema, left)?;
        Ok(index)
    }

    fn reserve(&mut self) -> Result<Index, Failure> {
        // About what a node takes.
        self.world.charge(size_of::<Node<'_>>())?;
        let index = self.nodes.len();
        self.nodes.push(Node::default());
        Ok(index)
    }

    fn fill(&mut self, index: Index, schema: &'a Value, left: usize) -> Result<(), Failure> {
        let left = left.checked_sub(1).ok_or(Failure::Exceeded)?;
        let node = self.node(schema, left)?;
        if let Some(place) = self.nodes.get_mut(index) {
            *place = node;
        }
        Ok(())
    }

    fn node(&mut self, schema: &'a Value, left: usize) -> Result<Node<'a>, Failure> {
        let mut node = Node::default();
        if let (Value::Bool(always), true) = (schema, self.draft >= Draft::Six) {
            node.always = Some(*always);
            return Ok(node);
        }
        let Value::Object(members) = schema else {
            return Err(Failure::error(
                "Expected: valid schema, given: Invalid JSON",
            ));
        };
        let keywords = Keywords { members };
        self.identifier(&keywords, schema)?;
        self.definitions(&keywords, left)?;
        keywords.string("title")?;
        keywords.string("description")?;
        if let Some(reference) = keywords.string("$ref")? {
            node.reference = Some(self.reference(reference, left)?);
            return Ok(node);
        }
        node.types = scalars::types(&keywords)?;
        self.object(&mut node, &keywords, left)?;
        self.array(&mut node, &keywords, left)?;
        self.number(&mut node, &keywords)?;
        self.string(&mut node, &keywords)?;
        scalars::counts(&mut node, &keywords)?;
        if let (Some(contains), true) = (keywords.get("contains"), self.draft >= Draft::Six) {
            node.contains = Some(self.schema(contains, left)?);
        }
        if self.draft >= Draft::Six {
            node.constant = keywords.get("const");
        }
        node.enumeration = self.enumeration(&keywords)?;
        for (keyword, schemas) in [
            ("oneOf", &mut node.one_of),
            ("anyOf", &mut node.any_of),
            ("allOf", &mut node.all_of),
        ] {
            for schema in keywords.array(keyword)?.into_iter().flat_map(Array::iter) {
                schemas.push(self.schema(schema, left)?);
            }
        }
        node.not = self.subschema(&keywords, "not", left)?;
        if self.draft >= Draft::Seven {
            node.condition = self.subschema(&keywords, "if", left)?;
            node.then = self.subschema(&keywords, "then", left)?;
            node.otherwise = self.subschema(&keywords, "else", left)?;
        }
        Ok(node)
    }

    fn definitions(&mut self, keywords: &Keywords<'a>, left: usize) -> Result<(), Failure> {
        let Some(definitions) = keywords.get("definitions") else {
            return Ok(());
        };
        let wrong = || invalid("array of schemas", "definitions");
        let Value::Object(definitions) = definitions else {
            return Err(wrong());
        };
        for (_, definition) in definitions.iter_sorted() {
            match definition {
                Value::Object(_) | Value::Bool(_) => self.schema(definition, left)?,
                _ => return Err(wrong()),
            };
        }
        Ok(())
    }
}
