//! `opa eval`: any query over the sources.

use regorus::QueryResults;

use crate::{
    error::QueryError,
    interpreter::{Ready, eval_error},
    load::prepare,
    policy::Moment,
    source::Sources,
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
    let engine = prepare(sources, &[]).map_err(QueryError::Load)?.engine;
    let mut ready = Ready::new(engine).map_err(QueryError::Eval)?;
    ready.set(input.unwrap_or(Value::Undefined), moment);
    ready
        .engine
        .eval_query(query.to_owned(), false)
        .map(Rows)
        .map_err(|error| QueryError::Eval(eval_error(&error)))
}

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
