//! What keeps a run from starting or ending. A case that fails is no error: it is in the report.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {}", .0.display(), .1)]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{0}")]
    Cases(#[from] portcullis_gatefile::Finding),
    #[error("{}: {}: {}", .file.display(), .path, .message)]
    Case {
        file: PathBuf,
        path: String,
        message: String,
    },
    #[error("{0}: {1}")]
    Minter(String, String),
    #[error("scenario `{0}`: {1}")]
    Scenario(String, String),
    #[error("`{}` holds no scenario: a scenario is a folder with `gate.yaml` and `cases.yaml`", .0.display())]
    NoScenarios(PathBuf),
    #[error("the template `{{{{{template}}}}}`: {message}")]
    Template { template: String, message: String },
    #[error("key `{0}`: {1}")]
    Key(String, String),
    #[error("certificate `{0}`: {1}")]
    Certificate(String, String),
    #[error("server `{0}`: {1}")]
    Server(String, String),
    #[error("token `{0}`: {1}")]
    Token(String, String),
    /// For want of who signs it: the cases that need it are skipped.
    #[error("token `{0}` cannot be made: {1}")]
    Unminted(String, String),
    #[error("{0} was asked for and cannot run: {1}")]
    Unavailable(crate::On, String),
    #[error("{0}: {1}")]
    Subject(crate::On, String),
    #[error("the upstream: {0}")]
    Upstream(#[source] std::io::Error),
}
