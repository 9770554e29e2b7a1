//! AWS Signature Version 4 in the `Authorization` header. Source: AWS's documentation, "Create a signed
//! AWS API request".
//!
//! Every `x-amz-` header must be signed, and so must the body: `UNSIGNED-PAYLOAD` and chunks that are
//! signed one by one are refused. What the scheme itself does not tell apart is the order of the query's
//! parameters, and escapes of what needs none in the query (of S3 in the path too).

use super::{BODY, Content, Fault, Over, Plan, Sight, received::Received};
use crate::{
    config::webhooks::AUTHORIZATION,
    crypto::{MacHash, hmac_sha256, sha256},
    query,
    words::Reason,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use std::time::UNIX_EPOCH;

#[derive(Debug)]
pub struct Text {
    /// The canonical request up to the body's hash.
    request: String,
    /// `20150830T123600Z`.
    date: String,
    /// Date, region and service.
    scope: [String; 3],
    /// What `x-amz-content-sha256` says of the body.
    claimed: Option<Vec<u8>>,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The headers that one signature may cover.
const MOST_COVERED: usize = 100;

const MALFORMED: Fault = (
    Reason::SignatureMalformed,
    "has credentials that are none: `AWS4-HMAC-SHA256 Credential=.../aws4_request, SignedHeaders=..., Signature=...`",
);

pub fn plan(
    key_id: &str,
    (region, service): (&str, &str),
    received: &Received<'_>,
) -> Result<Sight, Fault> {
    let Some(value) = received.once(AUTHORIZATION)? else {
        return Ok(Sight::Nothing);
    };
    let Some(parameters) = parameters(value) else {
        return Ok(Sight::Nothing);
    };
    let (mut credential, mut covered, mut signature) = (None, None, None);
    for parameter in parameters.split(',') {
        let (name, value) = parameter.trim().split_once('=').ok_or(MALFORMED)?;
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut covered,
            "Signature" => &mut signature,
            _ => return Err(MALFORMED),
        };
        if place.replace(value).is_some() {
            return Err(MALFORMED);
        }
    }
    let scope: Vec<&str> = credential.ok_or(MALFORMED)?.split('/').collect();
    let [named, day, its_region, its_service, "aws4_request"] = scope.as_slice() else {
        return Err(MALFORMED);
    };
    if *named != key_id {
        return Ok(Sight::Foreign);
    }
    if (*its_region, *its_service) != (region, service) {
        let why = "is for another region or service";
        return Err((Reason::SignatureInvalid, why));
    }
    let signature = base16ct::mixed::decode_vec(signature.ok_or(MALFORMED)?);
    let date = received.needed("x-amz-date")?;
    let created = seconds(date).filter(|_| date.starts_with(day) && day.len() == 8);
    let names = names(covered.ok_or(MALFORMED)?, received)?;
    let claimed = claimed(received)?;
    let mut told: Vec<String> = ["@method", "@path", "@query"].map(str::to_owned).into();
    told.extend(names.iter().map(|it| (*it).to_owned()));
    told.push(BODY.to_owned());
    Ok(Sight::Plan(Box::new(Plan {
        signatures: vec![signature.map_err(|_| MALFORMED)?],
        hash: MacHash::Sha256,
        created: Some(created.ok_or((
            Reason::SignatureMalformed,
            "has an `x-amz-date` that is none, or not that of its credential",
        ))?),
        covered: told,
        over: Over::SigV4(Text {
            request: canonical(service, &names, received)?,
            date: date.to_owned(),
            scope: [day, its_region, its_service].map(|it| (*it).to_owned()),
            claimed,
        }),
    })))
}

/// What stands behind the scheme in `Authorization`.
pub fn parameters(value: &str) -> Option<&str> {
    let (scheme, parameters) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    (scheme == ALGORITHM).then_some(parameters)
}

/// What is signed of the headers: all that AWS wants signed.
fn names<'n>(covered: &'n str, received: &Received<'_>) -> Result<Vec<&'n str>, Fault> {
    let names: Vec<&str> = covered
        .split(';')
        .take(MOST_COVERED.saturating_add(1))
        .collect();
    let sorted = names.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    let lower = names
        .iter()
        .all(|it| *it == it.to_ascii_lowercase() && !it.is_empty());
    if !sorted || !lower || names.len() > MOST_COVERED {
        return Err(MALFORMED);
    }
    let all = received
        .names()
        .filter(|it| it.starts_with("x-amz-"))
        .chain(["host"])
        .all(|it| names.contains(&it));
    match all {
        true => Ok(names),
        false => Err((
            Reason::SignatureComponentMissing,
            "does not cover `host` and every `x-amz-` header",
        )),
    }
}

fn claimed(received: &Received<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(claimed) = received.once("x-amz-content-sha256")? else {
        return Ok(None);
    };
    let hash = base16ct::mixed::decode_vec(claimed);
    hash.map(Some).map_err(|_| {
        let why = "does not cover its body: `x-amz-content-sha256` is no hash of it";
        (Reason::SignatureComponentMissing, why)
    })
}

/// Unreserved characters of RFC 3986 stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &ENCODED.remove(b'/');

fn canonical(service: &str, names: &[&str], received: &Received<'_>) -> Result<String, Fault> {
    let (path, query) = query::split(received.target()?);
    // S3 signs a path as it is, all others encode it once more. They also take dot segments and empty ones
    // out: a path that has some would have the text of another one.
    let path = match service {
        "s3" if is_split(path) => {
            let why =
                "is of a path with an escaped slash, which its text does not tell from a slash";
            return Err((Reason::SignatureMalformed, why));
        }
        "s3" => {
            let bytes: Vec<u8> = percent_decode_str(path).collect();
            percent_encode(&bytes, PATH).to_string()
        }
        _ if !is_normal(path) => {
            let why = "is of a path with dot segments or empty ones, which its text does not have";
            return Err((Reason::SignatureMalformed, why));
        }
        _ => percent_encode(path.as_bytes(), PATH).to_string(),
    };
    let mut pairs: Vec<(String, String)> = query
        .unwrap_or("")
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut text = format!("{}\n{path}\n{}\n", received.method()?, pairs.join("&"));
    for name in names {
        let lines = received.lines(name)?;
        if lines.is_empty() {
            let why = "is over a header that the request does not have";
            return Err((Reason::SignatureMalformed, why));
        }
        let lines: Vec<String> = lines.into_iter().map(collapsed).collect();
        text.push_str(&format!("{name}:{}\n", lines.join(",")));
    }
    text.push_str(&format!("\n{}\n", names.join(";")));
    Ok(text)
}

fn encoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encode(&bytes, ENCODED).to_string()
}

