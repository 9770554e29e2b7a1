//! OPA's own Rego cases, from `CONFORMANCE_DIR/rego`: on the evaluator that production would choose,
//! and on the interpreter, which must agree. Prints passed/total by topic, and every failure with
//! its reason, which stands in conformance/known.json.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test, outside of its test function"
)]

mod reached;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use portcullis_rego::{
    Entrypoint, EvalError, Module, Moment, Policy, RegoVersion, Sources, Value, value,
};
use serde_json::Value as Json;

#[test]
fn conformance() {
    let Some(folder) = std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from) else {
        say(
            "SKIPPED: rego: CONFORMANCE_DIR is not set. Its folder rego/ holds OPA's cases as JSON, a \
             file a topic: test/cases/testdata/v1 of open-policy-agent/opa",
        );
        return;
    };
    let mut known = Known::read();
    let mut files: Vec<_> = fs::read_dir(folder.join("rego"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut passed, mut total, mut on_machine) = (0, 0, 0);
    let (mut wrong, mut differing) = (Vec::new(), Vec::new());
    for file in files {
        let topic = file.file_stem().unwrap().to_string_lossy().into_owned();
        let suite: Json = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let cases = suite["cases"].as_array().unwrap();
        let mut good = 0;
        for case in cases {
            let note = case["note"].as_str().unwrap();
            let shown = format!("{topic}: {note}");
            let found = catch_unwind(AssertUnwindSafe(|| Case(case).run()))
                .unwrap_or_else(|_| Found::failed("panics".to_owned()));
            on_machine += usize::from(found.by_machine);
            if let Some(difference) = found.difference {
                differing.push(format!("{shown}: {difference}"));
            }
            match (found.failure, known.reason(&topic, note)) {
                (None, None) => good += 1,
                (None, Some(_)) => wrong.push(format!("{shown}: passes, and is listed as known")),
                (Some(_), Some(_)) => {}
                (Some(failure), None) => wrong.push(format!("{shown}: {failure}")),
            }
        }
        say(&format!("rego/{topic}: {good}/{}", cases.len()));
        passed += good;
        total += cases.len();
    }
    known.say();
    say(&format!(
        "rego: {passed}/{total}, {on_machine} of them on the virtual machine; the evaluators differ \
         in {}",
        differing.len()
    ));
    wrong.extend(known.unused());
    wrong.extend(differing.iter().map(|what| format!("DIFFERS {what}")));
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whatever becomes of the test: what a harness captures, nobody reads.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The cases that fail, by reason.
struct Known {
    /// `topic`, or `topic: part of a note`, to its reason.
    reasons: BTreeMap<String, String>,
    found: BTreeMap<String, Vec<String>>,
}

impl Known {
    fn read() -> Known {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/known.json");
        let json: BTreeMap<String, Vec<String>> =
            serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let reasons = json
            .into_iter()
            .flat_map(|(reason, cases)| cases.into_iter().map(move |case| (case, reason.clone())))
            .collect();
        Known {
            reasons,
            found: BTreeMap::new(),
        }
    }

    fn reason(&mut self, topic: &str, note: &str) -> Option<String> {
        let (key, reason) = self.reasons.iter().find(|(key, _)| {
            key.split_once(": ").map_or(key == &topic, |(its, part)| {
                its == topic && (note.ends_with(part) || note.contains(&format!("/{part}")))
            })
        })?;
        self.found
            .entry(key.clone())
            .or_default()
            .push(note.to_owned());
        Some(reason.clone())
    }

    fn say(&self) {
        let mut by_reason: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (key, shown) in &self.found {
            by_reason
                .entry(&self.reasons[key])
                .or_default()
                .extend(shown);
        }
        for (reason, shown) in by_reason {
            say(&format!("  {}: {reason}", shown.len()));
            for case in shown.iter().take(12) {
                say(&format!("    {case}"));
            }
            if shown.len() > 12 {
                say(&format!("    and {} more", shown.len() - 12));
            }
        }
    }

    fn unused(&self) -> Vec<String> {
        self.reasons
            .keys()
            .filter(|key| !self.found.contains_key(*key))
            .map(|key| format!("known.json lists {key}, which is no case"))
            .collect()
    }
}

#[derive(Default)]
struct Found {
    failure: Option<String>,
    /// Where both evaluators answer, and not the same.
    difference: Option<String>,
    by_machine: bool,
}

impl Found {
    fn failed(failure: String) -> Found {
        Found {
            failure: Some(failure),
            ..Found::default()
        }
    }
}

struct Case<'a>(&'a Json);

