//! Elasticsearch's ingest processors, as many as the pipeline has and no more: what it would make of an
//! event (Elasticsearch reference, "Ingest processor reference").

use regex::Regex;
use serde_json::{Map, Value, json};

/// # Errors
/// A processor or an option that is not known here, and what a processor would fail on.
pub fn run(pipeline: &Value, mut event: Value) -> Result<Value, String> {
    for processor in pipeline["processors"].as_array().ok_or("no processors")? {
        let (kind, options) = processor
            .as_object()
            .filter(|it| it.len() == 1)
            .and_then(|it| it.iter().next())
            .ok_or("a processor has one name")?;
        let options = Options::of(kind, options)?;
        if options.applies(&event)? {
            apply(kind, &options, &mut event).map_err(|why| format!("{processor}: {why}"))?;
        }
    }
    Ok(event)
}

struct Options<'o>(&'o Map<String, Value>);

impl<'o> Options<'o> {
    fn of(kind: &str, options: &'o Value) -> Result<Options<'o>, String> {
        let known: &[&str] = match kind {
            "date" => &["field", "formats", "target_field", "output_format"],
            "set" => &["field", "value", "copy_from", "ignore_empty_value", "if"],
            "rename" => &["field", "target_field", "ignore_missing"],
            "gsub" => &["field", "pattern", "replacement", "ignore_missing"],
            "convert" => &["field", "type", "ignore_missing", "on_failure"],
            "json" => &["field", "add_to_root", "if"],
            "remove" => &["field", "ignore_missing"],
            _ => return Err(format!("the processor `{kind}` is not known here")),
        };
        let options = options.as_object().ok_or("options are an object")?;
        match options.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("{kind}: the option `{key}` is not known here")),
            None => Ok(Options(options)),
        }
    }

    fn text(&self, name: &str) -> Result<&'o str, String> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or_else(|| format!("`{name}` is a text"))
    }

    fn is_set(&self, name: &str) -> bool {
        self.0.get(name) == Some(&json!(true))
    }

    /// Of Painless the two comparisons that the pipeline has.
    fn applies(&self, event: &Value) -> Result<bool, String> {
        let Some(condition) = self.0.get("if") else {
            return Ok(true);
        };
        let condition = condition.as_str().unwrap_or_default();
        let shape = Regex::new(r"^ctx\.([a-z_]+) (==|!=) (true|false|null)$").unwrap();
        let parts = shape
            .captures(condition)
            .ok_or_else(|| format!("`{condition}` is not known here"))?;
        let wanted: Value = serde_json::from_str(&parts[3]).unwrap();
        let is = event.get(&parts[1]).unwrap_or(&Value::Null) == &wanted;
        Ok(is == (&parts[2] == "=="))
    }
}

fn apply(kind: &str, options: &Options<'_>, event: &mut Value) -> Result<(), String> {
    if kind == "remove" {
        let fields = match &options.0["field"] {
            Value::Array(fields) => fields.iter().map(|it| it.as_str().unwrap()).collect(),
            field => vec![field.as_str().unwrap()],
        };
        for field in fields {
            if take(event, field).is_none() && !options.is_set("ignore_missing") {
                return Err(format!("there is no `{field}`"));
            }
        }
        return Ok(());
    }
    let field = options.text("field")?;
    if kind == "set" {
        let value = match options.0.get("value") {
            Some(value) => Some(value.clone()),
            None => get(event, options.text("copy_from")?).cloned(),
        };
        return match value {
            Some(value) => put(event, field, value),
            None if options.is_set("ignore_empty_value") => Ok(()),
            None => Err("there is nothing to copy".into()),
        };
    }
    let Some(value) = get(event, field).cloned() else {
        return match options.is_set("ignore_missing") {
            true => Ok(()),
            false => Err(format!("there is no `{field}`")),
        };
    };
    match kind {
        "rename" => {
            let target = options.text("target_field")?;
            if get(event, target).is_some() {
                return Err(format!("`{target}` is there already"));
            }
            take(event, field);
            put(event, target, value)
        }
        "date" => {
            assert_eq!(options.0["formats"], json!(["ISO8601"]));
            // Without it there would be milliseconds.
            assert_eq!(
                options.text("output_format")?,
                "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX"
            );
            let time = value.as_str().ok_or("a time is a text")?;
            let time = humantime::parse_rfc3339(time).map_err(|error| error.to_string())?;
            let time = humantime::format_rfc3339_nanos(time).to_string();
            put(event, options.text("target_field")?, json!(time))
        }
        "gsub" => {
            let text = value.as_str().ok_or("gsub takes a text")?;
            let pattern = Regex::new(options.text("pattern")?).map_err(|it| it.to_string())?;
            let replaced = pattern.replace_all(text, options.text("replacement")?);
            put(event, field, json!(replaced))
        }
        "convert" => {
            assert_eq!(options.text("type")?, "long");
            let text = value.as_str().ok_or("convert takes a text here")?;
            match (text.parse::<i64>(), options.0.get("on_failure")) {
                (Ok(number), _) => put(event, field, json!(number)),
                (Err(_), Some(handler)) => {
                    let handler = json!({"processors": handler});
                    *event = run(&handler, event.take())?;
                    Ok(())
                }
                (Err(_), None) => Err(format!("`{text}` is no long")),
            }
        }
        "json" => {
            assert!(options.is_set("add_to_root"));
            let text = value.as_str().ok_or("json takes a text")?;
            let parsed: Map<String, Value> =
                serde_json::from_str(text).map_err(|error| error.to_string())?;
            event.as_object_mut().unwrap().extend(parsed);
            Ok(())
        }
        _ => Err("is not known here".into()),
    }
}

pub fn get<'e>(event: &'e Value, path: &str) -> Option<&'e Value> {
    event.pointer(&format!("/{}", path.replace('.', "/")))
}

fn take(event: &mut Value, path: &str) -> Option<Value> {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = match parent {
        "" => Some(event),
        parent => event.pointer_mut(&format!("/{}", parent.replace('.', "/"))),
    };
    parent?.as_object_mut()?.remove(name)
}

/// Makes the objects on the way; what is there and is none is an error.
fn put(event: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut at = event;
    for name in path.split('.') {
        let object = at
            .as_object_mut()
            .ok_or_else(|| format!("`{path}` leads through what is no object"))?;
        at = object.entry(name).or_insert_with(|| json!({}));
    }
    *at = value;
    Ok(())
}
