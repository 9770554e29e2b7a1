//! HTTP calls as values: the shell makes them, through its host.

use crate::config::{remote::Endpoint, secret::Secret};
use sfv::{BareItem, ListEntry};
use std::time::Duration;

/// Which call an answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

/// Set in the calls of a candidate, which counts them for itself.
const OF_CANDIDATE: u64 = 1 << 63;

impl CallId {
    pub fn of_candidate(self) -> CallId {
        CallId(self.0 | OF_CANDIDATE)
    }

    /// Of a candidate's call, its own number of it.
    pub fn as_candidates(self) -> Option<CallId> {
        (self.0 & OF_CANDIDATE != 0).then_some(CallId(self.0 & !OF_CANDIDATE))
    }
}

/// A call that is due.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    pub id: CallId,
    /// The proxy's name of where it goes.
    pub cluster: String,
    /// With `:method`, `:path` and `:authority`, which come first.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
    /// The most bytes of an answer's body that anything is made of. A shell need not read a longer one.
    pub max_body: usize,
}

/// What came of a call.
#[derive(Clone)]
pub enum Answer {
    Response {
        /// With `:status`.
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
    },
    /// No connection, a reset, a timeout, a body past [`Call::max_body`], or no such cluster.
    Failed,
}

/// Of key sets, discovery and introspection.
const MAX_BODY: usize = 256 * 1024;

impl std::fmt::Debug for Call {
    /// Without headers and body, which may hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Call {
    pub(super) fn get(id: CallId, endpoint: &Endpoint, timeout: Duration) -> Call {
        Call::new(id, "GET", endpoint, timeout)
    }

    pub(super) fn new(id: CallId, method: &str, endpoint: &Endpoint, timeout: Duration) -> Call {
        let headers = [
            (":method", method),
            (":path", &endpoint.path),
            (":authority", &endpoint.authority),
            ("accept", "application/json"),
        ];
        Call {
            id,
            cluster: endpoint.cluster.clone(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: Vec::new(),
            timeout,
            max_body: MAX_BODY,
        }
    }

    pub(super) fn add(&mut self, name: &str, value: String) {
        self.headers.push((name.to_owned(), value));
    }

    /// In place of what any call accepts.
    pub(super) fn accept(&mut self, kinds: &str) {
        self.headers.retain(|(name, _)| name != "accept");
        self.add("accept", kinds.to_owned());
    }

    /// As a client that has this token (RFC 6750 section 2.1).
    pub(super) fn authorize(&mut self, token: &Secret) {
        let token = String::from_utf8_lossy(token.expose());
        self.add("authorization", format!("Bearer {token}"));
    }
}

impl Answer {
    /// `None` where there was no answer, or none that has one.
    pub(super) fn status(&self) -> Option<u16> {
        self.header(":status")?.parse().ok()
    }

    /// The lines of that name as one.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        match self {
            Answer::Response { headers, .. } => {
                let value = String::from_utf8(combined(headers, name)).ok()?;
                (!value.is_empty()).then_some(value)
            }
            Answer::Failed => None,
        }
    }

    /// The body of a 200.
    ///
    /// # Errors
    /// What there is in its place.
    pub(super) fn content(&self) -> Result<&[u8], String> {
        let (headers, body) = match self {
            Answer::Response { headers, body } if body.len() <= MAX_BODY => (headers, body),
            // A shell need not read a body that is too long, and has no answer then.
            _ => return Err("there was no answer, or too long a one".to_owned()),
        };
        match combined(headers, ":status").as_slice() {
            b"200" => Ok(body),
            status => Err(format!(
                "the answer has status {}",
                String::from_utf8_lossy(status).escape_default()
            )),
        }
    }

    /// Seconds for which the answer is still fresh by what it says (RFC 9111 section 4.2): 0 where it
    /// is not to be kept at all, `None` where it does not say.
    pub(super) fn max_age(&self) -> Option<u64> {
        let Answer::Response { headers, .. } = self else {
            return None;
        };
        // Directives have the form of structured fields, but for their case.
        let text = String::from_utf8(combined(headers, "cache-control")).ok()?;
        let directives = sfv::Parser::new(&text.to_ascii_lowercase())
            .parse::<sfv::Dictionary>()
            .ok()?;
        let none = ["no-store", "no-cache"];
        if none.iter().any(|name| directives.contains_key(*name)) {
            return Some(0);
        }
        match directives.get("max-age")? {
            ListEntry::Item(item) => match item.bare_item {
                BareItem::Integer(seconds) => {
                    let seconds = u64::try_from(i64::from(seconds)).ok()?;
                    let age = String::from_utf8(combined(headers, "age")).ok()?;
                    Some(seconds.saturating_sub(age.trim().parse().unwrap_or(0)))
                }
                _ => None,
            },
            ListEntry::InnerList(_) => None,
        }
    }
}

/// The lines of that name as one (RFC 9110 section 5.3).
fn combined(headers: &[(String, Vec<u8>)], name: &str) -> Vec<u8> {
    let lines = headers.iter().filter(|(found, _)| found == name);
    let lines: Vec<&[u8]> = lines.map(|(_, value)| value.as_slice()).collect();
    lines.join(b", ".as_slice())
}
