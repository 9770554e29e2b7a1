//! `opa eval`: any query over the sources.

use regorus::{
    Expression, Location, QueryResults,
    unstable::{Literal, Rule},
};

use crate::{
    error::{self, LoadError, LoadErrors, QueryError},
    interpreter::{Ready, eval_error},
    load::prepare,
    parse::parse,
    patterns,
    policy::Moment,
    source::{Module, RegoVersion, Sources},
    steps, template,
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
    if query.contains(OURS) {
        let error = LoadError::new("query", "names that begin with `__portcullis` are ours");
        return Err(QueryError::Query(error));
    }
    let version = sources.version;
    let module = Module::new(FILE, format!("{}{query}{CLOSE}", open(version)));
    let mut rewritten = Some(module.clone());
    let engine = prepare(sources, &[], &mut rewritten)
        .map_err(of_query)?
        .engine;
    let rewritten = rewritten.unwrap_or(module.clone());
    let body = rewritten.text.strip_prefix(open(version));
    let body = body.and_then(|body| body.strip_suffix(CLOSE));
    let body = body.unwrap_or(query).to_owned();
    let mut ready = Ready::new(engine).map_err(QueryError::Eval)?;
    ready.set(input.unwrap_or(Value::Undefined), moment);
    let mut results = ready
        .engine
        .eval_query(body, false)
        .map_err(|failed| QueryError::Eval(eval_error(&failed, error::one_line)))?;
    let written =
        template::module(module).map_or_else(|_| Vec::new(), |it| statements(it, version));
    let evaluated = statements(rewritten, version)
        .into_iter()
        .filter(|statement| !patterns::is_added(&statement.text))
        .collect();
    as_written(&mut results, written, evaluated);
    Ok(Rows(results))
}

const OURS: &str = "__portcullis";

/// The module of a query. Its names are none that a query may have.
const FILE: &str = "__portcullis_query";
const CLOSE: &str = "\n}\n";

/// What stands before the query in its module: so many lines.
const ABOVE: u32 = 2;

fn open(version: RegoVersion) -> &'static str {
    match version {
        RegoVersion::V0 => "package __portcullis_query\n__portcullis_asked {\n",
        RegoVersion::V1 => "package __portcullis_query\n__portcullis_asked if {\n",
    }
}

/// What is wrong with the query, or else with the sources.
fn of_query(errors: LoadErrors) -> QueryError {
    let own = errors.iter().find(|error| error.file == FILE).cloned();
    match own {
        Some(mut error) => {
            error.file = "query".to_owned();
            error.line = error.line.map(|line| line.saturating_sub(ABOVE).max(1));
            QueryError::Query(error)
        }
        None => QueryError::Load(errors),
    }
}

/// A statement that has a value, and where in the query it stands.
struct Statement {
    text: String,
    row: u32,
    column: u32,
}

fn statements(module: Module, version: RegoVersion) -> Vec<Statement> {
    let Ok(mut engine) = steps::finish(parse(&[module], version)) else {
        return Vec::new();
    };
    let rules = engine.get_modules().iter().flat_map(|tree| &tree.policy);
    let bodies = rules.flat_map(|rule| match rule.as_ref() {
        Rule::Spec { bodies, .. } => bodies.as_slice(),
        Rule::Default { .. } => &[],
    });
    let literals = bodies.flat_map(|body| body.query.stmts.iter().map(|it| &it.literal));
    literals
        .filter_map(|literal| match literal {
            Literal::Expr { span, .. }
            | Literal::NotExpr { span, .. }
            | Literal::Every { span, .. }
            | Literal::SomeIn { span, .. } => Some(span),
            Literal::SomeVars { .. } => None,
        })
        .map(|span| Statement {
            text: span.text().to_owned(),
            row: span.line.saturating_sub(ABOVE),
            column: span.col,
        })
        .collect()
}

/// Each expression as the query has it; one that it has not is left out.
fn as_written(results: &mut QueryResults, written: Vec<Statement>, evaluated: Vec<Statement>) {
    if written.len() != evaluated.len() {
        return;
    }
    for row in &mut results.result {
        let expressions = std::mem::take(&mut row.expressions);
        for (was, is) in written.iter().zip(&evaluated) {
            let own = expressions.iter().find(|expression| {
                (expression.location.row, expression.location.col) == (is.row, is.column)
            });
            if let Some(expression) = own {
                row.expressions.push(Expression {
                    value: expression.value.clone(),
                    text: was.text.as_str().into(),
                    location: Location {
                        row: was.row,
                        col: was.column,
                    },
                });
            }
        }
    }
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
                let mut bindings = value::to_json(&row.bindings);
                if let (Some(bindings), Some(json)) =
                    (bindings.as_object_mut(), json.as_object_mut())
                {
                    bindings.retain(|name, _| !name.starts_with(OURS));
                    if !bindings.is_empty() {
                        json.insert("bindings".to_owned(), bindings.clone().into());
                    }
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
