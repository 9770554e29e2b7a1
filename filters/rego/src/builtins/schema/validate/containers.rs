//! The keywords of objects and arrays.

use std::collections::HashMap;

use regorus::value::{Array, Object};

use super::{Here, length, nearer};
use crate::{
    builtins::{
        call::Failure,
        json,
        schema::{
            compile::{Index, Items, Rest},
            report::Report,
        },
    },
    value::Value,
};

impl Here<'_> {
    pub(super) fn object(&self, members: &Object, report: &mut Report<'_>) -> Result<(), Failure> {
        let count = length(members.len());
        if let Some(min) = self.node.min_properties.filter(|min| count < *min) {
            let what = format!("Must have at least {min} properties");
            report.add(self.place, "array_min_properties", what)?;
        }
        if let Some(max) = self.node.max_properties.filter(|max| count > *max) {
            let what = format!("Must have at most {max} properties");
            report.add(self.place, "array_max_properties", what)?;
        }
        for name in &self.node.required {
            report.world().charge_members(1)?;
            if members.get(name).is_some() {
                report.step();
            } else if let Value::String(name) = name {
                report.add(self.place, "required", format!("{name} is required"))?;
            }
        }
        self.additional(members, report)?;
        if let Some(schema) = self.node.property_names {
            for (key, _) in members.iter_sorted() {
                let Value::String(name) = key else { continue };
                let found = self.apart(schema, key, self.place, report)?;
                if !found.is_valid() {
                    let what = format!("Property name of \"{name}\" does not match");
                    report.add(self.place, "invalid_property_name", what)?;
                    report.merge(found)?;
                }
            }
        }
        report.step();
        Ok(())
    }

    /// The members that patterns name, and those that nothing does.
    fn additional(&self, members: &Object, report: &mut Report<'_>) -> Result<(), Failure> {
        let rest = &self.node.additional_properties;
        if matches!(rest, Rest::Any) && self.node.pattern_properties.is_empty() {
            return Ok(());
        }
        for (key, member) in members.iter_sorted() {
            report.world().charge_members(1)?;
            let Value::String(name) = key else { continue };
            let place = self.place.member(name);
            let mut is_matched = false;
            for (pattern, schema) in &self.node.pattern_properties {
                if pattern.is_match(name, report.world())? {
                    is_matched = true;
                    let found = self.apart(*schema, member, &place, report)?;
                    report.merge(found)?;
                }
            }
            if is_matched {
                report.step();
            }
            let is_named = self
                .node
                .named
                .is_some_and(|named| named.get(key).is_some());
            if is_named || is_matched {
                continue;
            }
            match rest {
                Rest::Any => {}
                Rest::None => {
                    let what = format!("Additional property {name} is not allowed");
                    report.add(self.place, "additional_property_not_allowed", what)?;
                }
                Rest::Schema(schema) => {
                    let found = self.apart(*schema, member, &place, report)?;
                    report.merge(found)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn array(&self, items: &Array, report: &mut Report<'_>) -> Result<(), Failure> {
        self.items(items, report)?;
        let count = length(items.len());
        if let Some(min) = self.node.min_items.filter(|min| count < *min) {
            let what = format!("Array must have at least {min} items");
            report.add(self.place, "array_min_items", what)?;
        }
        if let Some(max) = self.node.max_items.filter(|max| count > *max) {
            let what = format!("Array must have at most {max} items");
            report.add(self.place, "array_max_items", what)?;
        }
        if self.node.unique_items {
            let mut seen = HashMap::new();
            for (index, item) in items.iter().enumerate() {
                let text = json::to_text(item, None, report.world())?;
                if let Some(before) = seen.insert(text, index) {
                    let what = format!("array items[{before},{index}] must be unique");
                    report.add(self.place, "unique", what)?;
                }
            }
        }
        if let Some(schema) = self.node.contains {
            self.contains(schema, items, report)?;
        }
        report.step();
        Ok(())
    }

    fn items(&self, items: &Array, report: &mut Report<'_>) -> Result<(), Failure> {
        let (first, rest): (&[Index], Option<Index>) = match &self.node.items {
            Items::Any => return Ok(()),
            Items::Each(schema) => (&[], Some(*schema)),
            Items::Positional(schemas) if schemas.is_empty() => return Ok(()),
            Items::Positional(schemas) => match self.node.additional_items {
                Rest::Any => (schemas, None),
                Rest::Schema(schema) => (schemas, Some(schema)),
                Rest::None if schemas.len() < items.len() => {
                    self.positional(schemas, None, items, report)?;
                    let what = "No additional items allowed on array";
                    return report.add(self.place, "array_no_additional_items", what);
                }
                Rest::None => (schemas, None),
            },
        };
        self.positional(first, rest, items, report)
    }

    fn positional(
        &self,
        first: &[Index],
        rest: Option<Index>,
        items: &Array,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        for (index, item) in items.iter().enumerate() {
            let Some(schema) = first.get(index).copied().or(rest) else {
                return Ok(());
            };
            let found = self.apart(schema, item, &self.place.item(index), report)?;
            report.merge(found)?;
        }
        Ok(())
    }

    fn contains(
        &self,
        schema: Index,
        items: &Array,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let mut nearest = None;
        for (index, item) in items.iter().enumerate() {
            let found = self.apart(schema, item, &self.place.item(index), report)?;
            if found.is_valid() {
                return Ok(());
            }
            nearest = nearer(nearest, found);
        }
        let what = "At least one of the items must match";
        report.add(self.place, "contains", what)?;
        nearest.map_or(Ok(()), |nearest| report.merge(nearest))
    }
}
