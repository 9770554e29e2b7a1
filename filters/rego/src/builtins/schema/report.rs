//! What does not fit, as OPA's library reports it (`errors.go`, `result.go` and `locales.go` of
//! gojsonschema).

use super::super::call::{Failure, World};
use crate::value::{self, Value};

/// Where in a document: the names that lead to it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    name: Name<'a>,
    outer: Option<&'a Place<'a>>,
}

#[derive(Clone, Copy)]
enum Name<'a> {
    Member(&'a str),
    Item(usize),
}

const ROOT: &str = "(root)";

impl<'a> Place<'a> {
    pub fn root() -> Place<'a> {
        Place {
            name: Name::Member(ROOT),
            outer: None,
        }
    }

    pub fn member(&'a self, name: &'a str) -> Place<'a> {
        Place {
            name: Name::Member(name),
            outer: Some(self),
        }
    }

    pub fn item(&'a self, index: usize) -> Place<'a> {
        Place {
            name: Name::Item(index),
            outer: Some(self),
        }
    }

    /// `orders.0.id`, and `(root)` for the whole document.
    pub fn field(&self) -> String {
        let mut names = Vec::new();
        let mut place = Some(self);
        while let Some(inner) = place {
            names.push(match inner.name {
                Name::Member(name) => name.to_owned(),
                Name::Item(index) => index.to_string(),
            });
            place = inner.outer;
        }
        names.reverse();
        match names.as_slice() {
            [_, rest @ ..] if !rest.is_empty() => rest.join("."),
            _ => ROOT.to_owned(),
        }
    }

    fn length(&self) -> usize {
        let mut length = 0_usize;
        let mut place = Some(self);
        while let Some(inner) = place {
            length = length.saturating_add(match inner.name {
                Name::Member(name) => name.len().saturating_add(1),
                Name::Item(_) => 8,
            });
            place = inner.outer;
        }
        length
    }
}

/// The errors of one schema at one place, and how near the document came: of several schemas of
/// which one should fit, the nearest one's errors are told.
pub(super) struct Report<'a> {
    world: &'a World<'a>,
    found: Vec<Found>,
    pub score: i64,
}

struct Found {
    kind: &'static str,
    field: String,
    description: String,
}

impl<'a> Report<'a> {
    pub fn new(world: &'a World<'a>) -> Report<'a> {
        Report {
            world,
            found: Vec::new(),
            score: 0,
        }
    }

    /// Another one in the same evaluation.
    pub fn fresh(&self) -> Report<'a> {
        Report::new(self.world)
    }

    pub fn world(&self) -> &'a World<'a> {
        self.world
    }

    pub fn is_valid(&self) -> bool {
        self.found.is_empty()
    }

    pub fn step(&mut self) {
        self.score = self.score.saturating_add(1);
    }

    pub fn add(
        &mut self,
        place: &Place<'_>,
        kind: &'static str,
        description: impl Into<String>,
    ) -> Result<(), Failure> {
        let description = description.into();
        // Each is written twice, and once more with the other.
        let length = place.length().saturating_add(description.len());
        self.world.charge(length.saturating_mul(4))?;
        self.world.charge_members(8)?;
        self.found.push(Found {
            kind,
            field: place.field(),
            description,
        });
        self.score = self.score.saturating_sub(2);
        Ok(())
    }

    pub fn merge(&mut self, other: Report<'a>) -> Result<(), Failure> {
        self.world.charge_members(other.found.len())?;
        self.found.extend(other.found);
        self.score = self.score.saturating_add(other.score);
        Ok(())
    }

    /// `[{"type", "field", "desc", "error"}]`.
    pub fn into_value(self) -> Value {
        value::array(self.found.into_iter().map(|found| {
            let error = format!("{}: {}", found.field, found.description);
            let entry = |name: &str, text: &str| (value::string(name), value::string(text));
            value::object([
                entry("desc", &found.description),
                entry("error", &error),
                entry("field", &found.field),
                entry("type", found.kind),
            ])
        }))
    }
}
