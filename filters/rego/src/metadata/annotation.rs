//! One block of metadata, as OPA shows it.

use regorus::value::Object;

use crate::{
    builtins::{Meter, World, yaml},
    policy::Moment,
    value::{self, Value},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Rule,
    Document,
    Package,
    Subpackages,
}

impl Scope {
    pub fn name(self) -> &'static str {
        match self {
            Scope::Rule => "rule",
            Scope::Document => "document",
            Scope::Package => "package",
            Scope::Subpackages => "subpackages",
        }
    }

    fn named(name: &str) -> Option<Scope> {
        [
            Scope::Rule,
            Scope::Document,
            Scope::Package,
            Scope::Subpackages,
        ]
        .into_iter()
        .find(|scope| scope.name() == name)
    }
}

/// Past any block of comments, and short of what aliases could make of one.
const BUDGET: u32 = 100_000;

pub(super) struct Annotation {
    /// As it is written.
    pub scope: Option<Scope>,
    pub is_entrypoint: bool,
    /// All but the scope.
    entries: Vec<(&'static str, Value)>,
}

impl Annotation {
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Annotation, String> {
        if text.trim().is_empty() {
            return Err("the block is empty".to_owned());
        }
        // A policy's own text: it is read once, when it is loaded.
        let moment = Moment {
            now_ns: 0,
            instructions: BUDGET,
            strict_builtin_errors: true,
        };
        let world = World {
            moment,
            meter: &Meter::new(&moment),
        };
        let read = yaml::read(text, yaml::Words::TrueFalse, &world);
        let Value::Object(raw) = read.map_err(|failure| failure.to_string())? else {
            return Err("it is no map".to_owned());
        };
        let scope = match text_at(&raw, "scope")? {
            "" => None,
            name => {
                let scope = Scope::named(name);
                Some(scope.ok_or_else(|| format!("there is no scope `{name}`"))?)
            }
        };
        let is_entrypoint = match raw.get(&value::string("entrypoint")) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(is_entrypoint)) => *is_entrypoint,
            Some(_) => return Err("`entrypoint` is no boolean".to_owned()),
        };
        let mut entries = Vec::new();
        for name in ["title", "description"] {
            let text = text_at(&raw, name)?;
            if !text.is_empty() {
                entries.push((name, value::string(text)));
            }
        }
        if is_entrypoint {
            entries.push(("entrypoint", Value::Bool(true)));
        }
        let lists: [(&str, ReadItem); 4] = [
            ("organizations", organization),
            ("related_resources", resource),
            ("authors", author),
            ("schemas", schema),
        ];
        for (name, item) in lists {
            let items: Result<Vec<Value>, String> = list_at(&raw, name)?
                .iter()
                .map(|value| item(value).map_err(|what| format!("in `{name}`: {what}")))
                .collect();
            let items = items?;
            if !items.is_empty() {
                entries.push((name, Value::from(items)));
            }
        }
        match raw.get(&value::string("custom")) {
            None | Some(Value::Null) => {}
            Some(Value::Object(custom)) if custom.is_empty() => {}
            Some(custom @ Value::Object(_)) => entries.push(("custom", custom.clone())),
            Some(_) => return Err("`custom` is no map".to_owned()),
        }
        Ok(Annotation {
            scope,
            is_entrypoint,
            entries,
        })
    }

    pub fn value(self, scope: Scope) -> Value {
        let scope = ("scope", value::string(scope.name()));
        let entries = self.entries.into_iter().chain([scope]);
        value::object(entries.map(|(name, value)| (value::string(name), value)))
    }
}

type ReadItem = fn(&Value) -> Result<Value, String>;

fn text_at<'a>(raw: &'a Object, name: &str) -> Result<&'a str, String> {
    match raw.get(&value::string(name)) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("`{name}` is no string")),
    }
}

fn list_at<'a>(raw: &'a Object, name: &str) -> Result<&'a [Value], String> {
    match raw.get(&value::string(name)) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items.as_slice()),
        Some(_) => Err(format!("`{name}` is no list")),
    }
}

fn organization(item: &Value) -> Result<Value, String> {
    match item {
        Value::String(_) => Ok(item.clone()),
        _ => Err("it is no string".to_owned()),
    }
}

/// Of the texts that are not empty.
fn object_of(entries: [(&str, &str); 2]) -> Value {
    let entries = entries.into_iter().filter(|(_, text)| !text.is_empty());
    value::object(entries.map(|(name, text)| (value::string(name), value::string(text))))
}

fn resource(item: &Value) -> Result<Value, String> {
    match item {
        Value::String(text) if !text.is_empty() => Ok(object_of([("ref", text), ("", "")])),
        Value::Object(entries) => {
            let at = |name| text_at(entries, name).unwrap_or_default().trim();
            match at("ref") {
                "" => Err("a map has to have a `ref`".to_owned()),
                text => Ok(object_of([
                    ("ref", text),
                    ("description", at("description")),
                ])),
            }
        }
        _ => Err("it is neither a URL nor a map".to_owned()),
    }
}

/// `Name <email>`, or a map of the two.
fn author(item: &Value) -> Result<Value, String> {
    match item {
        Value::String(text) => {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            let email = words
                .last()
                .and_then(|word| word.strip_prefix('<')?.strip_suffix('>'));
            if email.is_some() {
                words.pop();
            }
            if words.is_empty() && email.is_none() {
                return Err("it is empty".to_owned());
            }
            let name = words.join(" ");
            Ok(object_of([
                ("name", &name),
                ("email", email.unwrap_or_default()),
            ]))
        }
        Value::Object(entries) => {
            let at = |name| text_at(entries, name).unwrap_or_default().trim();
            match (at("name"), at("email")) {
                ("", "") => Err("a map has to have a `name` or an `email`".to_owned()),
                (name, email) => Ok(object_of([("name", name), ("email", email)])),
            }
        }
        _ => Err("it is neither a string nor a map".to_owned()),
    }
}

/// A path, and the reference or the definition of a schema.
fn schema(item: &Value) -> Result<Value, String> {
    let Value::Object(entries) = item else {
        return Err("it is no map".to_owned());
    };
    let Some((Value::String(path), schema)) = entries.iter_sorted().next() else {
        return Err("it is empty".to_owned());
    };
    let path = reference(path).ok_or_else(|| format!("`{path}` is no reference"))?;
    let schema = match schema {
        Value::String(text) => {
            let is_schema = text.as_ref() == "schema" || text.starts_with("schema.");
            let named = reference(text).filter(|_| is_schema || text.starts_with("schema["));
            let named = named.ok_or_else(|| format!("`{text}` is no reference to a schema"))?;
            ("schema", named)
        }
        Value::Object(_) => ("definition", schema.clone()),
        _ => return Err("it names no schema".to_owned()),
    };
    let entries = [("path", path), schema];
    Ok(value::object(
        entries.map(|(name, value)| (value::string(name), value)),
    ))
}

/// The segments of `input.a["b"]`.
fn reference(text: &str) -> Option<Value> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        let is_name = |name: &str| {
            !name.starts_with(|first: char| first.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !is_name(name) || (name.is_empty() && (segments.is_empty() || !after.starts_with('['))) {
            return None;
        }
        if !name.is_empty() {
            segments.push(value::string(name));
        }
        rest = after;
        while let Some(quoted) = rest.strip_prefix("[\"") {
            let (name, after) = quoted.split_once("\"]")?;
            segments.push(value::string(name));
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) if !after.is_empty() => rest = after,
            None if rest.is_empty() => return Some(Value::from(segments)),
            _ => return None,
        }
    }
}
