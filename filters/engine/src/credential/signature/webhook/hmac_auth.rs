//! `hmac-auth` as Kong (`Authorization: hmac username=...`) and APISIX (`Authorization: Signature
//! keyId=...`) have it, after draft-cavage-http-signatures-12. Sources: the documentation of both
//! plugins.
//!
//! Stricter than both: a date must be covered, SHA-1 is not taken, and the `Digest` that is held against
//! the body is one that the signature covers.

use super::{BODY, Content, Fault, Over, Plan, Sight, received::Received};
use crate::{
    config::webhooks::AUTHORIZATION,
    crypto::{MacHash, encoding},
    words::Reason,
};
use http_auth::parser::ChallengeParser;
use std::{fmt::Write as _, time::UNIX_EPOCH};

#[derive(Debug)]
pub struct Text {
    text: String,
    /// What `Digest` says of the body, where that is covered.
    digest: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Kong,
    Apisix,
}

impl Dialect {
    /// By the scheme of `Authorization`.
    fn of(value: &str) -> Option<Dialect> {
        match value.split([' ', '\t']).next()? {
            it if it.eq_ignore_ascii_case("hmac") => Some(Dialect::Kong),
            it if it.eq_ignore_ascii_case("signature") => Some(Dialect::Apisix),
            _ => None,
        }
    }
}

/// Whether this value of `Authorization` is one of these.
pub fn is_own(value: &str) -> bool {
    Dialect::of(value).is_some()
}

/// The parameters of the credentials (RFC 9110 section 11.4).
#[derive(Default)]
struct Credentials {
    key_id: Option<String>,
    algorithm: Option<String>,
    headers: Option<String>,
    signature: Option<String>,
}

/// The headers that one signature may cover.
const MOST_COVERED: usize = 64;

const MALFORMED: Fault = (
    Reason::SignatureMalformed,
    "has credentials that are none of `hmac-auth`: each parameter once, in quotes",
);

pub fn plan(key_id: &str, required: &[String], received: &Received<'_>) -> Result<Sight, Fault> {
    let Some(value) = received.once(AUTHORIZATION)? else {
        return Ok(Sight::Nothing);
    };
    let (dialect, own) = match Dialect::of(value) {
        Some(Dialect::Kong) => (Dialect::Kong, "username"),
        Some(Dialect::Apisix) => (Dialect::Apisix, "keyId"),
        None => return Ok(Sight::Nothing),
    };
    let credentials = Credentials::parse(value, own)?;
    let named = credentials.key_id.ok_or(MALFORMED)?;
    if named != key_id {
        return Ok(Sight::Foreign);
    }
    let hash = match credentials.algorithm.ok_or(MALFORMED)?.as_str() {
        "hmac-sha256" => MacHash::Sha256,
        "hmac-sha384" => MacHash::Sha384,
        "hmac-sha512" => MacHash::Sha512,
        _ => {
            let why =
                "names no algorithm that is taken: `hmac-sha256`, `hmac-sha384`, `hmac-sha512`";
            return Err((Reason::SignatureInvalid, why));
        }
    };
    let signature = credentials.signature.ok_or(MALFORMED)?;
    let signature = encoding::standard(signature.as_bytes()).map_err(|_| MALFORMED)?;
    let headers = credentials.headers.unwrap_or_default();
    let covered: Vec<&str> = headers
        .split(' ')
        .filter(|name| !name.is_empty())
        .take(MOST_COVERED.saturating_add(1))
        .collect();
    let lower: Vec<String> = covered.iter().map(|it| it.to_ascii_lowercase()).collect();
    let twice = lower.iter().enumerate().any(|(index, name)| {
        lower
            .iter()
            .skip(index.saturating_add(1))
            .any(|it| it == name)
    });
    if twice || covered.len() > MOST_COVERED {
        return Err(MALFORMED);
    }
    demand(&lower, required, received)?;
    let created = date(&lower, received)?;
    let text = match dialect {
        Dialect::Kong => kong(&covered, received)?,
        Dialect::Apisix => apisix(key_id, &covered, received)?,
    };
    let digest = match covers(&lower, "digest") {
        true => Some(digest(received.needed("digest")?)?),
        false => None,
    };
    let mut told = Vec::new();
    for name in lower {
        match name.as_str() {
            TARGET | LINE => {
                told.extend(["@method".to_owned(), "@request-target".to_owned()]);
            }
            _ => told.push(name),
        }
    }
    told.extend(digest.is_some().then(|| BODY.to_owned()));
    Ok(Sight::Plan(Box::new(Plan {
        signatures: vec![signature],
        hash,
        created: Some(created),
        covered: told,
        over: Over::HmacAuth(Text { text, digest }),
    })))
}

const TARGET: &str = "@request-target";
const LINE: &str = "request-line";

