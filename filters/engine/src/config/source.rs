//! Where a credential is looked for.

use super::raw;
use crate::{error::Findings, fields};

/// One place in a request. Names of headers and schemes are lower-case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The whole value, or what follows a scheme (RFC 9110 section 11.4).
    Header {
        name: String,
        scheme: Option<String>,
    },
    /// A browser sends cookies by itself, so unsafe methods need one of these origins.
    Cookie {
        name: String,
        origins: Vec<String>,
    },
    Query {
        name: String,
    },
}

impl Source {
    pub fn bearer() -> Source {
        Source::scheme("bearer")
    }

    /// Credentials in `Authorization` under this lower-case scheme.
    pub fn scheme(scheme: &str) -> Source {
        Source::Header {
            name: "authorization".into(),
            scheme: Some(scheme.into()),
        }
    }

    /// Whether this is a header's credentials of this lower-case scheme.
    pub fn is_scheme(&self, wanted: &str) -> bool {
        matches!(self, Source::Header { scheme: Some(scheme), .. } if scheme == wanted)
    }

    /// Whether both look at the same place; what is asked of the place may differ.
    pub fn same_place(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Cookie { name: a, .. }, Source::Cookie { name: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }
}

/// Reads `from`, or takes the default where it is absent.
pub fn read(
    raw: Option<Vec<raw::Source>>,
    path: &str,
    default: Vec<Source>,
    findings: &mut Findings,
) -> Vec<Source> {
    let Some(raw) = raw else {
        return default;
    };
    if raw.is_empty() {
        findings.add(
            path,
            "is empty, so no credential would ever be found; remove it for the default",
        );
    }
    raw.into_iter()
        .enumerate()
        .filter_map(|(index, source)| {
            one(source)
                .map_err(|message| findings.add(format!("{path}[{index}]"), message))
                .ok()
        })
        .collect()
}

fn one(raw: raw::Source) -> Result<Source, String> {
    let origins = raw.origins;
    match (raw.header, raw.cookie, raw.query) {
        (Some(name), None, None) => {
            if origins.is_some() || raw.insecure {
                return Err("`origins` goes with `cookie`, `insecure` with `query`".into());
            }
            let name = name.to_ascii_lowercase();
            if !fields::is_token(&name) {
                return Err(format!("`{name}` is no header name (RFC 9110 section 5.1)"));
            }
            if name == "cookie" {
                return Err("a cookie is named as `{cookie: NAME}`".into());
            }
            match raw.scheme {
                Some(scheme) if !fields::is_token(&scheme) => Err(format!(
                    "`{scheme}` is no authentication scheme (RFC 9110 section 11.1)"
                )),
                scheme => Ok(Source::Header {
                    name,
                    scheme: scheme.map(|s| s.to_ascii_lowercase()),
                }),
            }
        }
        (None, Some(name), None) => {
            if raw.scheme.is_some() || raw.insecure {
                return Err("`scheme` goes with `header`, `insecure` with `query`".into());
            }
            if !fields::is_token(&name) {
                return Err(format!(
                    "`{name}` is no cookie name (RFC 6265 section 4.1.1)"
                ));
            }
            match origins {
                Some(origins) if !origins.is_empty() => Ok(Source::Cookie { name, origins }),
                _ => Err(
                    "a cookie needs `origins: [https://app.example.com]`: browsers send it with \
                          requests that other sites make"
                        .into(),
                ),
            }
        }
        (None, None, Some(name)) => {
            if raw.scheme.is_some() || origins.is_some() {
                return Err("`scheme` goes with `header`, `origins` with `cookie`".into());
            }
            if name.is_empty() {
                return Err("the query parameter has no name".into());
            }
            if !raw.insecure {
                return Err(
                    "a credential in the query ends up in access logs; if it must, say \
                            `{query: NAME, insecure: true}`"
                        .into(),
                );
            }
            Ok(Source::Query { name })
        }
        _ => Err("takes exactly one of `header`, `cookie` and `query`".into()),
    }
}
