//! Envoy's attributes, read once per request. What the host does not know stays absent.

use crate::{host, pairs::Pairs};
use portcullis_engine::{Attribute, Attributes, Gate, PeerCertificate};
use std::net::SocketAddr;

/// The attributes as the host gave them, so that [`Attributes`] can borrow from it.
pub struct Known {
    source: Option<Endpoint>,
    destination: Option<Endpoint>,
    request_id: Option<String>,
    request_time_ns: Option<u64>,
    protocol: Option<String>,
    scheme: Option<String>,
    size: Option<i64>,
    server_name: Option<String>,
    peer: Option<Certificate>,
    route: Option<String>,
    virtual_host: Option<String>,
    route_metadata: Vec<(String, String)>,
}

struct Endpoint {
    address: String,
    port: Option<u16>,
}

/// As the host gave it: the engine says what it is worth.
struct Certificate {
    uri_san: Option<Vec<u8>>,
    dns_san: Option<Vec<u8>>,
    subject: Option<Vec<u8>>,
    sha256: Option<Vec<u8>>,
}

impl Known {
    /// As far as the gate goes by them. What Envoy itself reads from the request's headers is read
    /// there.
    pub fn read(gate: &Gate, headers: &Pairs) -> Known {
        let has = |name: &[u8]| headers.iter().any(|(found, _)| found == name);
        let wants = |attribute| gate.reads(attribute);
        let text_if = |wanted: bool, path: &[&str]| if wanted { text(path) } else { None };
        let number_if = |wanted: bool, path: &[&str]| if wanted { bytes8(path) } else { None };
        let endpoint_if = |wanted: bool, side| if wanted { endpoint(side) } else { None };
        let named = wants(Attribute::RouteNames);
        Known {
            source: endpoint_if(wants(Attribute::Source), "source"),
            destination: endpoint_if(wants(Attribute::Destination), "destination"),
            request_id: match wants(Attribute::RequestId) {
                true => request_id(headers),
                false => None,
            },
            request_time_ns: number_if(wants(Attribute::RequestTime), &["request", "time"])
                .map(u64::from_le_bytes),
            protocol: text_if(wants(Attribute::Protocol), &["request", "protocol"]),
            scheme: text_if(!has(b":scheme"), &["request", "scheme"]),
            size: number_if(
                wants(Attribute::Size) && has(b"content-length"),
                &["request", "size"],
            )
            .map(i64::from_le_bytes),
            server_name: text_if(
                wants(Attribute::ServerName),
                &["connection", "requested_server_name"],
            ),
            peer: match wants(Attribute::Peer) {
                true => Certificate::read(),
                false => None,
            },
            route: text_if(named, &["xds", "route_name"]),
            virtual_host: text_if(named, &["xds", "virtual_host_name"]),
            route_metadata: match wants(Attribute::RouteMetadata) {
                true => texts(&["xds", "route_metadata", "filter_metadata", "portcullis"]),
                false => Vec::new(),
            },
        }
    }

    pub fn attributes(&self) -> Attributes<'_> {
        let address = |endpoint: &'_ Option<Endpoint>| -> Option<u16> { endpoint.as_ref()?.port };
        Attributes {
            source_address: self.source.as_ref().map(|e| e.address.as_str()),
            source_port: address(&self.source),
            destination_address: self.destination.as_ref().map(|e| e.address.as_str()),
            destination_port: address(&self.destination),
            request_id: self.request_id.as_deref(),
            request_time_ns: self.request_time_ns,
            protocol: self.protocol.as_deref(),
            scheme: self.scheme.as_deref(),
            size: self.size,
            server_name: self.server_name.as_deref(),
            peer: self.peer.as_ref().map(Certificate::view),
            route: self.route.as_deref(),
            virtual_host: self.virtual_host.as_deref(),
            route_metadata: &self.route_metadata,
        }
    }
}

impl Certificate {
    /// Where one was shown: `mtls` is a bool, one byte.
    fn read() -> Option<Certificate> {
        let property = |name| host::property(&["connection", name]);
        if property("mtls")? != [1] {
            return None;
        }
        Some(Certificate {
            uri_san: property("uri_san_peer_certificate"),
            dns_san: property("dns_san_peer_certificate"),
            subject: property("subject_peer_certificate"),
            sha256: property("sha256_peer_certificate_digest"),
        })
    }

    fn view(&self) -> PeerCertificate<'_> {
        PeerCertificate {
            uri_san: self.uri_san.as_deref(),
            dns_san: self.dns_san.as_deref(),
            subject: self.subject.as_deref(),
            sha256: self.sha256.as_deref(),
        }
    }
}

/// `x-request-id`, which several lines of it make a question of.
fn request_id(headers: &Pairs) -> Option<String> {
    let mut lines = headers.iter().filter(|(name, _)| *name == b"x-request-id");
    match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some((_, id)), None) => String::from_utf8(id.to_vec())
            .ok()
            .filter(|id| !id.is_empty()),
        _ => text(&["request", "id"]),
    }
}

/// Envoy writes `10.0.0.1:80`, `[::1]:80`, or the path of a Unix socket.
fn endpoint(side: &str) -> Option<Endpoint> {
    let address = text(&[side, "address"])?;
    Some(match address.parse::<SocketAddr>() {
        Ok(socket) => Endpoint {
            address: socket.ip().to_string(),
            port: Some(socket.port()),
        },
        Err(_) => Endpoint {
            address,
            port: None,
        },
    })
}

fn text(path: &[&str]) -> Option<String> {
    String::from_utf8(host::property(path)?)
        .ok()
        .filter(|text| !text.is_empty())
}

/// A map arrives as a list of pairs, a number in it as eight bytes and a map as pairs again, with
/// nothing to tell them from text but their control characters: what is no text is left out.
fn texts(path: &[&str]) -> Vec<(String, String)> {
    let pairs = host::property(path).and_then(Pairs::parse);
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        (!text.contains(char::is_control)).then(|| text.to_owned())
    };
    pairs
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((text(key)?, text(value)?)))
        .collect()
}

/// Integers and timestamps are eight little-endian bytes.
fn bytes8(path: &[&str]) -> Option<[u8; 8]> {
    host::property(path)?.try_into().ok()
}
