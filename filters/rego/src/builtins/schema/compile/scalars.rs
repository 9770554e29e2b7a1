//! The keywords of numbers and strings, and those that count or list.

use std::{collections::HashSet, rc::Rc, sync::Arc};

use regorus::value::Array;

use super::{
    Compiler, Draft, Node,
    keywords::{Keywords, invalid},
};
use crate::{
    builtins::{call::Failure, json, pattern::Matcher, regex},
    value::Value,
};

impl<'a> Compiler<'a> {
    pub(super) fn number(
        &self,
        node: &mut Node<'a>,
        keywords: &Keywords<'a>,
    ) -> Result<(), Failure> {
        if let Some(multiple) = keywords.get("multipleOf") {
            if !matches!(multiple, Value::Number(_)) {
                return Err(invalid("number", "multipleOf"));
            }
            if *multiple <= Value::from(0_i64) {
                return Err(Failure::error("multipleOf must be strictly greater than 0"));
            }
            node.multiple_of = Some(multiple);
        }
        let minimum = ("minimum", "exclusiveMinimum");
        (node.minimum, node.exclusive_minimum) = self.limit(keywords, minimum)?;
        let maximum = ("maximum", "exclusiveMaximum");
        (node.maximum, node.exclusive_maximum) = self.limit(keywords, maximum)?;
        Ok(())
    }

    /// A limit and its exclusive one: in draft 4 that says whether the other is, later it is one of
    /// its own.
    fn limit(
        &self,
        keywords: &Keywords<'a>,
        (name, exclusive_name): (&str, &str),
    ) -> Result<(Option<&'a Value>, Option<&'a Value>), Failure> {
        let limit = keywords.get(name);
        if limit.is_some_and(|limit| !matches!(limit, Value::Number(_))) {
            return Err(Failure::error(format!("{name} must be of a number")));
        }
        let (may_be_switch, may_be_number) = match self.draft {
            Draft::Four => (true, false),
            Draft::Hybrid => (true, true),
            Draft::Six | Draft::Seven => (false, true),
        };
        match keywords.get(exclusive_name) {
            None => Ok((limit, None)),
            Some(Value::Bool(is_exclusive)) if may_be_switch => match limit {
                None => Err(Failure::error(format!(
                    "{exclusive_name} cannot be used without {name}"
                ))),
                Some(_) if *is_exclusive => Ok((None, limit)),
                Some(_) => Ok((limit, None)),
            },
            Some(exclusive @ Value::Number(_)) if may_be_number => Ok((limit, Some(exclusive))),
            Some(_) => Err(invalid(
                match (may_be_switch, may_be_number) {
                    (true, true) => "boolean/number",
                    (true, false) => "boolean",
                    (false, _) => "number",
                },
                exclusive_name,
            )),
        }
    }

    pub(super) fn string(
        &self,
        node: &mut Node<'a>,
        keywords: &Keywords<'a>,
    ) -> Result<(), Failure> {
        node.min_length = keywords.count("minLength")?;
        node.max_length = keywords.count("maxLength")?;
        in_order(node.min_length, node.max_length, "minLength", "maxLength")?;
        if let Some(pattern) = keywords.shared_string("pattern")? {
            let matcher = self.pattern(pattern, || "pattern must be a valid regex".to_owned())?;
            node.pattern = Some((pattern, matcher));
        }
        node.format = keywords.string("format")?;
        Ok(())
    }

    pub(super) fn pattern(
        &self,
        pattern: &Arc<str>,
        wrong: impl FnOnce() -> String,
    ) -> Result<Rc<Matcher>, Failure> {
        match regex::compiled(pattern, self.world) {
            Err(Failure::Error(_)) => Err(Failure::error(wrong())),
            other => other,
        }
    }

    pub(super) fn enumeration(
        &self,
        keywords: &Keywords<'a>,
    ) -> Result<Option<&'a Array>, Failure> {
        let Some(values) = keywords.array("enum")? else {
            return Ok(None);
        };
        let mut seen = HashSet::new();
        for value in values.iter() {
            if !seen.insert(json::to_text(value, None, self.world)?) {
                return Err(Failure::error("enum items must be unique"));
            }
        }
        Ok(Some(values))
    }
}

pub(super) fn types(keywords: &Keywords<'_>) -> Result<Vec<&'static str>, Failure> {
    const KNOWN: [&str; 7] = [
        "array", "boolean", "integer", "number", "null", "object", "string",
    ];
    let wrong = || invalid("type", "string/array of strings");
    let mut types = Vec::new();
    let mut add = |name: &Value| {
        let Value::String(name) = name else {
            return Err(wrong());
        };
        let Some(known) = KNOWN.iter().find(|known| ***known == **name) else {
            return Err(Failure::error(format!(
                "has a primitive type that is NOT VALID -- given: /{name}/ Expected valid values \
                 are:[{}]",
                KNOWN.join(" ")
            )));
        };
        if types.contains(known) {
            return Err(Failure::error(format!("{name} type is duplicated")));
        }
        types.push(*known);
        Ok(())
    };
    match keywords.get("type") {
        None => {}
        Some(Value::Array(names)) => names.iter().try_for_each(add)?,
        Some(name) => add(name)?,
    }
    Ok(types)
}

pub(super) fn counts<'a>(node: &mut Node<'a>, keywords: &Keywords<'a>) -> Result<(), Failure> {
    node.min_properties = keywords.count("minProperties")?;
    node.max_properties = keywords.count("maxProperties")?;
    in_order(
        node.min_properties,
        node.max_properties,
        "minProperties",
        "maxProperties",
    )?;
    let mut seen = HashSet::new();
    for name in keywords
        .array("required")?
        .into_iter()
        .flat_map(Array::iter)
    {
        let Value::String(text) = name else {
            return Err(invalid("string", "required"));
        };
        if !seen.insert(text) {
            return Err(Failure::error("required items must be unique"));
        }
        node.required.push(name);
    }
    node.min_items = keywords.count("minItems")?;
    node.max_items = keywords.count("maxItems")?;
    node.unique_items = match keywords.get("uniqueItems") {
        None => false,
        Some(Value::Bool(unique)) => *unique,
        Some(_) => return Err(Failure::error("uniqueItems must be of a boolean")),
    };
    Ok(())
}

fn in_order(
    least: Option<u64>,
    most: Option<u64>,
    least_name: &str,
    most_name: &str,
) -> Result<(), Failure> {
    match (least, most) {
        (Some(least), Some(most)) if least > most => Err(Failure::error(format!(
            "{least_name} cannot be greater than {most_name}"
        ))),
        _ => Ok(()),
    }
}
