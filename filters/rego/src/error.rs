//! What can be wrong: with a policy at load, with an evaluation, with a query.

use std::fmt;

/// One thing wrong with a policy. Shown as `authz.rego:3:7: unknown function `foo``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The module's path, or `data` for the base data, or empty for the policy as a whole.
    pub file: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// Everything wrong with a policy, in the order of its modules; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadErrors(Vec<LoadError>);

/// Why there is no answer. Each of these must end in a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalError {
    /// The instruction budget was used up.
    Budget,
    /// The evaluation went wrong: a conflict, say. For logs, with `file:line` where it is known, and
    /// without values of the request, unless builtins' errors were asked for.
    Failed(String),
    /// The policy was not loaded with this entrypoint.
    UnknownEntrypoint(String),
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The sources do not load.
    Load(LoadErrors),
    /// The query itself is not Rego, or asks for what is not there.
    Query(LoadError),
    Eval(EvalError),
}

impl LoadErrors {
    pub fn iter(&self) -> impl Iterator<Item = &LoadError> {
        self.0.iter()
    }

    pub(crate) fn map(self, change: impl FnMut(LoadError) -> LoadError) -> LoadErrors {
        LoadErrors(self.0.into_iter().map(change).collect())
    }

    /// The errors as a refusal, or nothing where there are none.
    pub(crate) fn refuse(errors: Vec<LoadError>) -> Result<(), LoadErrors> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(LoadErrors(errors))
        }
    }
}

impl LoadError {
    pub(crate) fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        LoadError {
            file: file.into(),
            line: None,
            column: None,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<LoadError> for LoadErrors {
    fn from(error: LoadError) -> Self {
        LoadErrors(vec![error])
    }
}

impl IntoIterator for LoadErrors {
    type Item = LoadError;
    type IntoIter = std::vec::IntoIter<LoadError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            for place in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{place}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvalError::Budget => f.write_str("the instruction budget is used up"),
            EvalError::Failed(message) => f.write_str(message),
            EvalError::UnknownEntrypoint(path) => {
                write!(f, "the policy was not loaded with the entrypoint `{path}`")
            }
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryError::Load(errors) => errors.fmt(f),
            QueryError::Query(error) => error.fmt(f),
            QueryError::Eval(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}
impl std::error::Error for LoadErrors {}
impl std::error::Error for EvalError {}
impl std::error::Error for QueryError {}

/// regorus's messages show the line; here only the place and what is wrong with it remain.
pub(crate) fn one_line(text: &str) -> String {
    match place_and_message(text) {
        Some((file, line, column, message)) => format!("{file}:{line}:{column}: {message}"),
        None => text.trim().to_owned(),
    }
}

/// The same without what the request holds: regorus's words show values, and these are for logs. Of
/// what went wrong there remain the place and the kind.
pub(crate) fn without_values(text: &str, unsupported: Option<&str>) -> String {
    let (place, message) = match place_and_message(text) {
        Some((file, line, column, message)) => (format!("{file}:{line}:{column}: "), message),
        None => (String::new(), text.trim()),
    };
    if let Some(what) = unsupported {
        return format!("{place}{what} is not supported");
    }
    // The error of a function stands in the message of its call.
    let message = message.rsplit("\nerror: ").next().unwrap_or_default();
    let kind = KINDS.iter().find(|(start, _)| message.starts_with(start));
    let told = kind.map_or("the evaluation went wrong", |(_, told)| told);
    format!("{place}{told}")
}

/// How regorus's messages begin that an evaluation may end with, and what of them is told.
const KINDS: &[(&str, &str)] = &[
    ("`some .. in", "`some .. in` expects a collection"),
    ("complete rules", "a rule has more than one value"),
    ("function produced", "a function has more than one value"),
    ("functions must not", "a function has more than one value"),
    ("item cannot be indexed", "what is no collection is indexed"),
    (
        "previous value is not",
        "a rule is more than one kind of collection",
    ),
    ("recursion detected", "recursion"),
    ("rule conflicts with", "two rules conflict"),
    ("rules must not", "a rule has more than one value"),
    ("rules should not", "a rule has more than one value"),
    ("undefined rule", "`with` replaces what it cannot"),
    ("value for key", "a key has more than one value"),
];

/// A load error from one of regorus's messages, in the file that it names, or else in this one.
pub(crate) fn from_regorus(file: &str, text: &str) -> LoadError {
    match place_and_message(text) {
        Some((file, line, column, message)) => LoadError::new(file, message).at(line, column),
        None => LoadError::new(file, text.trim()),
    }
}

/// `--> file:line:column`, the line, and below it `error: message`.
fn place_and_message(text: &str) -> Option<(&str, u32, u32, &str)> {
    let (_, rest) = text.split_once("--> ")?;
    let (place, rest) = rest.split_once('\n')?;
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let (_, message) = rest.split_once("\nerror: ")?;
    Some((parts.next()?, line, column, message.trim()))
}
