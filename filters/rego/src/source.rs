//! What a policy is made of, and where it is asked.

use std::fmt;

use crate::value::Value;

/// One file of Rego.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// As errors name it.
    pub path: String,
    pub text: String,
    /// Where it is another than the sources' own, as `file_rego_versions` in the manifest of a bundle
    /// of OPA's says.
    pub version: Option<RegoVersion>,
}

impl Module {
    /// Of the version that the sources have.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Module {
        Module {
            path: path.into(),
            text: text.into(),
            version: None,
        }
    }

    /// The same file with another text.
    pub(crate) fn with_text(&self, text: String) -> Module {
        Module {
            path: self.path.clone(),
            text,
            version: self.version,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegoVersion {
    V0,
    #[default]
    V1,
}

/// Modules and base data, as they were written.
#[derive(Clone, Debug)]
pub struct Sources {
    pub modules: Vec<Module>,
    /// An object: base data.
    pub data: Value,
    /// Of the modules that have none of their own.
    pub version: RegoVersion,
}

impl Default for Sources {
    fn default() -> Self {
        Sources {
            modules: Vec::new(),
            data: Value::new_object(),
            version: RegoVersion::V1,
        }
    }
}

/// The rule a policy is asked by. Written `envoy/authz/allow`, as OPA writes it, or
/// `data.envoy.authz.allow`; shown as the latter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entrypoint(String);

/// An entrypoint's path that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrypointError {
    found: String,
}

impl Entrypoint {
    /// # Errors
    /// Where a segment is no Rego name, or there are fewer than a package and a rule.
    pub fn parse(path: &str) -> Result<Entrypoint, EntrypointError> {
        let wrong = || EntrypointError {
            found: path.to_owned(),
        };
        let inner = match path.strip_prefix("data.") {
            Some(rest) if !rest.contains('/') => rest.replace('.', "/"),
            _ => path.to_owned(),
        };
        let segments: Vec<&str> = inner.split('/').collect();
        if segments.len() < 2 || !segments.iter().all(|segment| is_name(segment)) {
            return Err(wrong());
        }
        Ok(Entrypoint(format!("data.{}", segments.join("."))))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A Rego `var`.
pub(crate) fn is_name(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl std::str::FromStr for Entrypoint {
    type Err = EntrypointError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        Entrypoint::parse(path)
    }
}

impl fmt::Display for Entrypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EntrypointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no entrypoint; a package and a rule are, such as `envoy/authz/allow`",
            self.found
        )
    }
}

impl std::error::Error for EntrypointError {}
