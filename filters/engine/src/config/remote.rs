//! What is fetched from elsewhere: from where, how often, and how long what was fetched will do.

use super::{raw, scalar::Span, secret::Secret};
use crate::{crypto, error::Findings, fields, gate::Secrets};
use std::time::Duration;

/// A path at a host of a cluster of the proxy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub cluster: String,
    /// `Host`.
    pub authority: String,
    pub path: String,
}

impl Endpoint {
    /// One name for each, of fixed length.
    pub fn name(&self) -> String {
        // None of the three has a line break in it.
        let all = [&*self.cluster, &self.authority, &self.path].join("\n");
        base16ct::lower::encode_string(&crypto::sha256(all.as_bytes()))
    }

    /// What was wrong, with where it was.
    pub fn asked(&self, fault: &str) -> String {
        let Endpoint {
            cluster,
            authority,
            path,
        } = self;
        // A query may hold a signature, as that of a presigned URL does.
        let path = path.split('?').next().unwrap_or_default();
        format!("{authority}{path} by cluster `{cluster}`: {fault}")
    }
}

/// An endpoint as it is written.
pub struct Raw {
    pub cluster: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// After this long it is fetched again; sooner where the answer's `Cache-Control` says so.
    pub refresh: Duration,
    /// Of one call.
    pub timeout: Duration,
    /// How long what was fetched still serves after it should have been fetched again.
    pub stale_for: Duration,
}

impl Raw {
    /// `default`: the path where none is written; without it one must be.
    pub fn read(self, default: Option<&str>, path: &str, findings: &mut Findings) -> Endpoint {
        if self.authority.as_ref().is_some_and(|it| it.contains('/')) {
            findings.add(
                format!("{path}.authority"),
                "has a `/`; takes the host's name alone, such as `idp.example.com`",
            );
        }
        let mut required = |name: &str, found: Option<String>, takes: &str| {
            let found = found.unwrap_or_default();
            if found.is_empty() {
                findings.add(
                    format!("{path}.{name}"),
                    format!("is missing; takes {takes}"),
                );
            } else if !fields::is_value(&found) || found.contains([' ', '\t']) {
                findings.add(
                    format!("{path}.{name}"),
                    format!("has a character that cannot stand there; takes {takes}"),
                );
            }
            found
        };
        let cluster = required(
            "cluster",
            self.cluster,
            "the name of a cluster of the proxy's",
        );
        let authority = required(
            "authority",
            self.authority,
            "the host's name, such as `idp.example.com`",
        );
        let takes = "the path at the host, such as `/jwks.json`";
        let target = required("path", self.path.or(default.map(str::to_owned)), takes);
        if !target.is_empty() && !target.starts_with('/') {
            findings.add(
                format!("{path}.path"),
                format!("does not begin with `/`; takes {takes}"),
            );
        }
        Endpoint {
            cluster,
            authority,
            path: target,
        }
    }
}

pub fn timing(
    refresh: &Option<Span>,
    timeout: &Option<Span>,
    stale_for: &Option<Span>,
    path: &str,
    findings: &mut Findings,
) -> Timing {
    let or = |span: &Option<Span>, default: u64| {
        span.map_or(Duration::from_secs(default), |span| span.0)
    };
    let timing = Timing {
        refresh: or(refresh, 300),
        timeout: or(timeout, 1),
        stale_for: or(stale_for, 3600),
    };
    within(
        timing.refresh,
        1,
        86_400,
        &format!("{path}.refresh"),
        findings,
    );
    call_timeout(timing.timeout, &format!("{path}.timeout"), findings);
    within(
        timing.stale_for,
        0,
        30 * 86_400,
        &format!("{path}.stale_for"),
        findings,
    );
    timing
}

/// Of one call: a host takes zero for "none".
pub fn call_timeout(timeout: Duration, path: &str, findings: &mut Findings) {
    if timeout < Duration::from_millis(10) || timeout > Duration::from_secs(60) {
        findings.add(path, "takes a duration from `10ms` to `60s`");
    }
}

/// `least` and `most` in seconds.
pub fn within(span: Duration, least: u64, most: u64, path: &str, findings: &mut Findings) {
    let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
    between(span, least, most, path, findings);
}

pub fn between(
    span: Duration,
    least: Duration,
    most: Duration,
    path: &str,
    findings: &mut Findings,
) {
    if span < least || span > most {
        let show = humantime::format_duration;
        findings.add(
            path,
            format!(
                "found `{}`; takes a duration from `{}` to `{}`",
                show(span),
                show(least),
                show(most)
            ),
        );
    }
}

/// A bearer token for a server.
pub fn token(
    raw: Option<&raw::Secret>,
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<Secret> {
    let path = format!("{path}.token");
    let token = Secret::resolve(raw?, secrets);
    let token = token.map_err(|message| findings.add(&path, message)).ok()?;
    let is_token = |byte: &u8| byte.is_ascii_graphic();
    if !token.expose().iter().all(is_token) {
        findings.add(
            &path,
            "has a character that no bearer token has (RFC 6750 section 2.1)",
        );
    }
    Some(token)
}
