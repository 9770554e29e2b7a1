//! Bodies: hashed as they come, kept only where somebody reads them, and never decided on by a part.

pub mod digest;
mod kept;
pub mod parse;

pub use kept::Shelf;

use crate::{
    config::body::{Digest, Hold, Rules},
    credential::signature::webhook::{Content, Work},
    crypto::{Hasher, Mac},
    headers::Headers,
    request::{Incoming, Request},
    words::Reason,
};
use digest::{Claimed, Digests, Hashers, Malformed};
use kept::{Full, Kept, Whole};

/// Takes a body in, piece by piece. What it holds is bounded: where the body is to be parsed
/// `body.max_bytes`, else some hundred bytes; and so is what all of a gate's hold together.
#[derive(Debug)]
pub struct BodyReader {
    hashers: Hashers,
    marks: Marks,
    /// What came, where it is to be parsed.
    kept: Option<Kept>,
    length: u64,
    max_bytes: u64,
    /// Why it is refused, whatever else comes.
    fault: Option<Reason>,
}

/// What signatures need to know of a body, in the making.
#[derive(Clone, Debug)]
struct Marks {
    macs: Vec<(String, Vec<Mac>)>,
    sha256: Option<Hasher>,
}

impl Marks {
    fn new(work: &Work) -> Marks {
        Marks {
            macs: work.macs.clone(),
            sha256: work.sha256.then(Hasher::sha256),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        for mac in self.macs.iter_mut().flat_map(|(_, macs)| macs) {
            mac.update(piece);
        }
        if let Some(hasher) = &mut self.sha256 {
            hasher.update(piece);
        }
    }
}

/// A body that has ended.
#[derive(Debug)]
pub struct Body {
    digests: Digests,
    macs: Vec<(String, Vec<Vec<u8>>)>,
    sha256: Option<Vec<u8>>,
    kept: Option<Whole>,
    length: u64,
    fault: Option<Reason>,
}

impl Body {
    /// Bytes of it that are kept, to be shown to the policy.
    pub fn kept(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.bytes().len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What signatures are held against.
    pub(crate) fn content(&self) -> Content<'_> {
        Content {
            length: self.length,
            macs: self.macs.clone(),
            sha256: self.sha256.clone(),
            bytes: self.kept.as_ref().map(Whole::bytes),
        }
    }
}

impl BodyReader {
    fn new(rules: &Rules, claimed: Option<&Claimed>, work: &Work, shelf: &Shelf) -> BodyReader {
        BodyReader {
            hashers: claimed.map(Claimed::hashers).unwrap_or_default(),
            marks: Marks::new(work),
            kept: (rules.parse || work.keep).then(|| shelf.begin()),
            length: 0,
            max_bytes: rules.max_bytes,
            fault: None,
        }
    }

    /// The next piece. Of a body that is refused nothing more is looked at.
    pub fn push(&mut self, piece: &[u8]) {
        let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.length = self.length.saturating_add(more);
        if self.length > self.max_bytes {
            self.fault.get_or_insert(Reason::BodyTooLarge);
        }
        if let (None, Some(kept)) = (self.fault, &mut self.kept)
            && let Err(Full) = kept.push(piece)
        {
            self.fault = Some(Reason::BodyFull);
        }
        match self.fault {
            Some(_) => self.kept = None,
            None => {
                self.hashers.update(piece);
                self.marks.update(piece);
            }
        }
    }

    /// Whether the rest need not be waited for: the request is refused whatever it is.
    pub fn is_refused(&self) -> bool {
        self.fault.is_some()
    }

    /// All of it has come.
    pub fn finish(self) -> Body {
        let of_hook =
            |(id, macs): (String, Vec<Mac>)| (id, macs.into_iter().map(Mac::finish).collect());
        Body {
            digests: self.hashers.finish(),
            macs: self.marks.macs.into_iter().map(of_hook).collect(),
            sha256: self.marks.sha256.map(Hasher::finish),
            kept: self.kept.map(Kept::finish),
            length: self.length,
            fault: self.fault,
        }
    }
}

/// What the configuration asks of one request's body.
pub struct Demand<'p> {
    rules: &'p Rules,
    claimed: Option<Claimed>,
    /// What signatures need to know of it.
    work: Work,
    shelf: &'p Shelf,
}

