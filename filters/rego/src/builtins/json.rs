//! `json.*`: texts to values and back. What changes documents is in [`super::paths`] and
//! [`super::patch`].

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("json.is_valid", 1, is_valid),
    own("json.marshal", 1, marshal),
    own("json.marshal_with_options", 2, marshal_with_options),
    own("json.unmarshal", 1, unmarshal),
];

/// Past any document that is read here; what a policy nests deeper is not walked.
pub(super) const MAX_DEPTH: usize = 256;

fn unmarshal(arguments: &[Value], world: &World<'_>) -> Outcome {
    parse(operand::string(arguments, 0)?, world).map(Some)
}

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    let Ok(text) = operand::string(arguments, 0) else {
        return Ok(Some(Value::Bool(false)));
    };
    match parse(text, world) {
        Ok(_) => Ok(Some(Value::Bool(true))),
        Err(Failure::Error(_)) => Ok(Some(Value::Bool(false))),
        Err(other) => Err(other),
    }
}

/// A document of JSON, bounded in depth and in the digits of its numbers.
pub(super) fn parse(text: &str, world: &World<'_>) -> Result<Value, Failure> {
    world.charge(text.len().saturating_mul(4))?;
    if spells_number_token(text) {
        return Err(Failure::Unsupported("JSON with a key of serde_json's own"));
    }
    let json: serde_json::Value =
        serde_json::from_str(&whole_surrogates(text)).map_err(|error| {
            let message = error.to_string();
            if message.starts_with("recursion limit exceeded") {
                Failure::Unsupported("JSON that is nested so deep")
            } else {
                Failure::error(message)
            }
        })?;
    value::from_json(&json).map_err(|error| Failure::error(error.to_string()))
}

/// Whether a text may hold the key by which `serde_json` tells its own numbers of arbitrary
/// precision: it would read such an object as a number.
fn spells_number_token(text: &str) -> bool {
    const TOKEN: &str = "$serde_json::private::Number";
    if !text.contains("\\u") {
        return text.contains(TOKEN);
    }
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..4)
            .and_then(|code| u32::from_str_radix(code, 16).ok());
        match code.and_then(char::from_u32) {
            Some(character) => {
                plain.push(character);
                plain.push_str(part.get(4..).unwrap_or_default());
            }
            None => plain.push_str(part),
        }
    }
    plain.contains(TOKEN)
}

/// Go reads half a surrogate pair as U+FFFD, where `serde_json` refuses it.
fn whole_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, _)) = rest.split_once('\\') {
        let (before, escape) = rest.split_at_checked(before.len()).unwrap_or((rest, ""));
        whole.push_str(before);
        let is_pair = || unit(escape.get(6..).unwrap_or_default());
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) => match is_pair() {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            Some(0xdc00..=0xdfff) => 0,
            _ => escape.chars().take(2).map(char::len_utf8).sum(),
        };
        if length == 0 {
            whole.push_str("\\ufffd");
            rest = escape.get(6..).unwrap_or_default();
        } else {
            let (kept, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
            whole.push_str(kept);
            rest = after;
        }
    }
    whole.push_str(rest);
    Cow::Owned(whole)
}

fn marshal(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = to_text(operand::any(arguments, 0)?, None, world)?;
    Ok(Some(value::string(&text)))
}

fn marshal_with_options(arguments: &[Value], world: &World<'_>) -> Outcome {
    let document = operand::any(arguments, 0)?;
    let options = operand::object(arguments, 1)?;
    let (mut prefix, mut indent) = ("", "\t");
    let (mut pretty, mut is_implied) = (None, false);
    for (key, option) in options.iter_sorted() {
        let wrong = |what: &str| Failure::error(format!("operand 2 {what}"));
        let text = || match option {
            Value::String(text) => Ok(text.as_ref()),
            other => Err(wrong(&format!(
                "key {key} failed cast to string: must be string but got {}",
                operand::type_name(other)
            ))),
        };
        let Value::String(key) = key else {
            return Err(wrong("failed to stringify key"));
        };
        match key.as_ref() {
            "prefix" => {
                prefix = text()?;
                is_implied = true;
            }
            "indent" => {
                indent = text()?;
                is_implied = true;
            }
            "pretty" => match option {
                Value::Bool(option) => pretty = Some(*option),
                _ => return Err(wrong("key pretty failed cast to bool")),
            },
            _ => return Err(wrong(&format!("object contained unknown key {key}"))),
        }
    }
    let layout = Layout { prefix, indent };
    let text = if pretty.unwrap_or(is_implied) {
        let text = to_text(document, Some(layout), world)?;
        world.charge(text.len())?;
        format!("{prefix}{text}")
    } else {
        to_text(document, None, world)?
    };
    Ok(Some(value::string(&text)))
}

