//! Splunk's search-time fields, as many ways to make one as props.conf has and no more (Splunk's Admin Manual,
//! "props.conf"; Search Reference, "Evaluation functions").

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

pub type Fields = BTreeMap<String, String>;
pub type Stanzas = BTreeMap<String, BTreeMap<String, String>>;

/// A `.conf` file.
pub fn stanzas(text: &str) -> Stanzas {
    let mut stanzas = Stanzas::new();
    let mut name = String::new();
    for line in text
        .lines()
        .filter(|it| !it.is_empty() && !it.starts_with('#'))
    {
        if let Some(begun) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            name = begun.to_owned();
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap();
        let before = stanzas
            .entry(name.clone())
            .or_default()
            .insert(key.into(), value.into());
        assert_eq!(before, None, "{key} stands twice");
    }
    stanzas
}

/// The fields of one line.
///
/// # Errors
/// A setting or an expression that is not known here.
pub fn fields(props: &BTreeMap<String, String>, line: &str) -> Result<Fields, String> {
    let mut line = line.to_owned();
    let settings = |prefix: &str| {
        let all: Vec<(String, String)> = props
            .iter()
            .filter_map(|(key, value)| {
                Some((key.strip_prefix(prefix)?.to_owned(), value.to_owned()))
            })
            .collect();
        all
    };
    for (_, script) in settings("SEDCMD-") {
        let parts: Vec<&str> = script.split('/').collect();
        let ["s", pattern, replacement, ""] = parts.as_slice() else {
            return Err(format!("`{script}` is not known here"));
        };
        let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
        line = pattern.replace(&line, *replacement).into_owned();
    }
    let known = [
        ("SHOULD_LINEMERGE", "false"),
        ("LINE_BREAKER", r"([\r\n]+)"),
        ("TRUNCATE", "0"),
        ("KV_MODE", "json"),
        ("TIME_PREFIX", r#""timestamp":\s*""#),
        ("TIME_FORMAT", "%Y-%m-%dT%H:%M:%S.%9N%Z"),
        ("MAX_TIMESTAMP_LOOKAHEAD", "40"),
    ];
    for (key, value) in props {
        let is_known = known.contains(&(key.as_str(), value.as_str()))
            || ["SEDCMD-", "FIELDALIAS-", "EVAL-"]
                .iter()
                .any(|prefix| key.starts_with(prefix));
        if !is_known {
            return Err(format!("`{key} = {value}` is not known here"));
        }
    }
    let event: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
    let mut fields = Fields::new();
    flatten(&event, "", &mut fields);
    for (_, alias) in settings("FIELDALIAS-") {
        let (from, to) = alias.split_once(" AS ").ok_or("an alias has AS")?;
        if let Some(value) = fields.get(from).cloned() {
            fields.insert(to.to_owned(), value);
        }
    }
    // Each from what there was before them: calculated fields do not see one another.
    let mut calculated = Fields::new();
    for (field, expression) in settings("EVAL-") {
        let failed = |why| format!("EVAL-{field}: {why}");
        if let Some(value) = evaluate(&expression, &fields).map_err(failed)? {
            calculated.insert(field, value);
        }
    }
    fields.extend(calculated);
    Ok(fields)
}

/// KV_MODE = json; of lists nothing is needed here.
fn flatten(value: &Value, path: &str, fields: &mut Fields) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                flatten(value, &path, fields);
            }
        }
        Value::Array(_) | Value::Null => {}
        Value::String(text) => drop(fields.insert(path.to_owned(), text.clone())),
        other => drop(fields.insert(path.to_owned(), other.to_string())),
    }
}

/// `eval`: what it gives, or nothing where a field that it needs is missing.
fn evaluate(expression: &str, fields: &Fields) -> Result<Option<String>, String> {
    let token = Regex::new(r#""(?:[^"])*"|[0-9]+|[a-z_0-9]+|==|[().,/]"#).unwrap();
    let rest = token.replace_all(expression, "");
    if !rest.trim().is_empty() {
        return Err(format!("`{}` is not known here", rest.trim()));
    }
    let tokens = token.find_iter(expression).map(|it| it.as_str()).collect();
    let mut reader = Reader {
        tokens,
        at: 0,
        fields,
    };
    let value = reader.comparison()?;
    match reader.peek() {
        None => Ok(value),
        Some(more) => Err(format!("`{more}` is one too many")),
    }
}

struct Reader<'e> {
    tokens: Vec<&'e str>,
    at: usize,
    fields: &'e Fields,
}

impl<'e> Reader<'e> {
    fn peek(&self) -> Option<&'e str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'e str> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn comparison(&mut self) -> Result<Option<String>, String> {
        let left = self.operation()?;
        if self.peek() != Some("==") {
            return Ok(left);
        }
        self.next();
        let right = self.operation()?;
        Ok(left
            .zip(right)
            .map(|(left, right)| (left == right).to_string()))
    }

    /// `.` joins texts, `/` divides numbers.
    fn operation(&mut self) -> Result<Option<String>, String> {
        let mut left = self.value()?;
        while let Some(operator @ ("." | "/")) = self.peek() {
            self.next();
            let right = self.value()?;
            left = match (left.zip(right), operator) {
                (None, _) => None,
                (Some((left, right)), ".") => Some(left + &right),
                (Some((left, right)), _) => {
                    let number = |text: String| text.parse::<f64>().map_err(|it| it.to_string());
                    Some((number(left)? / number(right)?).to_string())
                }
            };
        }
        Ok(left)
    }

    fn value(&mut self) -> Result<Option<String>, String> {
        let token = self.next().ok_or("it ends too early")?;
        if let Some(text) = token.strip_prefix('"') {
            return Ok(Some(text.trim_end_matches('"').to_owned()));
        }
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Some(token.to_owned()));
        }
        if self.peek() != Some("(") {
            return Ok(self.fields.get(token).cloned());
        }
        let arguments = self.arguments()?;
        let is_true = |value: &Option<String>| value.as_deref() == Some("true");
        match (token, arguments.as_slice()) {
            ("true", []) => Ok(Some("true".into())),
            ("null", []) => Ok(None),
            ("if", [condition, then, otherwise]) => Ok(match is_true(condition) {
                true => then.clone(),
                false => otherwise.clone(),
            }),
            ("match", [text, Some(pattern)]) => {
                let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
                Ok(text.as_ref().map(|text| pattern.is_match(text).to_string()))
            }
            ("coalesce", all) => Ok(all.iter().flatten().next().cloned()),
            ("case", all) => Ok(all
                .chunks(2)
                .find(|pair| is_true(&pair[0]))
                .and_then(|pair| pair[1].clone())),
            ("replace", [text, Some(pattern), Some(with)]) => {
                let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
                let with = with.replace("\\1", "${1}");
                let replaced = |text: &String| pattern.replace_all(text, &*with).into_owned();
                Ok(text.as_ref().map(replaced))
            }
            _ => Err(format!("the function `{token}` is not known here")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Option<String>>, String> {
        self.next();
        let mut arguments = Vec::new();
        while self.peek() != Some(")") {
            arguments.push(self.comparison()?);
            if self.peek() == Some(",") {
                self.next();
            }
        }
        self.next();
        Ok(arguments)
    }
}
