//! Messages as a filter has them, as hyper sends them.

use hyper::{
    Method, Request, Uri,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    http::uri::PathAndQuery,
};
use portcullis_host::Headers;

/// A request to where `base` says, with the rest of it from the headers.
pub fn request<B>(base: &Uri, headers: &Headers, body: B) -> Result<Request<B>, String> {
    let wrong = |error: hyper::http::Error| error.to_string();
    let mut parts = base.clone().into_parts();
    let path = headers.get(":path").unwrap_or_default();
    let path = PathAndQuery::try_from(path).map_err(|error| wrong(error.into()))?;
    parts.path_and_query = Some(path);
    let uri = Uri::from_parts(parts).map_err(|error| wrong(error.into()))?;
    let method = headers.get(":method").unwrap_or_default();
    let method = Method::from_bytes(method).map_err(|error| wrong(error.into()))?;
    let authority = headers.get(":authority").unwrap_or_default();

    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .map_err(wrong)?;
    *request.headers_mut() = lines(headers)?;
    let authority = HeaderValue::from_bytes(authority).map_err(|error| wrong(error.into()))?;
    request.headers_mut().insert(header::HOST, authority);
    Ok(request)
}

/// Without the pseudo-headers.
pub fn lines(headers: &Headers) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !name.starts_with(':')) {
        let wrong = |_| {
            format!(
                "the filter left the header `{}` as none",
                name.escape_debug()
            )
        };
        let value = HeaderValue::from_bytes(value).map_err(|error| wrong(error.to_string()))?;
        let name = HeaderName::try_from(name).map_err(|error| wrong(error.to_string()))?;
        map.append(name, value);
    }
    Ok(map)
}

/// A URL without a path: requests bring theirs.
///
/// # Errors
/// What was found, and what is wrong with it.
pub fn base(url: &str) -> Result<Uri, String> {
    let found = |why: &str| format!("found `{}`, which {why}", url.escape_debug());
    let uri: Uri = url.parse().map_err(|_| found("is no URL"))?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(found("is no http:// or https:// URL"));
    };
    if authority.as_str().contains('@') {
        // Not shown: there may be a password.
        return Err("found a URL with a user in it, which nobody would send".to_owned());
    }
    match matches!(uri.path(), "" | "/") && uri.query().is_none() {
        true => Ok(uri),
        false => Err(found("has a path; requests bring their own")),
    }
}
