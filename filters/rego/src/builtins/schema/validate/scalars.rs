//! The keywords of numbers and strings, and of any value.

use super::{Here, length};
use crate::{
    builtins::{
        call::Failure,
        compare, json,
        schema::{formats, numbers, report::Report},
    },
    value::Value,
};

/// Whether a number does not keep to a limit.
type IsPast = fn(&Value, &Value) -> bool;

impl Here<'_> {
    pub(super) fn common(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        let world = report.world();
        if let Some(constant) = self.node.constant {
            compare::charge_pair(self.value, constant, world)?;
            if self.value != constant {
                let allowed = json::to_text(constant, None, world)?;
                let what = format!("{} does not match: {allowed}", self.place.field());
                report.add(self.place, "const", what)?;
            }
        }
        if let Some(values) = self.node.enumeration {
            let mut is_one = false;
            for value in values.iter() {
                compare::charge_pair(self.value, value, world)?;
                is_one = is_one || value == self.value;
            }
            if !is_one {
                let texts: Result<Vec<String>, Failure> = values
                    .iter()
                    .map(|value| json::to_text(value, None, world))
                    .collect();
                let allowed = match texts? {
                    none if none.is_empty() => "(none)".to_owned(),
                    texts => texts.join(", "),
                };
                let field = self.place.field();
                let what = format!("{field} must be one of the following: {allowed}");
                report.add(self.place, "enum", what)?;
            }
        }
        if let (Some(format), Value::String(text)) = (self.node.format, self.value)
            && !formats::holds(format, text, world)?
        {
            let what = format!("Does not match format '{format}'");
            report.add(self.place, "format", what)?;
        }
        report.step();
        Ok(())
    }

    pub(super) fn string(&self, text: &str, report: &mut Report<'_>) -> Result<(), Failure> {
        report.world().charge(text.len() / 16)?;
        let count = length(text.chars().count());
        if let Some(min) = self.node.min_length.filter(|min| count < *min) {
            let what = format!("String length must be greater than or equal to {min}");
            report.add(self.place, "string_gte", what)?;
        }
        if let Some(max) = self.node.max_length.filter(|max| count > *max) {
            let what = format!("String length must be less than or equal to {max}");
            report.add(self.place, "string_lte", what)?;
        }
        if let Some((pattern, matcher)) = &self.node.pattern
            && !matcher.is_match(text, report.world())?
        {
            let what = format!("Does not match pattern '{pattern}'");
            report.add(self.place, "pattern", what)?;
        }
        report.step();
        Ok(())
    }

    pub(super) fn number(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        if let Some(of) = self.node.multiple_of
            && !numbers::is_multiple(self.value, of, report.world())?
        {
            let what = format!("Must be a multiple of {}", numbers::shown(of));
            report.add(self.place, "multiple_of", what)?;
        }
        let limits: [(_, IsPast, _, _); 4] = [
            (
                self.node.maximum,
                |a, b| a > b,
                "number_lte",
                "less than or equal to",
            ),
            (
                self.node.exclusive_maximum,
                |a, b| a >= b,
                "number_lt",
                "less than",
            ),
            (
                self.node.minimum,
                |a, b| a < b,
                "number_gte",
                "greater than or equal to",
            ),
            (
                self.node.exclusive_minimum,
                |a, b| a <= b,
                "number_gt",
                "greater than",
            ),
        ];
        for (limit, is_past, kind, words) in limits {
            if let Some(limit) = limit
                && is_past(self.value, limit)
            {
                let what = format!("Must be {words} {}", numbers::shown(limit));
                report.add(self.place, kind, what)?;
            }
        }
        report.step();
        Ok(())
    }
}
