//! Runs tests/cases/*.json: each case is a policy, an input and what must come of it, asked of both
//! evaluators. Adding a case is adding an entry.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test, outside of its test function"
)]

mod reached;

use std::{collections::BTreeMap, fs, path::Path};

use portcullis_rego::{
    Choice, Entrypoint, EvalError, Module, Moment, Policy, Reach, RegoVersion, Sources, Value,
    value,
};
use serde_json::Value as Json;

/// A case as it is written.
struct Case {
    name: String,
    /// Path to text; a text may be a list of lines.
    modules: BTreeMap<String, String>,
    data: Json,
    input: Json,
    version: RegoVersion,
    /// Of the modules with a version of their own, by path.
    versions: BTreeMap<String, RegoVersion>,
    entrypoint: String,
    moment: Moment,
    want: Want,
    /// Which evaluator the entrypoint must get.
    evaluator: Option<String>,
    /// What no error may show.
    secret: Option<String>,
    /// What of the input the policy looks at: `true` is all there is at a place.
    reach: Option<Json>,
}

enum Want {
    Value(Json),
    Undefined,
    Budget,
    /// A part of the message.
    Failed(String),
    /// One for each error: how it is shown begins with it.
    LoadErrors(Vec<String>),
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut count, mut failures) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let cases: Vec<Json> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let file = file.file_stem().unwrap().to_string_lossy().into_owned();
        for case in cases {
            let case = Case::read(&case);
            count += 1;
            if let Err(failure) = case.run() {
                failures.push(format!("{file}: {}: {failure}", case.name));
            }
        }
    }
    assert!(count > 0);
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

impl Case {
    fn read(json: &Json) -> Case {
        let entries = json.as_object().expect("a case is an object");
        const KEYS: &[&str] = &[
            "name",
            "modules",
            "data",
            "input",
            "version",
            "entrypoint",
            "budget",
            "now_ns",
            "strict_builtin_errors",
            "want",
            "undefined",
            "error",
            "load_errors",
            "evaluator",
            "reach",
            "secret",
            "versions",
        ];
        for key in entries.keys() {
            assert!(KEYS.contains(&key.as_str()), "a case has no key `{key}`");
        }
        let name = json["name"].as_str().expect("a case has a name").to_owned();
        let wants = [
            entries.get("want").cloned().map(Want::Value),
            json["undefined"].as_bool().map(|_| Want::Undefined),
            json["error"]
                .as_str()
                .map(|error| match error.split_once(": ") {
                    None if error == "budget" => Want::Budget,
                    Some(("failed", part)) => Want::Failed(part.to_owned()),
                    _ => panic!("{name}: no such error: {error}"),
                }),
            json["load_errors"]
                .as_array()
                .map(|errors| Want::LoadErrors(errors.iter().map(text).collect())),
        ];
        let mut wants = wants.into_iter().flatten();
        let want = wants
            .next()
            .unwrap_or_else(|| panic!("{name}: wants nothing"));
        assert!(wants.next().is_none(), "{name}: wants two things");
        Case {
            modules: json["modules"]
                .as_object()
                .unwrap_or_else(|| panic!("{name}: has no modules"))
                .iter()
                .map(|(path, module)| (path.clone(), text(module)))
                .collect(),
            data: entries
                .get("data")
                .cloned()
                .unwrap_or_else(|| serde_json::json!({})),
            input: json["input"].clone(),
            version: version(&json["version"]),
            versions: json["versions"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(path, json)| (path.clone(), version(json)))
                .collect(),
            entrypoint: json["entrypoint"].as_str().unwrap_or("p/allow").to_owned(),
            moment: Moment {
                now_ns: json["now_ns"].as_u64().unwrap_or(1_700_000_000_000_000_000),
                instructions: json["budget"]
                    .as_u64()
                    .unwrap_or(200_000)
                    .try_into()
                    .unwrap(),
                strict_builtin_errors: json["strict_builtin_errors"] == true,
            },
            want,
            evaluator: json["evaluator"].as_str().map(str::to_owned),
            secret: json["secret"].as_str().map(str::to_owned),
            reach: json.get("reach").cloned(),
            name,
        }
    }

