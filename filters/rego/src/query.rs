//! `opa eval`: any query over the sources.

use regorus::{Engine, QueryResults};

use crate::{
    check::Rules,
    error::{self, LoadError, QueryError},
    interpreter::{Ready, eval_error},
    load::prepare,
    policy::Moment,
    source::{RegoVersion, Sources},
    value::{self, Value},
};

/// What a query found; none where it is undefined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows(QueryResults);

/// Asks any query, such as `data.a.b` or `x := data.a; x > 1`.
///
/// # Errors
/// Where the sources or the query are not Rego, or the evaluation goes wrong.
pub fn query(
    sources: Sources,
    input: Option<Value>,
    query: &str,
    moment: &Moment,
) -> Result<Rows, QueryError> {
    let version = sources.version;
    let engine = prepare(sources, &[]).map_err(QueryError::Load)?.engine;
    check(&engine, query, version)?;
    let mut ready = Ready::new(engine).map_err(QueryError::Eval)?;
    ready.set(input.unwrap_or(Value::Undefined), moment);
    ready
        .engine
        .eval_query(query.to_owned(), false)
        .map(Rows)
        .map_err(|failed| QueryError::Eval(eval_error(&failed, error::one_line)))
}

/// The query as a rule's body: what it calls is checked as everything else is.
fn check(engine: &Engine, query: &str, version: RegoVersion) -> Result<(), QueryError> {
    let head = match version {
        RegoVersion::V0 => "package query\nresult {\n",
        RegoVersion::V1 => "package query\nresult if {\n",
    };
    let refused = |mut error: LoadError| {
        let above = u32::try_from(head.lines().count()).unwrap_or_default();
        error.line = error.line.map(|line| line.saturating_sub(above).max(1));
        QueryError::Query(error)
    };
    let mut engine = engine.clone();
    engine
        .add_policy(FILE.to_owned(), format!("{head}{query}\n}}"))
        .map_err(|error| refused(error::from_regorus(FILE, &error.to_string())))?;
    let errors = Rules::inspected(engine.get_modules()).errors;
    match errors.into_iter().find(|error| error.file == FILE) {
        Some(error) => Err(refused(error)),
        None => Ok(()),
    }
}

/// As errors name the query.
const FILE: &str = "query";

impl Rows {
    pub fn is_empty(&self) -> bool {
        self.0.result.is_empty()
    }

    /// As `opa eval --format json` prints them: `{}` where the query is undefined.
    pub fn to_json(&self) -> serde_json::Value {
        let rows: Vec<serde_json::Value> = self
            .0
            .result
            .iter()
            .map(|row| {
                let expressions: Vec<serde_json::Value> = row
                    .expressions
                    .iter()
                    .map(|expression| {
                        serde_json::json!({
                            "value": value::to_json(&expression.value),
                            "text": expression.text.as_ref(),
                            "location": {
                                "row": expression.location.row,
                                "col": expression.location.col,
                            },
                        })
                    })
                    .collect();
                let mut json = serde_json::json!({ "expressions": expressions });
                if let (Value::Object(bindings), Some(json)) = (&row.bindings, json.as_object_mut())
                    && !bindings.is_empty()
                {
                    json.insert("bindings".to_owned(), value::to_json(&row.bindings));
                }
                json
            })
            .collect();
        if rows.is_empty() {
            serde_json::json!({})
        } else {
            serde_json::json!({ "result": rows })
        }
    }
}