/// Why a body refuses its request.
pub type Refused = (Reason, Option<&'static str>);

/// What is known of a body that was judged.
#[derive(Default)]
pub struct Judged<'p> {
    /// The digest that it has, where one was claimed.
    pub digest: Option<String>,
    /// Whether nothing else is claimed of it, which nobody looked at.
    pub is_all: bool,
    /// The bytes, where they are to be parsed.
    pub bytes: Option<&'p [u8]>,
    pub content: Content<'p>,
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
    pub fn new(
        rules: &'p Rules,
        shelf: &'p Shelf,
        request: &Request<'_>,
        work: Work,
    ) -> Result<Demand<'p>, Refused> {
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
        Ok(Demand {
            rules,
            claimed,
            work,
            shelf,
        })
    }

    /// Whether the body has to be looked at.
    fn is_any(&self) -> bool {
        self.claimed.is_some() || self.rules.parse || self.work.is_any()
    }

    /// What takes the body in, where it has to be looked at.
    pub fn reader(&self) -> Option<BodyReader> {
        self.is_any().then(|| self.new_reader())
    }

    fn new_reader(&self) -> BodyReader {
        BodyReader::new(self.rules, self.claimed.as_ref(), &self.work, self.shelf)
    }

    pub fn verdict(
        self,
        request: &'p Request<'_>,
        headers: &Headers<'_>,
    ) -> Result<Verdict<'p>, Refused> {
        match request.body {
            _ if !self.is_any() => Ok(Verdict::Judged(Judged::default())),
            Incoming::None => self
                .judged(&self.new_reader().finish(), Some(&[]))
                .map(Verdict::Judged),
            Incoming::Read(body) => {
                let is_whole = content_length(headers).is_none_or(|length| length == body.length);
                if !is_whole && body.fault.is_none() {
                    return Err((Reason::BodyTruncated, None));
                }
                let bytes = body.kept.as_ref().map(Whole::bytes);
                self.judged(body, bytes).map(Verdict::Judged)
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
                    Hold::Stream if self.work.is_any() => {
                        let why = "a webhook's signature is over all of its body, and `body.hold` is `stream`";
                        Err((Reason::BodyHostUnsupported, Some(why)))
                    }
                    Hold::Stream => Ok(Verdict::Passing(Box::new(Check {
                        reader: self.new_reader(),
                        claimed: self.claimed,
                        length: content_length(headers),
                    }))),
                }
            }
        }
    }

    fn judged(&self, body: &Body, bytes: Option<&'p [u8]>) -> Result<Judged<'p>, Refused> {
        if let Some(reason) = body.fault {
            return Err((reason, None));
        }
        judge(&body.digests, self.claimed.as_ref()).map_err(|reason| (reason, None))?;
        Ok(Judged {
            digest: self.claimed.as_ref().map(Claimed::strongest),
            is_all: self.claimed.as_ref().is_some_and(Claimed::is_all),
            bytes: bytes.filter(|_| self.rules.parse),
            content: Content {
                bytes,
                ..body.content()
            },
        })
    }
}

fn judge(digests: &Digests, claimed: Option<&Claimed>) -> Result<(), Reason> {
    match claimed {
        Some(claimed) if !claimed.agrees(digests) => Err(Reason::DigestMismatch),
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
    ///
    /// # Errors
    /// What is wrong with that part: it must not pass.
    pub fn of(self, reader: BodyReader) -> Result<Check, Reason> {
        let check = Check { reader, ..self };
        check.so_far().map(|()| check)
    }

    /// The next piece.
    ///
    /// # Errors
    /// What is wrong with the body: the piece must not pass.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Reason> {
        self.reader.push(piece);
        self.so_far()
    }

    /// A piece that makes up the length is judged as the last: Envoy tells of the end only once the
    /// upstream has all of it (over HTTP/1.1).
    fn so_far(&self) -> Result<(), Reason> {
        let reader = &self.reader;
        match (reader.fault, self.length) {
            (Some(reason), _) => Err(reason),
            (None, Some(length)) if length < reader.length => Err(Reason::BodyTruncated),
            (None, Some(length)) if length == reader.length => {
                judge(&reader.hashers.clone().finish(), self.claimed.as_ref())
            }
            (None, _) => Ok(()),
        }
    }

    /// The body has ended: its last piece passes only where this is Ok.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finish(self) -> Result<(), Reason> {
        let body = self.reader.finish();
        match body.fault {
            Some(reason) => Err(reason),
            None if self.length.is_some_and(|length| length != body.length) => {
                Err(Reason::BodyTruncated)
            }
            None => judge(&body.digests, self.claimed.as_ref()),
        }
    }
}

/// Hygiene has seen to it that it is digits; more of them than count are more than anybody takes.
fn content_length(headers: &Headers<'_>) -> Option<u64> {
    headers
        .first("content-length")
        .map(|length| length.parse().unwrap_or(u64::MAX))
}

/// CONNECT (RFC 9110 section 9.3.6), extended or not (RFC 8441), and upgrades (section 7.8): what
/// follows is no body.
fn is_tunnel(headers: &Headers<'_>) -> bool {
    headers.first(":method") == Some("CONNECT") || headers.first("upgrade").is_some()
}
