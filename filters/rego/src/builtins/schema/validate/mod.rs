//! A document against a schema, in the order of OPA's library (`validation.go` of gojsonschema):
//! the order of its errors is part of its answer.

mod containers;
mod scalars;

use super::{
    MAX_DEPTH,
    compile::{Dependency, Index, Node, Schema},
    report::{Place, Report},
};
use crate::{builtins::call::Failure, value::Value};

pub(super) fn document(
    schema: &Schema<'_>,
    document: &Value,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let validator = Validator { schema };
    validator.visit(schema.root(), document, &Place::root(), MAX_DEPTH, report)
}

struct Validator<'s, 'a> {
    schema: &'s Schema<'a>,
}

impl Validator<'_, '_> {
    fn visit(
        &self,
        index: Index,
        value: &Value,
        place: &Place<'_>,
        left: usize,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let left = left.checked_sub(1).ok_or(Failure::Exceeded)?;
        // About what it takes to look at each keyword.
        report.world().charge_members(16)?;
        let node = self.schema.node(index)?;
        match node.always {
            Some(true) => return Ok(()),
            Some(false) => return report.add(place, "false", "False always fails validation"),
            None => {}
        }
        if let Some(reference) = node.reference {
            return self.visit(reference, value, place, left, report);
        }
        let given = type_of(value);
        let fits = |known: &str| known == given || (known == "number" && given == "integer");
        if !node.types.is_empty() && !node.types.iter().any(|known| fits(known)) {
            let expected = match node.types.as_slice() {
                [one] => (*one).to_owned(),
                several => format!("[{}]", several.join(",")),
            };
            let what = format!("Invalid type. Expected: {expected}, given: {given}");
            return report.add(place, "invalid_type", what);
        }
        let here = Here {
            validator: self,
            node,
            value,
            place,
            left,
        };
        here.combined(report)?;
        match value {
            Value::Object(members) => {
                here.object(members, report)?;
                here.common(report)?;
                for (name, schema) in &node.properties {
                    if let (Some(member), Value::String(name)) = (members.get(name), name) {
                        self.visit(*schema, member, &place.member(name), left, report)?;
                    }
                }
            }
            Value::Array(items) => {
                here.array(items, report)?;
                here.common(report)?;
            }
            Value::Number(_) => {
                here.number(report)?;
                here.common(report)?;
            }
            Value::String(text) => {
                here.common(report)?;
                here.string(text, report)?;
            }
            _ => here.common(report)?,
        }
        report.step();
        Ok(())
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_integer() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Set(_) => "array",
        Value::Object(_) => "object",
        Value::Null | Value::Undefined => "null",
    }
}

/// One schema and the value it is held against.
struct Here<'v> {
    validator: &'v Validator<'v, 'v>,
    node: &'v Node<'v>,
    value: &'v Value,
    place: &'v Place<'v>,
    left: usize,
}

impl Here<'_> {
    /// Another value against another schema, with errors of its own.
    fn apart<'r>(
        &self,
        schema: Index,
        value: &Value,
        place: &Place<'_>,
        report: &Report<'r>,
    ) -> Result<Report<'r>, Failure> {
        let mut apart = report.fresh();
        self.validator
            .visit(schema, value, place, self.left, &mut apart)?;
        Ok(apart)
    }

    /// What other schemas say of the same value.
    fn combined(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        let holds = |schema: Index, report: &Report<'_>| {
            self.apart(schema, self.value, self.place, report)
                .map(|found| found.is_valid())
        };
        self.any_of(report)?;
        self.one_of(report)?;
        let mut all_hold = true;
        for schema in &self.node.all_of {
            let found = self.apart(*schema, self.value, self.place, report)?;
            all_hold = all_hold && found.is_valid();
            report.merge(found)?;
        }
        if !all_hold {
            let what = "Must validate all the schemas (allOf)";
            report.add(self.place, "number_all_of", what)?;
        }
        if let Some(not) = self.node.not
            && holds(not, report)?
        {
            let what = "Must not validate the schema (not)";
            report.add(self.place, "number_not", what)?;
        }
        self.dependencies(report)?;
        if let Some(condition) = self.node.condition {
            let (schema, kind, what) = if holds(condition, report)? {
                let what = "Must validate \"then\" as \"if\" was valid";
                (self.node.then, "condition_then", what)
            } else {
                let what = "Must validate \"else\" as \"if\" was not valid";
                (self.node.otherwise, "condition_else", what)
            };
            if let Some(schema) = schema {
                let found = self.apart(schema, self.value, self.place, report)?;
                if !found.is_valid() {
                    report.add(self.place, kind, what)?;
                    report.merge(found)?;
                }
            }
        }
        report.step();
        Ok(())
    }

    fn any_of(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        let mut nearest = None;
        for schema in &self.node.any_of {
            let found = self.apart(*schema, self.value, self.place, report)?;
            if found.is_valid() {
                return Ok(());
            }
            nearest = nearer(nearest, found);
        }
        if let Some(nearest) = nearest {
            let what = "Must validate at least one schema (anyOf)";
            report.add(self.place, "number_any_of", what)?;
            report.merge(nearest)?;
        }
        Ok(())
    }

    fn one_of(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        if self.node.one_of.is_empty() {
            return Ok(());
        }
        let (mut fitting, mut nearest) = (0_usize, None);
        for schema in &self.node.one_of {
            let found = self.apart(*schema, self.value, self.place, report)?;
            if found.is_valid() {
                fitting = fitting.saturating_add(1);
            } else if fitting == 0 {
                nearest = nearer(nearest, found);
            }
        }
        if fitting != 1 {
            let what = "Must validate one and only one schema (oneOf)";
            report.add(self.place, "number_one_of", what)?;
            if let (0, Some(nearest)) = (fitting, nearest) {
                report.merge(nearest)?;
            }
        }
        Ok(())
    }

    fn dependencies(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        let Value::Object(members) = self.value else {
            return Ok(());
        };
        for (name, dependency) in &self.node.dependencies {
            if members.get(name).is_none() {
                continue;
            }
            match dependency {
                Dependency::Schema(schema) => {
                    let (schema, left) = (*schema, self.left);
                    self.validator
                        .visit(schema, self.value, self.place, left, report)?;
                }
                Dependency::Names(names) => {
                    for name in names {
                        report.world().charge_members(1)?;
                        if let (None, Value::String(name)) = (members.get(name), name) {
                            let what = format!("Has a dependency on {name}");
                            report.add(self.place, "missing_dependency", what)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The first of those that came nearest.
fn nearer<'r>(nearest: Option<Report<'r>>, found: Report<'r>) -> Option<Report<'r>> {
    match nearest {
        Some(nearest) if nearest.score >= found.score => Some(nearest),
        _ => Some(found),
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
