//! `$ref` and `$id`: what another place in the same document says.

use super::{
    Compiler, Draft, Index,
    keywords::{Keywords, member},
};
use crate::{
    builtins::{call::Failure, schema::formats},
    value::Value,
};

impl<'a> Compiler<'a> {
    /// A name that makes a schema a document of its own. Only the root's is taken: what a reference
    /// below another means is not guessed at.
    pub(super) fn identifier(
        &self,
        keywords: &Keywords<'a>,
        schema: &'a Value,
    ) -> Result<(), Failure> {
        let keyword = match self.draft {
            Draft::Four => "id",
            Draft::Hybrid if keywords.get("id").is_some() => "id",
            _ => "$id",
        };
        match keywords.string(keyword)? {
            Some(_) if !std::ptr::eq(schema, self.root) => Err(Failure::Unsupported(
                "a JSON schema with an $id inside another",
            )),
            _ => Ok(()),
        }
    }

    /// A place in this document (RFC 6901); each is compiled once, so that it may name itself.
    pub(super) fn reference(&mut self, reference: &'a str, left: usize) -> Result<Index, Failure> {
        let root = match self.root {
            Value::Object(members) => ["$id", "id"]
                .iter()
                .find_map(|name| match member(members, name) {
                    Some(Value::String(uri)) => Some(uri.strip_suffix('#').unwrap_or(uri)),
                    _ => None,
                })
                .unwrap_or_default(),
            _ => "",
        };
        let fragment = match reference.split_once('#') {
            Some((document, fragment)) if document.is_empty() || document == root => fragment,
            None if !root.is_empty() && reference == root => "",
            _ => {
                return Err(Failure::Unsupported(
                    "a JSON schema's $ref to another document",
                ));
            }
        };
        self.world.charge(fragment.len().saturating_mul(2))?;
        if let Some(index) = self.references.get(fragment) {
            return Ok(*index);
        }
        let schema = self.pointed(fragment)?;
        if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
            return Err(Failure::error("valid schema must be of type object"));
        }
        let index = self.reserve()?;
        self.references.insert(fragment.to_owned(), index);
        self.fill(index, schema, left)?;
        Ok(index)
    }

    fn pointed(&self, fragment: &str) -> Result<&'a Value, Failure> {
        if fragment.is_empty() {
            return Ok(self.root);
        }
        let unread = || Failure::Unsupported("a JSON schema's $ref that is no JSON pointer");
        let Some(pointer) = fragment.strip_prefix('/') else {
            return Err(unread());
        };
        let mut place = self.root;
        for token in pointer.split('/') {
            let token = formats::unescaped(token).ok_or_else(unread)?;
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match place {
                Value::Object(members) => member(members, &token),
                Value::Array(items) => token
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.iter().nth(index)),
                _ => None,
            };
            place = next.ok_or_else(|| Failure::error(format!("Object has no key '{token}'")))?;
        }
        Ok(place)
    }
}
