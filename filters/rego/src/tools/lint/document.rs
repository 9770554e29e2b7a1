//! The JSON Schema of `input`: whether a path can be in such a document, and what is near it.

use serde_json::Value;

/// A path that cannot be.
pub(super) struct Missing {
    /// Which segment of it there is not.
    pub index: usize,
    /// What there is in its place.
    pub known: Vec<String>,
}

/// None where the path may be, or nobody can tell.
pub(super) fn missing(schema: &Value, path: &[Option<String>]) -> Option<Missing> {
    let mut here = schema;
    for (index, segment) in path.iter().enumerate() {
        let nothing = |known| Some(Missing { index, known });
        let properties = here.get("properties").and_then(Value::as_object);
        let others = here.get("additionalProperties");
        match (here.get("type").and_then(Value::as_str), segment) {
            (Some("object"), Some(name)) => {
                let own = properties.and_then(|properties| properties.get(name));
                here = match (own, others) {
                    (Some(own), _) => own,
                    (None, Some(Value::Bool(false))) => {
                        let known = properties.into_iter().flat_map(|it| it.keys().cloned());
                        return nothing(known.collect());
                    }
                    (None, others) => {
                        // Other names may be there, too; one that is almost a known one is a slip.
                        let known = properties.into_iter().flat_map(|it| it.keys().cloned());
                        let known: Vec<String> = known.collect();
                        if nearest(name, &known).is_some() {
                            return nothing(known);
                        }
                        others?
                    }
                };
            }
            (Some("object"), None) if properties.is_none() => here = others?,
            (Some("array"), Some(name)) if name.parse::<usize>().is_err() => {
                return nothing(Vec::new());
            }
            (Some("array"), _) => here = here.get("items")?,
            (Some("string" | "integer" | "boolean"), Some(_)) => return nothing(Vec::new()),
            _ => return None,
        }
    }
    None
}

/// Where in the document a field of about this name is.
pub(super) fn elsewhere(schema: &Value, name: &str) -> Option<String> {
    let mut found = Vec::new();
    collect(schema, "input", &mut found);
    let wanted = folded(name);
    found
        .into_iter()
        .filter(|path| {
            let last = path.rsplit('.').next().unwrap_or_default();
            folded(last) == wanted
        })
        .min_by_key(|path| path.matches('.').count())
}

fn collect(schema: &Value, path: &str, found: &mut Vec<String>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        let path = format!("{path}.{name}");
        collect(inner, &path, found);
        found.push(path);
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let same = known.iter().find(|other| folded(other) == folded(name));
    let distance = |other: &String| strsim::damerau_levenshtein(name, other);
    same.or_else(|| {
        let most = name.chars().count().div_ceil(3).min(3);
        let near = known.iter().filter(|other| distance(other) <= most);
        near.min_by_key(|other| distance(other))
    })
}

/// `rawBody` and `raw_body` are one name.
fn folded(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}
