//! The keywords of objects and arrays.

use super::{
    Compiler, Dependency, Draft, Index, Items, Node, Rest,
    keywords::{Keywords, invalid},
};
use crate::{builtins::call::Failure, value::Value};

impl<'a> Compiler<'a> {
    pub(super) fn object(
        &mut self,
        node: &mut Node<'a>,
        keywords: &Keywords<'a>,
        left: usize,
    ) -> Result<(), Failure> {
        match keywords.get("properties") {
            Some(Value::Object(properties)) => {
                node.named = Some(properties);
                for (name, schema) in properties.iter_sorted() {
                    node.properties.push((name, self.schema(schema, left)?));
                }
            }
            Some(_) => return Err(Failure::error("properties must be of type object")),
            None => {}
        }
        node.additional_properties = self.rest(keywords, "additionalProperties", left)?;
        match keywords.get("patternProperties") {
            Some(Value::Object(patterns)) => {
                for (pattern, schema) in patterns.iter_sorted() {
                    let Value::String(pattern) = pattern else {
                        continue;
                    };
                    let matcher =
                        self.pattern(pattern, || format!("Invalid regex pattern '{pattern}'"))?;
                    let schema = self.schema(schema, left)?;
                    node.pattern_properties.push((matcher, schema));
                }
            }
            Some(_) => return Err(invalid("valid schema", "patternProperties")),
            None => {}
        }
        if self.draft >= Draft::Six {
            node.property_names = match keywords.get("propertyNames") {
                Some(names @ (Value::Object(_) | Value::Bool(_))) => {
                    Some(self.schema(names, left)?)
                }
                Some(_) => return Err(invalid("valid schema", "patternProperties")),
                None => None,
            };
        }
        self.dependencies(node, keywords, left)
    }

    fn dependencies(
        &mut self,
        node: &mut Node<'a>,
        keywords: &Keywords<'a>,
        left: usize,
    ) -> Result<(), Failure> {
        let dependencies = match keywords.get("dependencies") {
            Some(Value::Object(dependencies)) => dependencies,
            Some(_) => return Err(Failure::error("dependencies must be of type object")),
            None => return Ok(()),
        };
        let wrong = || Failure::error("dependency must be of type schema or array of strings");
        for (name, dependency) in dependencies.iter_sorted() {
            let dependency = match dependency {
                Value::Array(names) => {
                    self.world.charge_members(names.len())?;
                    let names: Vec<&Value> = names.iter().collect();
                    if !names.iter().all(|name| matches!(name, Value::String(_))) {
                        return Err(wrong());
                    }
                    Dependency::Names(names)
                }
                Value::Object(_) | Value::Bool(_) => {
                    Dependency::Schema(self.schema(dependency, left)?)
                }
                _ => return Err(wrong()),
            };
            node.dependencies.push((name, dependency));
        }
        Ok(())
    }

    pub(super) fn array(
        &mut self,
        node: &mut Node<'a>,
        keywords: &Keywords<'a>,
        left: usize,
    ) -> Result<(), Failure> {
        let wrong = || invalid("valid schema/array of schemas", "items");
        node.items = match keywords.get("items") {
            Some(Value::Array(items)) => {
                let mut schemas = Vec::new();
                for item in items.iter() {
                    if !matches!(item, Value::Object(_) | Value::Bool(_)) {
                        return Err(wrong());
                    }
                    schemas.push(self.schema(item, left)?);
                }
                Items::Positional(schemas)
            }
            Some(item @ (Value::Object(_) | Value::Bool(_))) => {
                Items::Each(self.schema(item, left)?)
            }
            Some(_) => return Err(wrong()),
            None => Items::Any,
        };
        node.additional_items = self.rest(keywords, "additionalItems", left)?;
        Ok(())
    }

    fn rest(
        &mut self,
        keywords: &Keywords<'a>,
        keyword: &str,
        left: usize,
    ) -> Result<Rest, Failure> {
        match keywords.get(keyword) {
            None | Some(Value::Bool(true)) => Ok(Rest::Any),
            Some(Value::Bool(false)) => Ok(Rest::None),
            Some(schema @ Value::Object(_)) => Ok(Rest::Schema(self.schema(schema, left)?)),
            Some(_) => Err(invalid("boolean/valid schema", keyword)),
        }
    }

    pub(super) fn subschema(
        &mut self,
        keywords: &Keywords<'a>,
        keyword: &str,
        left: usize,
    ) -> Result<Option<Index>, Failure> {
        match keywords.get(keyword) {
            None => Ok(None),
            Some(schema @ (Value::Object(_) | Value::Bool(_))) => {
                self.schema(schema, left).map(Some)
            }
            Some(_) => Err(Failure::error(format!("{keyword} must be of an object"))),
        }
    }
}
