//! The input document: opa-envoy-plugin's, so that an unmodified policy runs, with what was
//! proven beside it. Upstream: `opa-envoy-plugin/envoyauth/request.go`.

use crate::{
    body::parse,
    credential::Refusal,
    document::Object,
    headers::Headers,
    path::is_evasive,
    query::{self, Malformed},
    request::Attributes,
    verified::{Verified, refused_to_value},
};
use portcullis_rego::{
    Reach,
    value::{self, Value},
};
use std::{borrow::Cow, collections::BTreeMap};

/// Why there is no document.
#[derive(Debug, PartialEq, Eq)]
pub enum InputError {
    /// A path or query with a broken escape, for which opa-envoy answers 400 too, or a path that an
    /// upstream reads as another.
    Path,
}

impl From<Malformed> for InputError {
    fn from(Malformed: Malformed) -> Self {
        InputError::Path
    }
}

pub struct Parts<'p> {
    pub headers: &'p Headers<'p>,
    pub attributes: &'p Attributes<'p>,
    pub context_extensions: &'p BTreeMap<String, String>,
    pub verified: &'p Verified<'p>,
    pub refused: &'p [Refusal],
    pub now_ns: u64,
    pub body: Option<&'p Seen<'p>>,
    /// What is made of the document: as much as somebody looks at.
    pub reach: &'p Reach,
}

/// A body that the policy may see.
pub struct Seen<'p> {
    pub bytes: &'p [u8],
    pub parsed: Value,
}

pub fn build(parts: &Parts<'_>) -> Result<Value, InputError> {
    let path = parts.headers.first(":path").unwrap_or("");
    let (path_only, query) = query::split(path);
    if is_evasive(path_only) {
        return Err(InputError::Path);
    }
    let mut document = Object::within(parts.reach);
    document.part("attributes", |reach| Some(attributes(parts, reach)));
    document.part("version", |_| Some(version()));
    // What cannot be read is refused, whoever looks at it.
    if document.takes("parsed_path") || path_only.contains('%') {
        document.put("parsed_path", parsed_path(path_only)?);
    }
    let query = query.unwrap_or("");
    if document.takes("parsed_query") || query.contains(['%', ';']) {
        document.put("parsed_query", parsed_query(query)?);
    }
    if let Some(body) = parts.body {
        document.part("parsed_body", |_| Some(body.parsed.clone()));
        // A part of one is refused before anybody is asked.
        document.part("truncated_body", |_| Some(Value::Bool(false)));
    }
    document.text("source_principal", principal(parts));
    document.part("verified", |reach| Some(parts.verified.to_value(reach)));
    document.part("refused", |_| {
        (!parts.refused.is_empty()).then(|| refused_to_value(parts.refused))
    });
    Ok(document.into())
}

fn attributes(parts: &Parts<'_>, reach: &Reach) -> Value {
    let known = parts.attributes;
    let mut attributes = Object::within(reach);
    attributes.part("source", |_| {
        peer(known.source_address, known.source_port, principal(parts))
    });
    attributes.part("destination", |_| {
        peer(known.destination_address, known.destination_port, None)
    });
    attributes.part("request", |reach| Some(request(parts, reach)));
    attributes.part("contextExtensions", |_| {
        // A route of the proxy says more of its requests than the whole document does.
        let mut extensions = BTreeMap::new();
        extensions.extend(parts.context_extensions);
        extensions.extend(known.route_metadata.iter().map(|(k, v)| (k, v)));
        let extensions = extensions
            .into_iter()
            .map(|(key, text)| (value::string(key), value::string(text)));
        let extensions: Vec<_> = extensions.collect();
        (!extensions.is_empty()).then(|| value::object(extensions))
    });
    attributes.part("tlsSession", |reach| {
        let sni = known.server_name.filter(|sni| !sni.is_empty())?;
        let mut session = Object::within(reach);
        session.put("sni", value::string(sni));
        Some(session.into())
    });
    attributes.into()
}

/// opa-envoy has what Envoy makes of any certificate; here only a verified one has a say.
fn principal<'p>(parts: &Parts<'p>) -> Option<&'p str> {
    parts.verified.peer.as_ref()?.principal()
}

fn peer(address: Option<&str>, port: Option<u16>, principal: Option<&str>) -> Option<Value> {
    let mut socket = Object::whole();
    socket.put("address", value::string(address?));
    // Zero is left out, as protojson does.
    socket.some(
        "portValue",
        port.filter(|port| *port != 0)
            .map(|port| Value::from(u64::from(port))),
    );
    let mut address = Object::whole();
    address.put("socketAddress", socket.into());
    let mut peer = Object::whole();
    peer.put("address", address.into());
    peer.text("principal", principal);
    Some(peer.into())
}

fn request(parts: &Parts<'_>, reach: &Reach) -> Value {
    let mut request = Object::within(reach);
    request.part("time", |_| Some(time(parts)));
    request.part("http", |reach| Some(http(parts, reach)));
    request.into()
}

fn time(parts: &Parts<'_>) -> Value {
    let at = parts.attributes.request_time_ns.unwrap_or(parts.now_ns);
    let mut time = Object::whole();
    time.put("seconds", Value::from(at / 1_000_000_000));
    time.some(
        "nanos",
        Some(at % 1_000_000_000)
            .filter(|nanos| *nanos != 0)
            .map(Value::from),
    );
    time.into()
}

fn http(parts: &Parts<'_>, reach: &Reach) -> Value {
    let known = parts.attributes;
    let headers = parts.headers;
    let mut http = Object::within(reach);
    http.text("id", known.request_id);
    http.text("method", headers.first(":method"));
    http.part("headers", |reach| Some(merged(headers, reach)));
    http.text("path", headers.first(":path"));
    http.text("host", headers.authority());
    http.text("scheme", headers.first(":scheme").or(known.scheme));
    http.some(
        "size",
        known.size.filter(|size| *size != 0).map(Value::from),
    );
    http.text("protocol", known.protocol);
    if let Some(body) = parts.body {
        parse::texts(&mut http, body.bytes);
    }
    http.into()
}

/// Repeated headers merged with a comma, as Envoy's ext_authz sends them.
fn merged(headers: &Headers<'_>, reach: &Reach) -> Value {
    let mut merged: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, text) in headers.iter() {
        if reach.member(name).is_none() {
            continue;
        }
        merged
            .entry(name)
            .and_modify(|all| {
                let all = all.to_mut();
                all.push(',');
                all.push_str(text);
            })
            .or_insert(Cow::Borrowed(text));
    }
    value::object(
        merged
            .iter()
            .map(|(name, text)| (value::string(name), value::string(text))),
    )
}

/// Cut at `?` by the caller; unescaped, then leading slashes trimmed, then split, so that `%2F`
/// makes segments: opa-envoy's order.
fn parsed_path(path: &str) -> Result<Value, Malformed> {
    let plain = query::unescape(path)?;
    Ok(value::array(
        plain.trim_start_matches('/').split('/').map(value::string),
    ))
}

fn parsed_query(query: &str) -> Result<Value, Malformed> {
    let mut parsed: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for parameter in query::parameters(query) {
        let (key, text) = parameter?;
        parsed.entry(key).or_default().push(value::string(&text));
    }
    Ok(value::object(parsed.into_iter().map(|(key, values)| {
        (value::string(&key), value::array(values))
    })))
}

fn version() -> Value {
    let mut version = Object::whole();
    version.put("ext_authz", value::string("v3"));
    version.put("encoding", value::string("protojson"));
    version.into()
}
