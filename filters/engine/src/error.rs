//! What is wrong with a configuration: where, what was found, what is right.

use std::fmt;

/// One thing wrong with the document. Shown as `jwt.providers.corp.audiences: missing; ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A field of the document: its path with dots, such as `jwt.providers.corp.issuer`, or empty
    /// for the document itself.
    Field { path: String, message: String },
    /// Rego that does not parse, compile or pass the load checks.
    Rego(portcullis_rego::LoadError),
}

/// Everything wrong with a document; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadErrors(Vec<LoadError>);

impl LoadErrors {
    pub(crate) fn all(errors: impl Iterator<Item = LoadError>) -> LoadErrors {
        LoadErrors(errors.collect())
    }

    /// The same of what is tried beside the policy, whose fields they do not name.
    pub(crate) fn of_candidate(self) -> LoadErrors {
        let each = self.0.into_iter().map(|error| match error {
            LoadError::Field { path, message } => {
                LoadError::field(crate::config::candidate::moved(&path), message)
            }
            LoadError::Rego(error) => LoadError::field("policy.candidate", error.to_string()),
        });
        LoadErrors(each.collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &LoadError> {
        self.0.iter()
    }
}

impl LoadError {
    pub(crate) fn field(path: impl Into<String>, message: impl Into<String>) -> Self {
        LoadError::Field {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl From<LoadError> for LoadErrors {
    fn from(error: LoadError) -> Self {
        LoadErrors(vec![error])
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Field { path, message } if path.is_empty() => f.write_str(message),
            LoadError::Field { path, message } => write!(f, "{path}: {message}"),
            LoadError::Rego(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
impl std::error::Error for LoadErrors {}

/// Gathers errors so that a user sees all of them at once.
#[derive(Default)]
pub(crate) struct Findings(Vec<LoadError>);

impl Findings {
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(LoadError::field(path, message));
    }

    pub fn push(&mut self, error: LoadError) {
        self.0.push(error);
    }

    pub fn append(&mut self, mut other: Findings) {
        self.0.append(&mut other.0);
    }

    pub fn into_each(self) -> impl Iterator<Item = LoadError> {
        self.0.into_iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn into_result<T>(self, value: Option<T>) -> Result<T, LoadErrors> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ if self.0.is_empty() => {
                Err(LoadError::field("", "the document cannot be used").into())
            }
            _ => Err(LoadErrors(self.0)),
        }
    }

    /// What was found, in one line; empty where nothing was.
    pub fn told(self) -> String {
        LoadErrors(self.0).to_string()
    }
}