const MOMENT: Moment = Moment {
    // When the certificates of the cases are valid.
    now_ns: 1_760_000_000_000_000_000,
    instructions: 10_000_000,
    strict_builtin_errors: false,
};

/// The rule that asks a query which is no plain rule.
const ASKED: &str = "portcullis_conformance/asked";

impl Case<'_> {
    fn run(&self) -> Found {
        if self.0["query"] == "data = x" {
            return self.ask();
        }
        let (policy, entrypoint, rule) = match self.load() {
            Ok(loaded) => loaded,
            Err(error) => {
                // What is refused since it is not here is no error that OPA has.
                return match self.wants_error() && !error.contains("is not supported") {
                    true => Found::default(),
                    false => Found::failed(format!("does not load: {error}")),
                };
            }
        };
        let input = match self.input() {
            Ok(input) => input,
            Err(error) => return Found::failed(format!("input: {error}")),
        };
        let moment = Moment {
            strict_builtin_errors: self.0["strict_error"] == true,
            ..MOMENT
        };
        let by_machine = policy.is_on_machine(&entrypoint);
        let found = policy.evaluate(&entrypoint, input.clone(), &moment);
        let failure = self.compare(&found, &rule);
        // Strict or not, as production would ask.
        let lenient = Moment {
            strict_builtin_errors: false,
            ..moment
        };
        let reached = reached::within(policy.reach(), &input);
        let pair = [
            policy.evaluate(&entrypoint, reached, &lenient),
            policy.evaluate_by_interpreter(&entrypoint, input, &lenient),
        ];
        let differ = match &pair {
            [Ok(one), Ok(other)] => one != other,
            [Err(_), Err(_)] => false,
            _ => true,
        };
        Found {
            failure,
            difference: differ.then(|| {
                let [one, other] = &pair;
                format!("{one:?} against {other:?}")
            }),
            by_machine,
        }
    }

    /// A query of all of `data` is for no rule to ask: it would ask for itself.
    fn ask(&self) -> Found {
        let sources = match self.sources() {
            Ok((modules, data)) => Sources {
                modules,
                data,
                version: RegoVersion::V1,
            },
            Err(error) => return Found::failed(error),
        };
        let rows = match portcullis_rego::query(sources, None, "x = data", &MOMENT) {
            Ok(rows) => rows.to_json(),
            Err(error) => return Found::failed(error.to_string()),
        };
        let found = normal(&rows["result"][0]["bindings"]["x"], true);
        let want = normal(&self.0["want_result"][0]["x"], true);
        Found {
            failure: (found != want).then(|| format!("gives {found}, and should {want}")),
            ..Found::default()
        }
    }

    fn sources(&self) -> Result<(Vec<Module>, Value), String> {
        let texts = self.0["modules"].as_array().into_iter().flatten();
        let modules = texts
            .enumerate()
            .map(|(index, text)| Module::new(format!("test-{index}.rego"), text.as_str().unwrap()))
            .collect();
        let data = match &self.0["data"] {
            Json::Null => Value::new_object(),
            data => value::from_json(data).map_err(|error| error.to_string())?,
        };
        Ok((modules, data))
    }

    fn load(&self) -> Result<(Policy, Entrypoint, Rule), String> {
        let (mut modules, data) = self.sources()?;
        let query = self.0["query"].as_str().unwrap();
        let sources = |modules: &[Module]| Sources {
            modules: modules.to_vec(),
            data: data.clone(),
            version: RegoVersion::V1,
        };
        if let Some((path, variable)) = query.split_once(" = ")
            && variable != "input"
            && variable.chars().all(|c| c.is_ascii_alphanumeric())
            && let Ok(entrypoint) = Entrypoint::parse(path)
            && let Ok(policy) = Policy::load(sources(&modules), std::slice::from_ref(&entrypoint))
        {
            return Ok((policy, entrypoint, Rule::Value(variable.to_owned())));
        }
        let bindings: BTreeSet<String> = self.0["want_result"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|row| row.as_object().unwrap().keys().cloned())
            .chain((query.ends_with(" = x")).then(|| "x".to_owned()))
            .collect();
        let bindings: Vec<String> = bindings
            .iter()
            .map(|name| format!("\"{name}\": {name}"))
            .collect();
        modules.push(Module::new(
            "query.rego",
            format!(
                "package portcullis_conformance\n\nasked contains {{{}}} if {{\n{query}\n}}\n",
                bindings.join(", ")
            ),
        ));
        let entrypoint = Entrypoint::parse(ASKED).unwrap();
        let policy = Policy::load(sources(&modules), std::slice::from_ref(&entrypoint))
            .map_err(|error| error.to_string())?;
        Ok((policy, entrypoint, Rule::Rows))
    }

    fn input(&self) -> Result<Value, String> {
        if let Some(term) = self.0["input_term"].as_str() {
            let sources = Sources {
                modules: vec![Module::new(
                    "input.rego",
                    format!("package input_term\n\nvalue := {term}\n"),
                )],
                ..Sources::default()
            };
            let entrypoint = Entrypoint::parse("input_term/value").unwrap();
            let policy = Policy::load(sources, std::slice::from_ref(&entrypoint))
                .map_err(|error| error.to_string())?;
            return policy
                .evaluate_by_interpreter(&entrypoint, Value::Undefined, &MOMENT)
                .map(|value| value.unwrap_or(Value::Undefined))
                .map_err(|error| error.to_string());
        }
        match self.0.get("input") {
            None => Ok(Value::Undefined),
            Some(input) => value::from_json(input).map_err(|error| error.to_string()),
        }
    }

    fn wants_error(&self) -> bool {
        self.0.get("want_error").is_some() || self.0.get("want_error_code").is_some()
    }

    /// What is wrong with an answer.
    fn compare(&self, found: &Result<Option<Value>, EvalError>, rule: &Rule) -> Option<String> {
        let found = match found {
            Err(EvalError::Failed(_)) if self.wants_error() => return None,
            Err(error) => return Some(format!("errs: {error}")),
            Ok(found) => found,
        };
        if self.wants_error() {
            return Some(format!(
                "gives {}, and should err: {}",
                shown(found),
                self.0["want_error"]
            ));
        }
        let sort = self.0["sort_bindings"] == true;
        let mut rows = match (rule, found) {
            (Rule::Value(variable), Some(value)) => {
                vec![serde_json::json!({ variable: value::to_json(value) })]
            }
            (Rule::Value(_), None) => Vec::new(),
            (Rule::Rows, Some(value)) => value::to_json(value).as_array().unwrap().clone(),
            (Rule::Rows, None) => Vec::new(),
        };
        let mut want = self.0["want_result"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for rows in [&mut rows, &mut want] {
            for row in rows.iter_mut() {
                *row = normal(row, sort);
            }
            rows.sort_by_key(Json::to_string);
            rows.dedup();
        }
        (rows != want).then(|| {
            format!(
                "gives {}, and should {}",
                Json::from(rows),
                Json::from(want)
            )
        })
    }
}

/// How the query became a rule.
enum Rule {
    /// The query is `rule = variable`.
    Value(String),
    /// A set of the bindings.
    Rows,
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or("undefined".to_owned(), |value| {
        value::to_json(value).to_string()
    })
}

/// Numbers as numbers, whatever their digits; arrays sorted where their order is not said.
fn normal(json: &Json, sort: bool) -> Json {
    match json {
        Json::Number(number) => {
            let text = number.as_str();
            match (text.parse::<i128>(), text.parse::<f64>()) {
                (Ok(integer), _) => Json::Number(integer.to_string().parse().unwrap()),
                (_, Ok(float)) if float.fract() == 0.0 && float.abs() < 1e15 => {
                    Json::Number(format!("{float:.0}").parse().unwrap())
                }
                (_, Ok(float)) => Json::Number(float.to_string().parse().unwrap()),
                _ => json.clone(),
            }
        }
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(|item| normal(item, sort)).collect();
            if sort {
                items.sort_by_key(Json::to_string);
            }
            Json::Array(items)
        }
        Json::Object(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), normal(value, sort)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
