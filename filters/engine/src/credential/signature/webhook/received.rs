//! What a signature may be over, as it was received: nothing was removed from it yet.

use super::Fault;
use crate::{fields::is_twin, request::Request, words::Reason};

pub struct Received<'r> {
    request: &'r Request<'r>,
}

impl<'r> Received<'r> {
    pub fn of(request: &'r Request<'r>) -> Received<'r> {
        Received { request }
    }

    /// Every line of a header, without the white space around its value. A proxy that speaks HTTP/2
    /// has made `:authority` of `host` (RFC 9113 section 8.3.1). One that stands beside another spelling
    /// of its name is refused: an upstream may fold both into one, and read the one that nobody signed.
    pub fn lines(&self, name: &str) -> Result<Vec<&'r str>, Fault> {
        let text = |line: &'r [u8]| {
            let line = std::str::from_utf8(line);
            line.map(|it| it.trim_matches([' ', '\t']))
        };
        let read = |name: &str| self.request.values(name).map(text).collect();
        let mut lines: Result<Vec<&str>, _> = read(name);
        if name == "host" && lines.as_ref().is_ok_and(Vec::is_empty) {
            lines = read(":authority");
        }
        let malformed = |why| (Reason::SignatureMalformed, why);
        let lines = lines.map_err(|_| malformed("is over a header that is not UTF-8"))?;
        let is_beside_twin = || self.names().any(|it| it != name && is_twin(it, name));
        match !lines.is_empty() && is_beside_twin() {
            true => Err(malformed(
                "is over a header that stands beside another spelling of its name",
            )),
            false => Ok(lines),
        }
    }

    /// The value of a header that may stand once.
    pub fn once(&self, name: &str) -> Result<Option<&'r str>, Fault> {
        match self.lines(name)?.as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err((
                Reason::SignatureMalformed,
                "is over a header that stands more than once",
            )),
        }
    }

    /// The value of a header that must stand once.
    pub fn needed(&self, name: &str) -> Result<&'r str, Fault> {
        let absent = (
            Reason::SignatureMalformed,
            "is over a header that the request does not have",
        );
        self.once(name)?.ok_or(absent)
    }

    pub fn method(&self) -> Result<&'r str, Fault> {
        self.needed(":method")
    }

    /// The path with its query, as the request has it. CONNECT has none.
    pub fn target(&self) -> Result<&'r str, Fault> {
        self.needed(":path")
    }

    pub fn scheme(&self) -> Option<&'r str> {
        let own = self.once(":scheme").ok().flatten();
        own.or(self.request.attributes.scheme)
    }

    pub fn protocol(&self) -> Option<&'r str> {
        self.request.attributes.protocol
    }

    pub fn has_body(&self) -> bool {
        self.request.body.is_there()
    }

    pub fn names(&self) -> impl Iterator<Item = &'r str> {
        self.request.headers.iter().map(|(name, _)| *name)
    }
}
