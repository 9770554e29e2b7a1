//! The input document: opa-envoy-plugin's, so that an unmodified policy runs, with what was
//! proven beside it. Upstream: `opa-envoy-plugin/envoyauth/request.go`; bodies are not built yet.

use crate::{
    credential::Refusal,
    headers::Headers,
    path::is_evasive,
    query::{self, Malformed},
    request::Attributes,
    verified::{Verified, refused_to_value},
};
use portcullis_rego::value::{self, Value};
use std::collections::BTreeMap;

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
}

pub fn build(parts: &Parts<'_>) -> Result<Value, InputError> {
    let path = parts.headers.first(":path").unwrap_or("");
    let (path_only, query) = query::split(path);
    if is_evasive(path_only) {
        return Err(InputError::Path);
    }
    let mut document = Object::default();
    document.put("attributes", attributes(parts));
    document.put("version", version());
    document.put("parsed_path", parsed_path(path_only)?);
    document.put("parsed_query", parsed_query(query.unwrap_or(""))?);
    document.text("source_principal", principal(parts));
    document.put("verified", parts.verified.to_value());
    if !parts.refused.is_empty() {
        document.put("refused", refused_to_value(parts.refused));
    }
    Ok(document.into())
}

fn attributes(parts: &Parts<'_>) -> Value {
    let known = parts.attributes;
    let mut attributes = Object::default();
    attributes.some(
        "source",
        peer(known.source_address, known.source_port, principal(parts)),
    );
    attributes.some(
        "destination",
        peer(known.destination_address, known.destination_port, None),
    );
    attributes.put("request", request(parts));
    // A route of the proxy says more of its requests than the whole document does.
    let mut extensions = BTreeMap::new();
    extensions.extend(parts.context_extensions);
    extensions.extend(known.route_metadata.iter().map(|(k, v)| (k, v)));
    if !extensions.is_empty() {
        let extensions = extensions
            .into_iter()
            .map(|(key, text)| (value::string(key), value::string(text)));
        attributes.put("contextExtensions", value::object(extensions));
    }
    if let Some(sni) = known.server_name.filter(|sni| !sni.is_empty()) {
        let mut session = Object::default();
        session.put("sni", value::string(sni));
        attributes.put("tlsSession", session.into());
    }
    attributes.into()
}

/// opa-envoy has what Envoy makes of any certificate; here only a verified one has a say.
fn principal<'p>(parts: &Parts<'p>) -> Option<&'p str> {
    parts.verified.peer.as_ref()?.principal()
}

fn peer(address: Option<&str>, port: Option<u16>, principal: Option<&str>) -> Option<Value> {
    let mut socket = Object::default();
    socket.put("address", value::string(address?));
    // Zero is left out, as protojson does.
    socket.some(
        "portValue",
        port.filter(|port| *port != 0)
            .map(|port| Value::from(u64::from(port))),
    );
    let mut address = Object::default();
    address.put("socketAddress", socket.into());
    let mut peer = Object::default();
    peer.put("address", address.into());
    peer.text("principal", principal);
    Some(peer.into())
}

fn request(parts: &Parts<'_>) -> Value {
    let known = parts.attributes;
    let headers = parts.headers;
    let mut http = Object::default();
    http.text("id", known.request_id);
    http.text("method", headers.first(":method"));
    http.put("headers", merged(headers));
    http.text("path", headers.first(":path"));
    http.text("host", headers.authority());
    http.text("scheme", headers.first(":scheme").or(known.scheme));
    http.some(
        "size",
        known.size.filter(|size| *size != 0).map(Value::from),
    );
    http.text("protocol", known.protocol);

    let at = known.request_time_ns.unwrap_or(parts.now_ns);
    let mut time = Object::default();
    time.put("seconds", Value::from(at / 1_000_000_000));
    time.some(
        "nanos",
        Some(at % 1_000_000_000)
            .filter(|nanos| *nanos != 0)
            .map(Value::from),
    );

    let mut request = Object::default();
    request.put("time", time.into());
    request.put("http", http.into());
    request.into()
}

/// Repeated headers merged with a comma, as Envoy's ext_authz sends them.
fn merged(headers: &Headers<'_>) -> Value {
    let mut merged: BTreeMap<&str, String> = BTreeMap::new();
    for (name, text) in headers.iter() {
        merged
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(text);
            })
            .or_insert_with(|| text.to_owned());
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
    let mut version = Object::default();
    version.put("ext_authz", value::string("v3"));
    version.put("encoding", value::string("protojson"));
    version.into()
}

/// An object in the making; what the host does not know is left out.
#[derive(Default)]
struct Object(Vec<(Value, Value)>);

impl Object {
    fn put(&mut self, key: &str, value: Value) {
        self.0.push((value::string(key), value));
    }

    fn some(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn text(&mut self, key: &str, text: Option<&str>) {
        self.some(key, text.filter(|text| !text.is_empty()).map(value::string));
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        value::object(object.0)
    }
}
