//! Whether what the proxy tells of its TLS peers counts as proven.

use serde::Deserialize;

/// `peer.trust`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The operator's promise: every listener that has this gate validates the certificates it
    /// takes.
    ValidatedByProxy,
    /// Nobody promised it, and a proxy can be told to accept any certificate.
    #[default]
    None,
}