/// Whether it has a slash or a backslash that is escaped.
fn is_split(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.contains("%2f") || lower.contains("%5c")
}

/// Whether it has neither dot segments nor empty ones (RFC 3986 section 5.2.4).
fn is_normal(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let inner = rest.strip_suffix('/').unwrap_or(rest);
    let mut segments = inner.split('/');
    rest.is_empty() || segments.all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Spaces that follow spaces are none.
fn collapsed(value: &str) -> String {
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// `20150830T123600Z` in seconds since the Unix epoch.
fn seconds(date: &str) -> Option<i64> {
    let all = date.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    if !all || date.len() != 16 {
        return None;
    }
    let part = |from: usize, to: usize| date.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    let time = humantime::parse_rfc3339(&text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

impl Text {
    /// The string to sign.
    pub fn settled(&self, content: &Content<'_>) -> Result<Vec<u8>, &'static str> {
        let hash = content
            .sha256
            .as_deref()
            .ok_or("has a body that was not hashed")?;
        if self
            .claimed
            .as_deref()
            .is_some_and(|claimed| claimed != hash)
        {
            return Err("has a body with another hash than `x-amz-content-sha256` says");
        }
        let request = format!("{}{}", self.request, base16ct::lower::encode_string(hash));
        let request = base16ct::lower::encode_string(&sha256(request.as_bytes()));
        let (date, scope) = (&self.date, self.scope.join("/"));
        Ok(format!("{ALGORITHM}\n{date}\n{scope}/aws4_request\n{request}").into_bytes())
    }

    /// The signing key that belongs to a secret.
    pub fn key(&self, secret: &[u8]) -> [u8; 32] {
        let first = [b"AWS4", secret].concat();
        let [date, region, service] = &self.scope;
        let key = hmac_sha256(&first, date.as_bytes());
        let key = hmac_sha256(&key, region.as_bytes());
        let key = hmac_sha256(&key, service.as_bytes());
        hmac_sha256(&key, b"aws4_request")
    }
}
