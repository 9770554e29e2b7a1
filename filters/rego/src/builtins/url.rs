//! `urlquery.*`: queries as Go's package `net/url` writes and reads them.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("urlquery.decode", 1, decode),
    own("urlquery.decode_object", 1, decode_object),
    own("urlquery.encode", 1, encode),
    own("urlquery.encode_object", 1, encode_object),
];

fn encode(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut encoded = String::new();
    escape(operand::string(arguments, 0)?, &mut encoded, world)?;
    Ok(Some(value::string(&encoded)))
}

fn decode(arguments: &[Value], world: &World<'_>) -> Outcome {
    let decoded = unescape(operand::string(arguments, 0)?, world)?;
    Ok(Some(value::string(&decoded)))
}

fn encode_object(arguments: &[Value], world: &World<'_>) -> Outcome {
    let wrong = || Failure::error("operand 1 values must be string, array[string], or set[string]");
    // Sorted by the keys' texts, which the entries are not.
    let mut entries: BTreeMap<Cow<'_, str>, Vec<&str>> = BTreeMap::new();
    for (key, values) in operand::object(arguments, 0)?.iter_sorted() {
        world.charge_members(1)?;
        let key = match key {
            Value::String(key) => Cow::from(&**key),
            other => Cow::from(value::to_json(other).to_string()),
        };
        let values = match values {
            Value::String(text) => vec![&**text],
            Value::Array(items) => {
                world.charge_members(items.len())?;
                items.iter().map(text).collect::<Result<_, _>>()?
            }
            Value::Set(items) => {
                world.charge_members(items.len())?;
                items.iter_sorted().map(text).collect::<Result<_, _>>()?
            }
            _ => return Err(wrong()),
        };
        entries.insert(key, values);
    }
    let mut query = String::new();
    for (key, values) in &entries {
        for value in values {
            if !query.is_empty() {
                query.push('&');
            }
            escape(key, &mut query, world)?;
            query.push('=');
            escape(value, &mut query, world)?;
        }
    }
    Ok(Some(value::string(&query)))
}

fn text(item: &Value) -> Result<&str, Failure> {
    match item {
        Value::String(text) => Ok(text),
        _ => Err(wrong()),
    }
}

fn wrong() -> Failure {
    Failure::error("operand 1 values must be string, array[string], or set[string]")
}

fn decode_object(arguments: &[Value], world: &World<'_>) -> Outcome {
    let query = operand::string(arguments, 0)?;
    let mut entries: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    if query.contains(';') {
        return Err(Failure::error("invalid semicolon separator in query"));
    }
    for setting in query.split('&') {
        world.charge_members(2)?;
        if setting.is_empty() {
            continue;
        }
        let (key, text) = setting.split_once('=').unwrap_or((setting, ""));
        let (key, text) = (unescape(key, world)?, unescape(text, world)?);
        entries.entry(key).or_default().push(value::string(&text));
    }
    let entries = entries.into_iter();
    let entries = entries.map(|(key, values)| (value::string(&key), Value::from(values)));
    Ok(Some(value::object(entries)))
}

fn escape(text: &str, encoded: &mut String, world: &World<'_>) -> Result<(), Failure> {
    world.charge(text.len().saturating_mul(3))?;
    let digit = |value: u8| {
        let digit = char::from_digit(u32::from(value), 16).unwrap_or_default();
        digit.to_ascii_uppercase()
    };
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.extend(['%', digit(byte >> 4), digit(byte & 0xf)]),
        }
    }
    Ok(())
}

fn unescape(text: &str, world: &World<'_>) -> Result<String, Failure> {
    world.charge(text.len())?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('%') {
        push_plain(plain, &mut bytes);
        let mut characters = escaped.chars();
        let mut digit = || characters.next().and_then(|digit| digit.to_digit(16));
        let (high, low) = (digit(), digit());
        let byte = high.zip(low).and_then(|(high, low)| {
            let byte = high.checked_mul(16)?.checked_add(low)?;
            u8::try_from(byte).ok()
        });
        let Some(byte) = byte else {
            // Go shows three bytes of it.
            let mut shown = String::from("%");
            for character in escaped.chars() {
                if shown.len().saturating_add(character.len_utf8()) > 3 {
                    break;
                }
                shown.push(character);
            }
            return Err(Failure::error(format!("invalid URL escape {shown:?}")));
        };
        bytes.push(byte);
        rest = characters.as_str();
    }
    push_plain(rest, &mut bytes);
    // OPA would go on with a string of these bytes.
    String::from_utf8(bytes)
        .map_err(|_| Failure::Unsupported("a query of bytes that are not UTF-8"))
}

fn push_plain(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend(text.bytes().map(|byte| match byte {
        b'+' => b' ',
        other => other,
    }));
}
