//! Which settings hold for a request.

use crate::{
    config::{
        Config,
        routes::{Match, Settings},
    },
    headers::Headers,
    path::Comparable,
    query,
    request::Attributes,
};

/// A path that hops may read differently, where routes tell paths apart.
#[derive(Debug, PartialEq, Eq)]
pub struct AmbiguousPath;

/// The settings of the first route that matches, or the document's own.
pub fn settings<'c>(
    config: &'c Config,
    headers: &Headers<'_>,
    attributes: &Attributes<'_>,
) -> Result<&'c Settings, AmbiguousPath> {
    let by_path = |route: &Match| route.path.is_some() || route.path_prefix.is_some();
    let path = match config.routes.iter().any(|route| by_path(&route.matches)) {
        true => Some(comparable(headers)?),
        false => None,
    };
    let route = config
        .routes
        .iter()
        .find(|route| matches(&route.matches, path.as_ref(), headers, attributes));
    Ok(route.map_or(&config.settings, |route| &route.settings))
}

/// Requests without a path (CONNECT, `OPTIONS *`) compare as the empty one, which no route has.
fn comparable(headers: &Headers<'_>) -> Result<Comparable, AmbiguousPath> {
    match headers.first(":path") {
        None | Some("*") => Ok(Comparable::none()),
        Some(path) => Comparable::parse(query::split(path).0).ok_or(AmbiguousPath),
    }
}

fn matches(
    route: &Match,
    path: Option<&Comparable>,
    headers: &Headers<'_>,
    attributes: &Attributes<'_>,
) -> bool {
    let path_is = |wanted: &str| path.is_some_and(|path| path.as_str() == wanted);
    let path_under = |prefix: &str| path.is_some_and(|path| path.starts_with_segments(prefix));
    let method_in = |methods: &Vec<String>| {
        headers
            .first(":method")
            .is_some_and(|method| methods.iter().any(|m| m == method))
    };
    route.path.as_deref().is_none_or(path_is)
        && route.path_prefix.as_deref().is_none_or(path_under)
        && route.methods.as_ref().is_none_or(method_in)
        && route
            .host
            .as_deref()
            .is_none_or(|host| host_matches(host, headers))
        && (!route.cors_preflight || is_preflight(headers))
        && route
            .route
            .as_deref()
            .is_none_or(|name| attributes.route == Some(name))
        && route
            .virtual_host
            .as_deref()
            .is_none_or(|name| attributes.virtual_host == Some(name))
}

fn host_matches(pattern: &str, headers: &Headers<'_>) -> bool {
    let Some(authority) = headers.first(":authority") else {
        return false;
    };
    let host = without_port(authority).to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host == pattern,
    }
}

/// `[::1]:80` and `a:80` lose their port (RFC 3986 section 3.2).
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => {
            host
        }
        _ => authority,
    }
}

fn is_preflight(headers: &Headers<'_>) -> bool {
    headers.first(":method") == Some("OPTIONS")
        && headers.first("origin").is_some()
        && headers.first("access-control-request-method").is_some()
}