    fn run(&self) -> Result<(), String> {
        let sources = Sources {
            modules: self
                .modules
                .iter()
                .map(|(path, text)| Module {
                    version: self.versions.get(path).copied(),
                    ..Module::new(path, text)
                })
                .collect(),
            data: value::from_json(&self.data).map_err(|error| error.to_string())?,
            version: self.version,
        };
        let entrypoint = Entrypoint::parse(&self.entrypoint).map_err(|error| error.to_string())?;
        let policy = match (
            Policy::load(sources, std::slice::from_ref(&entrypoint)),
            &self.want,
        ) {
            (Ok(policy), Want::LoadErrors(_)) => {
                return Err(format!("loads, on {:?}", policy.evaluator(&entrypoint)));
            }
            (Ok(policy), _) => policy,
            (Err(errors), Want::LoadErrors(want)) => {
                let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let agree = found.len() == want.len()
                    && found
                        .iter()
                        .zip(want)
                        .all(|(found, want)| found.starts_with(want.as_str()));
                return agree
                    .then_some(())
                    .ok_or_else(|| format!("load errors {found:#?}"));
            }
            (Err(errors), _) => return Err(format!("does not load: {errors}")),
        };
        let choice = policy.evaluator(&entrypoint).unwrap();
        let chosen = match choice {
            Choice::Rvm => "rvm",
            Choice::Interpreter { .. } => "interpreter",
        };
        if self
            .evaluator
            .as_ref()
            .is_some_and(|wanted| wanted != chosen)
        {
            return Err(format!("evaluator {choice:?}"));
        }
        let reach = shown(policy.reach());
        if self.reach.as_ref().is_some_and(|wanted| *wanted != reach) {
            return Err(format!("looks at {reach}"));
        }
        let input = value::from_json(&self.input).map_err(|error| error.to_string())?;
        let reached = reached::within(policy.reach(), &input);
        // Twice, since evaluators are reused.
        for input in [input, reached] {
            let found = policy.evaluate(&entrypoint, input.clone(), &self.moment);
            self.check(chosen, found)?;
            let found = policy.evaluate_by_interpreter(&entrypoint, input.clone(), &self.moment);
            self.check("interpreter", found)?;
        }
        Ok(())
    }

    fn check(&self, by: &str, found: Result<Option<Value>, EvalError>) -> Result<(), String> {
        if let (Err(error), Some(secret)) = (&found, &self.secret)
            && error.to_string().contains(secret.as_str())
        {
            return Err(format!("{by} tells the secret: {error}"));
        }
        let agree = match (&found, &self.want) {
            (Ok(Some(found)), Want::Value(want)) => value::to_json(found) == *want,
            (Ok(None), Want::Undefined) | (Err(EvalError::Budget), Want::Budget) => true,
            (Err(EvalError::Failed(found)), Want::Failed(want)) => found.contains(want.as_str()),
            _ => false,
        };
        agree
            .then_some(())
            .ok_or_else(|| format!("{by} gives {found:?}"))
    }
}

fn shown(reach: &Reach) -> Json {
    match reach {
        Reach::Whole => true.into(),
        Reach::Members(members) => members
            .iter()
            .map(|(name, reach)| (name.clone(), shown(reach)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn version(json: &Json) -> RegoVersion {
    match json.as_u64() {
        Some(0) => RegoVersion::V0,
        _ => RegoVersion::V1,
    }
}

/// A text, or its lines.
fn text(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(lines) => lines
            .iter()
            .map(|line| line.as_str().expect("a line is a text"))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => panic!("a text is a string or a list of lines"),
    }
}
