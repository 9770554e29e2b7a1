//! Bodies: hashed as they come, kept only where somebody reads them, and never decided on by a part.

pub mod digest;
pub mod parse;

use crate::{
    config::body::{Digest, Hold, Rules},
    headers::Headers,
    request::{Incoming, Request},
    words::Reason,
};
use digest::{Claimed, Digests, Hashers, Malformed};

/// Takes a body in, piece by piece. What it holds is bounded: where the body is to be parsed
/// `body.max_bytes`, else some hundred bytes.
#[derive(Clone, Debug)]
pub struct BodyReader {
    hashers: Hashers,
    /// What came, where it is to be parsed.
    kept: Option<Vec<u8>>,
    length: u64,
    max_bytes: u64,
}

/// A body that has ended.
#[derive(Debug)]
pub struct Body {
    digests: Digests,
    kept: Option<Vec<u8>>,
    length: u64,
    is_too_large: bool,
}

impl Body {
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl BodyReader {
    fn new(rules: &Rules, claimed: Option<&Claimed>) -> BodyReader {
        BodyReader {
            hashers: claimed.map(Claimed::hashers).unwrap_or_default(),
            kept: rules.parse.then(Vec::new),
            length: 0,
            max_bytes: rules.max_bytes,
        }
    }

    /// The next piece. Of a body that is too large nothing more is looked at.
    pub fn push(&mut self, piece: &[u8]) {
        let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.length = self.length.saturating_add(more);
        if self.is_too_large() {
            self.kept = self.kept.take().map(|_| Vec::new());
            return;
        }
        self.hashers.update(piece);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(piece);
        }
    }

    /// Whether the rest need not be waited for: it is refused whatever it is.
    pub fn is_too_large(&self) -> bool {
        self.length > self.max_bytes
    }

    /// All of it has come.
    pub fn finish(self) -> Body {
        Body {
            is_too_large: self.is_too_large(),
            digests: self.hashers.finish(),
            kept: self.kept,
            length: self.length,
        }
    }
}

/// What the configuration asks of one request's body.
pub struct Demand<'p> {
    rules: &'p Rules,
    claimed: Option<Claimed>,
}

/// Why a body refuses its request.
pub type Refused = (Reason, Option<&'static str>);

/// What is known of a body that was judged.
#[derive(Default)]
pub struct Judged<'p> {
    /// The digest that it has, where one was claimed.
    pub digest: Option<String>,
    /// The bytes, where they are to be parsed.
    pub bytes: Option<&'p [u8]>,
}

/// How a request goes on.
pub enum Verdict<'p> {
    Judged(Judged<'p>),
    /// It must have come first.
    NotYet,
    /// It is checked while it passes.
    Passing(Box<Check>),
}

