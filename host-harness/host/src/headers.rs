//! An ordered header map that folds repeated names exactly where Envoy's does.

use crate::error::{Breach, WireError};

/// Names are lower case and may repeat; values are bytes. Pseudo headers come first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

/// Names of which Envoy keeps one entry and appends to it with a comma (its "inline" headers: `header_map.h`, and those
/// that the built-in filters register). All others stay separate pairs, `cookie` and `x-api-key` among them.
const FOLDED: &[&str] = &[
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    ":status",
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "expect",
    "grpc-accept-encoding",
    "grpc-message",
    "grpc-status",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "location",
    "origin",
    "pragma",
    "proxy-connection",
    "referer",
    "server",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-envoy-attempt-count",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-original-path",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-timeout-ms",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

/// Gone before a filter runs, unless the request is an upgrade (`ConnectionManagerUtility::mutateRequestHeaders`).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

impl Headers {
    pub fn new() -> Self {
        Self::default()
    }

    /// What a filter sees of a request that came as `lines`: names in lower case, `Host` as `:authority`, repeated
    /// names folded, hop-by-hop headers, those that `Connection` nominates and `Expect: 100-continue` gone. An `:authority` among the pseudo
    /// headers (HTTP/2, or a target in absolute form) wins over `Host`.
    pub fn from_wire<N, V>(
        pseudo: &[(&str, &str)],
        lines: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, WireError>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut headers = Self::new();
        for (name, value) in pseudo {
            headers.add(name, value.as_bytes());
        }
        let authority = headers.get(":authority").is_some();
        for (name, value) in lines {
            let name = name.as_ref();
            let value = value.as_ref().trim_ascii();
            if !name.eq_ignore_ascii_case("host") {
                headers.add(name, value);
            } else if !authority {
                headers.add(":authority", value);
            }
        }
        headers.sanitize_connection()?;
        // Envoy has answered it with its own 100.
        let continues = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
        if headers.get("expect").is_some_and(continues) {
            headers.remove("expect");
        }
        Ok(headers)
    }

    /// The first value, as `proxy_get_header_map_value` answers.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(entry, _)| entry.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(entry, _)| entry.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `HeaderMap::addCopy`.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if FOLDED.contains(&name.as_str())
            && let Some((_, folded)) = self.0.iter_mut().find(|(entry, _)| *entry == name)
        {
            if !folded.is_empty() && !value.is_empty() {
                folded.push(b',');
            }
            folded.extend_from_slice(value);
            return;
        }
        let at = if name.starts_with(':') {
            self.0
                .iter()
                .take_while(|(entry, _)| entry.starts_with(':'))
                .count()
        } else {
            self.0.len()
        };
        self.0.insert(at, (name, value.to_vec()));
    }

    /// `HeaderMap::setCopy`: one value, whatever there was.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    pub fn remove(&mut self, name: &str) {
        self.0
            .retain(|(entry, _)| !entry.eq_ignore_ascii_case(name));
    }

    /// All values of a name joined with commas, as the attribute `request.headers` has them.
    pub(crate) fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(&b','))
    }

    pub(crate) fn byte_size(&self) -> usize {
        self.0
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }

    /// Whether Envoy would put it on the wire unharmed (RFC 9110, section 5).
    pub(crate) fn check(name: &str, value: &[u8]) -> Result<(), Breach> {
        let token = name.strip_prefix(':').unwrap_or(name);
        if token.is_empty() || !token.bytes().all(is_token) {
            return Err(Breach::HeaderName {
                name: name.escape_debug().to_string(),
            });
        }
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Breach::HeaderValue {
                name: name.to_owned(),
            });
        }
        Ok(())
    }

    /// `Utility::sanitizeConnectionHeader`, which Envoy's HTTP/1 codec leaves out for an upgrade: of
    /// that everything goes on, `Connection` and what it nominates included (tried).
    fn sanitize_connection(&mut self) -> Result<(), WireError> {
        let connection = self.joined("connection").unwrap_or_default();
        let nominated: Vec<String> = String::from_utf8_lossy(&connection)
            .split(',')
            .map(|token| token.trim().to_ascii_lowercase())
            .filter(|token| !token.is_empty())
            .collect();
        if nominated.iter().any(|name| name == "upgrade") && self.upgrades() {
            return Ok(());
        }
        if nominated.len() >= 10 {
            return Err(WireError::TooManyNominated(nominated.len()));
        }
        for name in nominated {
            match name.as_str() {
                "upgrade" | "close" | "http2-settings" | "keep-alive" | "connection" => {}
                "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => {
                    return Err(WireError::Nominated(name));
                }
                pseudo if pseudo.starts_with(':') => return Err(WireError::Nominated(name)),
                "te" if self.te_trailers() => {}
                nominated => self.remove(nominated),
            }
        }
        for name in HOP_BY_HOP {
            self.remove(name);
        }
        if self.te_trailers() {
            self.set("te", b"trailers");
        } else {
            self.remove("te");
        }
        Ok(())
    }

    /// `h2c` is no upgrade to Envoy.
    fn upgrades(&self) -> bool {
        self.get("upgrade")
            .is_some_and(|to| !to.eq_ignore_ascii_case(b"h2c"))
    }

    fn te_trailers(&self) -> bool {
        self.joined("te").is_some_and(|te| {
            te.split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
        })
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref());
        }
        headers
    }
}

/// Names only: values carry credentials.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
