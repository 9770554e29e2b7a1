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

/// A path or host that hops may read differently, where routes tell them apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// The settings of the first route that matches, or the document's own.
pub fn settings<'c>(
    config: &'c Config,
    headers: &Headers<'_>,
    attributes: &Attributes<'_>,
) -> Result<&'c Settings, Ambiguous> {
    let path = comparable(config, headers)?;
    let host = host(config, headers, attributes)?;
    let route = config.routes.iter().find(|route| {
        matches(
            &route.matches,
            path.as_ref(),
            host.as_deref(),
            headers,
            attributes,
        )
    });
    Ok(route.map_or(&config.settings, |route| &route.settings))
}

/// The path as routes compare it. One that hops may read differently matches no route that is
/// open, and is refused where some route by path is not open: it could be meant for that one.
fn comparable(config: &Config, headers: &Headers<'_>) -> Result<Option<Comparable>, Ambiguous> {
    let mut by_path = config
        .routes
        .iter()
        .filter(|route| route.matches.path.is_some() || route.matches.path_prefix.is_some())
        .peekable();
    if by_path.peek().is_none() {
        return Ok(None);
    }
    // Requests without a path (CONNECT, `OPTIONS *`) match no route by path.
    let path = match headers.first(":path") {
        None | Some("*") => return Ok(None),
        Some(path) => Comparable::parse(query::split(path).0),
    };
    match path {
        None if by_path.any(|route| !route.settings.off) => Err(Ambiguous),
        path => Ok(path),
    }
}

/// The host as routes compare it: lower-case, without a port that is the listener's own or a
/// scheme's. Proxies disagree on other ports and on a final dot, and pick another virtual host.
fn host(
    config: &Config,
    headers: &Headers<'_>,
    attributes: &Attributes<'_>,
) -> Result<Option<String>, Ambiguous> {
    if !config
        .routes
        .iter()
        .any(|route| route.matches.host.is_some())
    {
        return Ok(None);
    }
    let Some(authority) = headers.authority() else {
        return Ok(None);
    };
    let host = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand within brackets (RFC 3986 section 3.2.2).
        Some((_, rest)) if rest.contains(']') => authority,
        Some((host, port)) => {
            let port = port.parse::<u16>().map_err(|_| Ambiguous)?;
            let usual = [Some(80), Some(443), attributes.destination_port];
            usual
                .contains(&Some(port))
                .then_some(host)
                .ok_or(Ambiguous)?
        }
        None => authority,
    };
    if host.ends_with('.') || host.contains(['@', '/']) {
        return Err(Ambiguous);
    }
    Ok(Some(host.to_ascii_lowercase()))
}

fn matches(
    route: &Match,
    path: Option<&Comparable>,
    host: Option<&str>,
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
            .is_none_or(|pattern| host.is_some_and(|host| host_matches(pattern, host)))
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

fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host == pattern,
    }
}

fn is_preflight(headers: &Headers<'_>) -> bool {
    headers.first(":method") == Some("OPTIONS")
        && headers.first("origin").is_some()
        && headers.first("access-control-request-method").is_some()
}