impl<'p> Demand<'p> {
    pub fn new(rules: &'p Rules, request: &Request<'_>) -> Result<Demand<'p>, Refused> {
        let claimed = match rules.digest {
            Digest::Off => None,
            Digest::IfPresent | Digest::Required => Claimed::of(request).map_err(|Malformed| {
                let why = "`content-digest` is no dictionary of digests, each once";
                (Reason::DigestMismatch, Some(why))
            })?,
        };
        let is_missing = claimed.is_none() && rules.digest == Digest::Required;
        if is_missing && request.body.is_there() {
            return Err((Reason::DigestMissing, None));
        }
        Ok(Demand { rules, claimed })
    }

    /// Whether the body has to be looked at.
    fn is_any(&self) -> bool {
        self.claimed.is_some() || self.rules.parse
    }

    /// What takes the body in, where it has to be looked at.
    pub fn reader(&self) -> Option<BodyReader> {
        self.is_any()
            .then(|| BodyReader::new(self.rules, self.claimed.as_ref()))
    }

    pub fn verdict(
        self,
        request: &'p Request<'_>,
        headers: &Headers<'_>,
    ) -> Result<Verdict<'p>, Refused> {
        match request.body {
            _ if !self.is_any() => Ok(Verdict::Judged(Judged::default())),
            Incoming::None => self.judged(&self.empty(), Some(&[])).map(Verdict::Judged),
            Incoming::Read(body) => {
                let is_whole = content_length(headers).is_none_or(|length| length == body.length);
                if !is_whole && !body.is_too_large {
                    return Err((Reason::BodyTruncated, None));
                }
                self.judged(body, body.kept.as_deref()).map(Verdict::Judged)
            }
            Incoming::Coming => {
                if is_tunnel(headers) {
                    let why = "the body of an upgrade or a tunnel never ends";
                    return Err((Reason::BodyHostUnsupported, Some(why)));
                }
                if content_length(headers).is_some_and(|length| length > self.rules.max_bytes) {
                    return Err((Reason::BodyTooLarge, None));
                }
                match self.rules.hold {
                    Hold::Headers => Ok(Verdict::NotYet),
                    Hold::Refuse => {
                        let why = "`body.hold` is `refuse`";
                        Err((Reason::BodyHostUnsupported, Some(why)))
                    }
                    Hold::Stream => Ok(Verdict::Passing(Box::new(Check {
                        reader: BodyReader::new(self.rules, self.claimed.as_ref()),
                        claimed: self.claimed,
                        length: content_length(headers),
                    }))),
                }
            }
        }
    }

    fn empty(&self) -> Body {
        BodyReader::new(self.rules, self.claimed.as_ref()).finish()
    }

    fn judged(&self, body: &Body, bytes: Option<&'p [u8]>) -> Result<Judged<'p>, Refused> {
        judge(body, self.claimed.as_ref())?;
        Ok(Judged {
            digest: self.claimed.as_ref().map(Claimed::strongest),
            bytes: bytes.filter(|_| self.rules.parse),
        })
    }
}

fn judge(body: &Body, claimed: Option<&Claimed>) -> Result<(), Refused> {
    if body.is_too_large {
        return Err((Reason::BodyTooLarge, None));
    }
    match claimed {
        Some(claimed) if !claimed.agrees(&body.digests) => Err((Reason::DigestMismatch, None)),
        _ => Ok(()),
    }
}

/// The check of a body that the upstream may see a part of before it is refused (`hold: stream`).
#[derive(Debug)]
pub struct Check {
    reader: BodyReader,
    claimed: Option<Claimed>,
    length: Option<u64>,
}

impl Check {
    /// The same check of a body of which a part was taken in before.
    pub fn of(self, reader: BodyReader) -> Check {
        Check { reader, ..self }
    }

    /// The next piece. One that makes up the length is judged as the last: Envoy tells of the end only
    /// once the upstream has all of it (over HTTP/1.1).
    ///
    /// # Errors
    /// What is wrong with the body: the piece must not pass.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Reason> {
        self.reader.push(piece);
        if self.reader.is_too_large() {
            return Err(Reason::BodyTooLarge);
        }
        match self.length {
            Some(length) if length < self.reader.length => Err(Reason::BodyTruncated),
            Some(length) if length == self.reader.length => {
                let body = self.reader.clone().finish();
                judge(&body, self.claimed.as_ref()).map_err(|(reason, _)| reason)
            }
            _ => Ok(()),
        }
    }

    /// The body has ended: its last piece passes only where this is Ok.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finish(self) -> Result<(), Reason> {
        let body = self.reader.finish();
        if self.length.is_some_and(|length| length != body.length) {
            return Err(Reason::BodyTruncated);
        }
        judge(&body, self.claimed.as_ref()).map_err(|(reason, _)| reason)
    }
}

/// Hygiene has seen to it that it is digits.
fn content_length(headers: &Headers<'_>) -> Option<u64> {
    headers.first("content-length")?.parse().ok()
}

/// CONNECT (RFC 9110 section 9.3.6), extended or not (RFC 8441), and upgrades (section 7.8): what
/// follows is no body.
fn is_tunnel(headers: &Headers<'_>) -> bool {
    headers.first(":method") == Some("CONNECT") || headers.first("upgrade").is_some()
}
