//! Finding a credential in a request, and taking it out again.

use crate::{config::source::Source, headers::Headers, query, words::Reason};

/// What stands at a place: nothing, one credential, or something no single reading fits.
pub enum Found {
    Nothing,
    One(String),
    /// Several, or one that may not be sent like that: refused whatever the configuration allows.
    Refused(Reason),
}

pub fn find(source: &Source, headers: &Headers<'_>) -> Found {
    let found: Vec<String> = match source {
        Source::Header { name, scheme: None } => {
            headers.values(name).map(|v| v.trim().to_owned()).collect()
        }
        Source::Header {
            name,
            scheme: Some(scheme),
        } => headers
            .values(name)
            .filter_map(|value| after_scheme(value, scheme))
            .map(str::to_owned)
            .collect(),
        Source::Cookie { name, origins } => {
            let found: Vec<String> = cookies(headers)
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.to_owned())
                .collect();
            if !found.is_empty() && !origin_allows(headers, origins) {
                return Found::Refused(Reason::OriginForbidden);
            }
            found
        }
        Source::Query { name } => {
            let path = headers.first(":path").unwrap_or("");
            let parameters: Result<Vec<_>, _> =
                query::parameters(query::split(path).1.unwrap_or("")).collect();
            match parameters {
                Ok(parameters) => parameters
                    .into_iter()
                    .filter(|(key, _)| key == name)
                    .map(|(_, value)| value)
                    .collect(),
                Err(query::Malformed) => return Found::Refused(Reason::RequestMalformed),
            }
        }
    };
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Found::Nothing,
        (Some(one), None) => Found::One(one),
        _ => Found::Refused(Reason::RequestMalformed),
    }
}

/// Takes the credential away from the place, and leaves the rest of it.
pub fn strip(source: &Source, headers: &mut Headers<'_>) {
    match source {
        Source::Header { name, scheme: None } => headers.remove(name),
        Source::Header {
            name,
            scheme: Some(scheme),
        } => headers.rewrite(name, |value| {
            after_scheme(value, scheme)
                .is_none()
                .then(|| value.to_owned())
        }),
        Source::Cookie { name, .. } => headers.rewrite("cookie", |value| {
            let kept: Vec<&str> = value
                .split(';')
                .filter(|pair| cookie_pair(pair).0 != name)
                .map(str::trim)
                .collect();
            (!kept.is_empty()).then(|| kept.join("; "))
        }),
        Source::Query { name } => {
            headers.rewrite(":path", |path| Some(query::without(path, &[name])));
        }
    }
}

/// What follows `scheme` in credentials (RFC 9110 section 11.4): the scheme's case does not count.
fn after_scheme<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let value = value.trim();
    let (found, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Every cookie pair, over all lines: HTTP/2 may send one line each (RFC 9113 section 8.2.3), and
/// a host may have joined lines with commas.
fn cookies<'h>(headers: &'h Headers<'_>) -> impl Iterator<Item = (&'h str, &'h str)> {
    headers
        .values("cookie")
        .flat_map(|value| value.split(';'))
        .map(cookie_pair)
}

fn cookie_pair(pair: &str) -> (&str, &str) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.trim(), value.trim())
}

/// A browser sends cookies with requests that other sites make; safe methods change nothing
/// (RFC 9110 section 9.2.1), the others must come from a page that is listed.
fn origin_allows(headers: &Headers<'_>, origins: &[String]) -> bool {
    // A WebSocket starts as a GET that no CORS check guards (RFC 6455 section 10.2).
    let safe = matches!(headers.first(":method"), Some("GET" | "HEAD" | "OPTIONS"))
        && headers.first("upgrade").is_none();
    let mut sent = headers.values("origin");
    safe || match (sent.next(), sent.next()) {
        (Some(origin), None) => origins.iter().any(|listed| listed == origin),
        _ => false,
    }
}