/// What each line begins with.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    prefix: &'a str,
    indent: &'a str,
}

/// As Go's `encoding/json` writes it: keys in the order of their bytes, and nothing that HTML would
/// take for markup.
pub(super) fn to_text(
    document: &Value,
    layout: Option<Layout<'_>>,
    world: &World<'_>,
) -> Result<String, Failure> {
    let mut writer = Writer {
        text: String::new(),
        layout,
        world,
    };
    writer.value(document, 0)?;
    Ok(writer.text)
}

struct Writer<'a> {
    text: String,
    layout: Option<Layout<'a>>,
    world: &'a World<'a>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::Exceeded);
        }
        self.world.charge_members(1)?;
        match value {
            Value::Null | Value::Undefined => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Number(_) => {
                let digits = value::to_json(value).to_string();
                self.world.charge(digits.len())?;
                self.text.push_str(&digits);
            }
            Value::String(text) => self.string(text)?,
            Value::Array(items) => self.items(items.iter(), depth)?,
            Value::Set(items) => self.items(items.iter_sorted(), depth)?,
            Value::Object(entries) => {
                self.world.charge_members(entries.len())?;
                let mut sorted = BTreeMap::new();
                for (key, value) in entries.iter_sorted() {
                    let key = match key {
                        Value::String(text) => Cow::Borrowed(text.as_ref()),
                        other => Cow::Owned(to_text(other, None, self.world)?),
                    };
                    sorted.insert(key, value);
                }
                self.entries(&sorted, depth)?;
            }
        }
        Ok(())
    }

    fn items<'v>(
        &mut self,
        items: impl Iterator<Item = &'v Value>,
        depth: usize,
    ) -> Result<(), Failure> {
        let inside = depth.saturating_add(1);
        let mut is_empty = true;
        self.text.push('[');
        for item in items {
            if !std::mem::replace(&mut is_empty, false) {
                self.text.push(',');
            }
            self.line(inside)?;
            self.value(item, inside)?;
        }
        if !is_empty {
            self.line(depth)?;
        }
        self.text.push(']');
        Ok(())
    }

    fn entries(
        &mut self,
        entries: &BTreeMap<Cow<'_, str>, &Value>,
        depth: usize,
    ) -> Result<(), Failure> {
        let inside = depth.saturating_add(1);
        self.text.push('{');
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.line(inside)?;
            self.string(key)?;
            self.text.push(':');
            if self.layout.is_some() {
                self.text.push(' ');
            }
            self.value(value, inside)?;
        }
        if !entries.is_empty() {
            self.line(depth)?;
        }
        self.text.push('}');
        Ok(())
    }

    fn line(&mut self, depth: usize) -> Result<(), Failure> {
        if let Some(Layout { prefix, indent }) = self.layout {
            let length = indent.len().saturating_mul(depth);
            self.world.charge(length.saturating_add(prefix.len()))?;
            self.text.push('\n');
            self.text.push_str(prefix);
            for _ in 0..depth {
                self.text.push_str(indent);
            }
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Failure> {
        // The longest escape is of six bytes.
        self.world.charge(text.len())?;
        let quoted = serde_json::Value::from(text).to_string();
        self.world.charge(quoted.len().saturating_sub(text.len()))?;
        for character in quoted.chars() {
            match character {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.world.charge(5)?;
                    let escape = format!("\\u{:04x}", u32::from(character));
                    self.text.push_str(&escape);
                }
                other => self.text.push(other),
            }
        }
        Ok(())
    }
}

/// How deep a value is nested. Every member is paid for, however often it is shared: what is copied
/// by sharing takes no memory, but it does take the time of whatever walks it later.
pub(super) fn depth(value: &Value, world: &World<'_>) -> Result<usize, Failure> {
    depth_within(value, MAX_DEPTH, world)
}

fn depth_within(value: &Value, left: usize, world: &World<'_>) -> Result<usize, Failure> {
    world.charge_members(1)?;
    let Some(left) = left.checked_sub(1) else {
        return Err(Failure::Exceeded);
    };
    let inner = |value: &Value| depth_within(value, left, world);
    let deepest = |deepest: usize, value: &Value| Ok(inner(value)?.max(deepest));
    let below = match value {
        Value::Array(items) => items.iter().try_fold(0, deepest)?,
        Value::Set(items) => items.iter().try_fold(0, deepest)?,
        Value::Object(entries) => entries.iter().try_fold(0, |so_far, (key, value)| {
            deepest(deepest(so_far, key)?, value)
        })?,
        _ => return Ok(0),
    };
    Ok(below.saturating_add(1))
}
