//! A borrowed view of one request: the shell reads it from its host, nothing here is copied.

use crate::body::Body;

/// What the host says of the request. Names are lower-case; `:method`, `:authority`, `:path` and
/// `:scheme` are among the headers, as HTTP/2 and Envoy have them.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Every header line in order; repeated ones stay apart unless the host folded them.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub attributes: Attributes<'a>,
    pub body: Incoming<'a>,
}

/// What there is of a request's body.
#[derive(Clone, Copy, Debug, Default)]
pub enum Incoming<'a> {
    /// The request ended with its headers.
    #[default]
    None,
    /// It has not come yet, or not all of it.
    Coming,
    Read(&'a Body),
}

impl Incoming<'_> {
    /// Whether the request has one, as far as can be told now.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Incoming::None => false,
            Incoming::Coming => true,
            Incoming::Read(body) => !body.is_empty(),
        }
    }
}

/// Envoy's attributes, as far as the host knows them. Absent is `None` or empty, never made up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    pub source_address: Option<&'a str>,
    pub source_port: Option<u16>,
    pub destination_address: Option<&'a str>,
    pub destination_port: Option<u16>,
    pub request_id: Option<&'a str>,
    /// When the request came in: nanoseconds since the Unix epoch.
    pub request_time_ns: Option<u64>,
    /// `HTTP/1.1`, `HTTP/2`, ...
    pub protocol: Option<&'a str>,
    pub scheme: Option<&'a str>,
    /// Bytes of body, where the host knows them from `content-length`.
    pub size: Option<i64>,
    /// TLS SNI of the connection.
    pub server_name: Option<&'a str>,
    /// The certificate that the connection's peer showed.
    pub peer: Option<PeerCertificate<'a>>,
    /// Envoy's name of the route, and of its virtual host.
    pub route: Option<&'a str>,
    pub virtual_host: Option<&'a str>,
    /// What the route's metadata says under `portcullis`: the proxy's own, never a client's.
    pub route_metadata: &'a [(String, String)],
}

/// What the host tells of a certificate; as bytes, since a certificate can hold any. That it was
/// shown does not say that anybody validated it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerCertificate<'a> {
    /// The first URI and the first DNS name of the subject's alternative names (RFC 5280 section
    /// 4.2.1.6).
    pub uri_san: Option<&'a [u8]>,
    pub dns_san: Option<&'a [u8]>,
    /// As RFC 2253 writes it.
    pub subject: Option<&'a [u8]>,
    /// Of its DER, in hexadecimal.
    pub sha256: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// The first value of a header that has been checked to stand once (pseudo-headers above all).
    pub(crate) fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// Every value of a header, in order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(found, _)| *found == name)
            .map(|(_, value)| *value)
    }
}