impl Credentials {
    fn parse(value: &str, own: &str) -> Result<Credentials, Fault> {
        let mut read = Credentials::default();
        let mut challenges = ChallengeParser::new(value);
        let challenge = challenges.next().and_then(Result::ok).ok_or(MALFORMED)?;
        if challenges.next().is_some() {
            return Err(MALFORMED);
        }
        for (name, value) in challenge.params {
            let place = match name {
                name if name.eq_ignore_ascii_case(own) => &mut read.key_id,
                "algorithm" => &mut read.algorithm,
                "headers" => &mut read.headers,
                "signature" => &mut read.signature,
                _ => continue,
            };
            if place.replace(value.to_unescaped()).is_some() {
                return Err(MALFORMED);
            }
        }
        Ok(read)
    }
}

fn covers(covered: &[String], name: &str) -> bool {
    covered.iter().any(|it| it == name)
}

/// A body's digest has to be covered where there is a body.
fn demand(covered: &[String], required: &[String], received: &Received<'_>) -> Result<(), Fault> {
    let missing = required.iter().any(|name| match name.as_str() {
        TARGET => !covers(covered, TARGET) && !covers(covered, LINE),
        "digest" => received.has_body() && !covers(covered, "digest"),
        name => !covers(covered, name),
    });
    match missing {
        false => Ok(()),
        true => Err((
            Reason::SignatureComponentMissing,
            "does not cover all of `components`",
        )),
    }
}

/// When it was made: `x-date`, or else `date`.
fn date(covered: &[String], received: &Received<'_>) -> Result<i64, Fault> {
    let mut names = ["x-date", "date"].into_iter();
    let name = names.find(|name| covers(covered, name)).ok_or((
        Reason::SignatureComponentMissing,
        "covers neither `date` nor `x-date`, so that nothing tells its age",
    ))?;
    let fault = (
        Reason::SignatureMalformed,
        "has a date that is none (RFC 9110 section 5.6.7)",
    );
    let time = httpdate::parse_http_date(received.needed(name)?).map_err(|_| fault)?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| fault)?;
    i64::try_from(since.as_secs()).map_err(|_| fault)
}

/// One line each, the last without an end; names as the credentials write them.
fn kong(covered: &[&str], received: &Received<'_>) -> Result<String, Fault> {
    let mut lines = Vec::new();
    for name in covered {
        let lower = name.to_ascii_lowercase();
        lines.push(match lower.as_str() {
            TARGET => {
                let method = received.method()?;
                // Methods are told apart by case (RFC 9110 section 9.1), and here they are signed without.
                if method.bytes().any(|it| it.is_ascii_lowercase()) {
                    let why = "is of a method in small letters, which its text does not tell from large ones";
                    return Err((Reason::SignatureMalformed, why));
                }
                let method = method.to_ascii_lowercase();
                format!("{name}: {method} {}", received.target()?)
            }
            LINE => {
                // Kong's version has a digit behind the point.
                let protocol = match received.protocol() {
                    Some("HTTP/2") => "HTTP/2.0",
                    Some("HTTP/3") => "HTTP/3.0",
                    Some(other) => other,
                    None => {
                        let why = "covers `request-line`, and the protocol is not known";
                        return Err((Reason::SignatureInvalid, why));
                    }
                };
                format!("{} {} {protocol}", received.method()?, received.target()?)
            }
            lower => format!("{name}: {}", received.needed(lower)?),
        });
    }
    Ok(lines.join("\n"))
}

/// The key's id first; one line each, the last one too. Names are written as the credentials have them.
fn apisix(key_id: &str, covered: &[&str], received: &Received<'_>) -> Result<String, Fault> {
    let mut text = format!("{key_id}\n");
    for name in covered {
        let lower = name.to_ascii_lowercase();
        let _ = match lower.as_str() {
            TARGET => writeln!(text, "{} {}", received.method()?, received.target()?),
            lower => writeln!(text, "{name}: {}", received.needed(lower)?),
        };
    }
    Ok(text)
}

/// `SHA-256=` and base64 (RFC 3230 section 4.3.2).
fn digest(value: &str) -> Result<Vec<u8>, Fault> {
    let fault = (
        Reason::SignatureMalformed,
        "covers a `Digest` that is not `SHA-256=` and base64",
    );
    let (algorithm, digest) = value.split_once('=').ok_or(fault)?;
    if !algorithm.eq_ignore_ascii_case("sha-256") {
        return Err(fault);
    }
    encoding::standard(digest.as_bytes()).map_err(|_| fault)
}

impl Text {
    pub fn needs_sha256(&self) -> bool {
        self.digest.is_some()
    }

    pub fn settled(&self, content: &Content<'_>) -> Result<&[u8], &'static str> {
        match &self.digest {
            Some(digest) if content.sha256.as_ref() != Some(digest) => {
                Err("has a body with another digest than `Digest` says")
            }
            _ => Ok(self.text.as_bytes()),
        }
    }
}
