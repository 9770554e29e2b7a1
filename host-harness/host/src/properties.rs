//! The attributes of a stream, encoded as Envoy's `serializeValue` encodes CEL values.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{abi::pairs, clock::nanoseconds};

/// Attributes by path (`source.address`). Those that Envoy derives from the request's headers (`request.path`, `.host`,
/// `.headers` and so on) are not set here: the host answers them from the headers, and only while those are readable.
#[derive(Debug, Clone, Default)]
pub struct Properties(BTreeMap<Vec<u8>, Vec<u8>>);

/// A certificate as Envoy's attributes show it: one name of a kind, the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct PeerCertificate<'a> {
    pub uri_san: Option<&'a str>,
    pub dns_san: Option<&'a str>,
    /// As RFC 2253 writes it; empty where the certificate has none.
    pub subject: &'a str,
    /// In lower-case hexadecimal.
    pub sha256_digest: &'a str,
}

impl Properties {
    pub fn new() -> Self {
        Self::default()
    }

    /// `source.address` and `.port`, for an address as Envoy prints it: `127.0.0.1:40000`, `[::1]:40000`.
    pub fn source(self, address: std::net::SocketAddr) -> Self {
        self.text("source.address", &address.to_string())
            .int("source.port", i64::from(address.port()))
    }

    pub fn destination(self, address: std::net::SocketAddr) -> Self {
        self.text("destination.address", &address.to_string())
            .int("destination.port", i64::from(address.port()))
    }

    /// `request.protocol`: `HTTP/1.1`, `HTTP/2`.
    pub fn protocol(self, protocol: &str) -> Self {
        self.text("request.protocol", protocol)
    }

    /// `request.time`, since the Unix epoch.
    pub fn request_time(self, time: Duration) -> Self {
        self.duration("request.time", time)
    }

    /// `connection.mtls`, and what Envoy tells of the certificate that the peer of the connection showed.
    pub fn peer_certificate(self, certificate: &PeerCertificate<'_>) -> Self {
        let names = [
            ("connection.uri_san_peer_certificate", certificate.uri_san),
            ("connection.dns_san_peer_certificate", certificate.dns_san),
        ];
        let shown = self
            .bool("connection.mtls", true)
            .text("connection.subject_peer_certificate", certificate.subject)
            .text(
                "connection.sha256_peer_certificate_digest",
                certificate.sha256_digest,
            );
        names
            .into_iter()
            .fold(shown, |all, (path, name)| match name {
                Some(name) => all.text(path, name),
                None => all,
            })
    }

    pub fn route_name(self, name: &str) -> Self {
        self.text("xds.route_name", name)
    }

    pub fn virtual_host_name(self, name: &str) -> Self {
        self.text("xds.virtual_host_name", name)
    }

    pub fn cluster_name(self, name: &str) -> Self {
        self.text("xds.cluster_name", name)
    }

    /// `xds.route_metadata`, as far as texts under one filter's name go: a list of pairs.
    pub fn route_metadata<'a>(
        self,
        filter: &str,
        texts: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Self {
        let encoded = pairs::encode(texts.map(|(name, text)| (name.as_bytes(), text.as_bytes())));
        match encoded.is_empty() {
            true => self,
            false => self.segments(
                ["xds", "route_metadata", "filter_metadata", filter],
                &encoded,
            ),
        }
    }

    pub fn text(self, path: &str, value: &str) -> Self {
        self.bytes(path, value.as_bytes())
    }

    pub fn bool(self, path: &str, value: bool) -> Self {
        self.bytes(path, &[u8::from(value)])
    }

    pub fn int(self, path: &str, value: i64) -> Self {
        self.bytes(path, &value.to_le_bytes())
    }

    pub fn uint(self, path: &str, value: u64) -> Self {
        self.bytes(path, &value.to_le_bytes())
    }

    /// A duration, or a timestamp as the time since the Unix epoch: nanoseconds.
    pub fn duration(self, path: &str, value: Duration) -> Self {
        self.uint(path, nanoseconds(value))
    }

    /// Any other value as it arrives in the guest, such as a serialised message. `.` parts the segments of the path.
    pub fn bytes(self, path: &str, value: &[u8]) -> Self {
        self.segments(path.split('.'), value)
    }

    /// For segments that contain dots: `["filter_state", "io.istio.peer_principal"]`.
    pub fn segments<'a>(mut self, path: impl IntoIterator<Item = &'a str>, value: &[u8]) -> Self {
        let path: Vec<&str> = path.into_iter().collect();
        self.0.insert(path.join("\0").into_bytes(), value.to_vec());
        self
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Whether attributes lie below `path`: Envoy then has a map there.
    pub(crate) fn has_below(&self, path: &[u8]) -> bool {
        let mut prefix = path.to_vec();
        prefix.push(0);
        self.0
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(found, _)| found.starts_with(&prefix))
    }
}
