//! OpenID Connect Discovery 1.0: where an issuer says that its keys are.

use crate::{config::remote::Endpoint, json};
use serde_json::Value;

/// The key set's endpoint.
///
/// # Errors
/// Why the document is not taken. The issuer must be the very one that the tokens name (section
/// 4.3): else one issuer could have another's keys used for its tokens.
pub fn keys(
    body: &[u8],
    issuer: &str,
    document: &Endpoint,
    keys_cluster: Option<&str>,
) -> Result<Endpoint, &'static str> {
    let document_says =
        json::parse_object(body).ok_or("the discovery document is no JSON object")?;
    let text = |name: &str| document_says.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err("the discovery document is another issuer's");
    }
    let url = text("jwks_uri").ok_or("the discovery document has no `jwks_uri`")?;
    let (authority, path) = split(url).ok_or("the discovery document's `jwks_uri` is no URL")?;
    let cluster = match keys_cluster {
        Some(cluster) => cluster,
        None if authority.eq_ignore_ascii_case(&document.authority) => &document.cluster,
        None => {
            return Err(
                "the discovery document's `jwks_uri` is at another host: `jwks_cluster` names its cluster",
            );
        }
    };
    Ok(Endpoint {
        cluster: cluster.to_owned(),
        authority: authority.to_owned(),
        path: path.to_owned(),
    })
}

/// The authority and what follows it (RFC 3986 section 3). Whether the scheme is spoken is the
/// cluster's to say.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let good = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_plain = !authority.is_empty() && !authority.contains('@') && !path.contains('#');
    match path {
        "" => (is_plain && good(authority)).then_some((authority, "/")),
        path => (is_plain && path.starts_with('/') && good(authority) && good(path))
            .then_some((authority, path)),
    }
}
