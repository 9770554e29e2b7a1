//! `Content-Digest` (RFC 9530): what a client says that its body hashes to.

use crate::{crypto::Hasher, message_signature::dictionary, request::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sfv::{BareItem, ListEntry};

/// The algorithms of RFC 9530 section 5 that are not deprecated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    /// The stronger first.
    const ALL: [Algorithm; 2] = [Algorithm::Sha512, Algorithm::Sha256];

    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha-256",
            Algorithm::Sha512 => "sha-512",
        }
    }

    fn hasher(self) -> Hasher {
        match self {
            Algorithm::Sha256 => Hasher::sha256(),
            Algorithm::Sha512 => Hasher::sha512(),
        }
    }
}

/// What is claimed of a body: every digest of an algorithm that counts. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    digests: Vec<(Algorithm, Vec<u8>)>,
    /// Of no other algorithm is anything claimed.
    is_all: bool,
}

/// No structured field, a member of another type than bytes, or an algorithm twice: two readers could
/// make different things of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl Claimed {
    /// What the request claims; `None` where it says nothing, or nothing of an algorithm that counts
    /// (the others of the registry are deprecated, RFC 9530 section 6.2).
    pub fn of(request: &Request<'_>) -> Result<Option<Claimed>, Malformed> {
        let mut text = String::new();
        for line in request.values(FIELD) {
            let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(line);
        }
        let members = dictionary(&text).map_err(|_| Malformed)?;
        let (mut claimed, mut is_all) = (Vec::new(), true);
        for (name, entry) in &members {
            let ListEntry::Item(item) = entry else {
                return Err(Malformed);
            };
            let BareItem::ByteSequence(digest) = &item.bare_item else {
                return Err(Malformed);
            };
            let known = Algorithm::ALL.iter().find(|it| it.name() == name.as_str());
            is_all &= known.is_some();
            claimed.extend(known.map(|algorithm| (*algorithm, digest.clone())));
        }
        claimed.sort_by_key(|(algorithm, _)| *algorithm == Algorithm::Sha256);
        let digests = claimed;
        Ok((!digests.is_empty()).then_some(Claimed { digests, is_all }))
    }

    /// Hashes for each of them.
    pub fn hashers(&self) -> Hashers {
        let each = self.digests.iter();
        Hashers(each.map(|(it, _)| (*it, it.hasher())).collect())
    }

    /// Whether a body has all the digests that are claimed of it. Digests are no secrets.
    pub fn agrees(&self, digests: &Digests) -> bool {
        self.digests == digests.0
    }

    /// Whether every member of the field is one of them.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// The strongest of them, as it stands in the field: `sha-256=:...:`.
    pub fn strongest(&self) -> String {
        let text = |(it, digest): &(Algorithm, Vec<u8>)| {
            format!("{}=:{}:", it.name(), STANDARD.encode(digest))
        };
        self.digests.first().map(text).unwrap_or_default()
    }
}

/// What a client says of this body: the field's value, with SHA-256 (RFC 9530 section 2).
pub fn content_digest(body: &[u8]) -> String {
    let mut hasher = Algorithm::Sha256.hasher();
    hasher.update(body);
    let digests = vec![(Algorithm::Sha256, hasher.finish())];
    let is_all = true;
    Claimed { digests, is_all }.strongest()
}

/// The field's name.
pub const FIELD: &str = "content-digest";

/// Digests in the making.
#[derive(Clone, Debug, Default)]
pub struct Hashers(Vec<(Algorithm, Hasher)>);

/// What a body hashes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests(Vec<(Algorithm, Vec<u8>)>);

impl Hashers {
    pub fn update(&mut self, piece: &[u8]) {
        for (_, hasher) in &mut self.0 {
            hasher.update(piece);
        }
    }

    pub fn finish(self) -> Digests {
        let each = self.0.into_iter();
        Digests(each.map(|(it, hasher)| (it, hasher.finish())).collect())
    }
}
