//! Signatures over a text of parts of the request that ends with the body.

use super::{BODY, Fault, Over, Plan, Sight, received::Received, settle::mac};
use crate::{
    config::webhooks::{AUTHORIZATION, Encoding, Field, Part, Place, Stamp, Template},
    crypto::encoding,
    words::Reason,
};

/// The signatures that one header may hold: with each of them more is compared.
const MOST_ITEMS: usize = 20;

pub fn plan(template: &Template, received: &Received<'_>) -> Result<Sight, Fault> {
    let field = &template.signature;
    let Some(value) = received.once(&field.header)? else {
        return Ok(Sight::Nothing);
    };
    let items = items(field, value)?;
    let signatures = items
        .iter()
        .filter_map(|item| item.strip_prefix(field.prefix.as_str()));
    let signatures: Vec<Vec<u8>> = signatures
        .filter_map(|it| decode(field.encoding, it))
        .collect();
    if signatures.is_empty() {
        // Other schemes stand in this header too.
        return Ok(match field.header == AUTHORIZATION {
            true => Sight::Nothing,
            false => Sight::Foreign,
        });
    }
    let stamp = match &template.stamp {
        None => None,
        Some(stamp) => Some((stamp, written(stamp, &items, received)?)),
    };
    let (text, covered) = text(template, stamp.map_or("", |(_, written)| written), received)?;
    let created = match stamp {
        None => None,
        Some((stamp, written)) => Some(seconds(stamp, written)?),
    };
    Ok(Sight::Plan(Box::new(Plan {
        signatures,
        hash: template.hash,
        created,
        covered,
        over: Over::ThenBody(text.into_bytes()),
    })))
}

/// What is signed before the body, and what that covers.
fn text(
    template: &Template,
    written: &str,
    received: &Received<'_>,
) -> Result<(String, Vec<String>), Fault> {
    let (mut text, mut covered) = (String::new(), Vec::new());
    let mut parts = template.message.iter().peekable();
    while let Some(part) = parts.next() {
        let value = match part {
            Part::Text(own) => own.as_str(),
            Part::Timestamp => written,
            Part::Method => {
                covered.push("@method".to_owned());
                received.method()?
            }
            Part::Target => {
                covered.push("@request-target".to_owned());
                ended(received.target()?, parts.peek())?
            }
            Part::Field(name) => {
                covered.push(name.clone());
                ended(received.needed(name)?, parts.peek())?
            }
        };
        text.push_str(value);
    }
    if let Some(Place::Header(name)) = template.stamp.as_ref().map(|it| &it.place) {
        covered.push(name.clone());
    }
    covered.push(BODY.to_owned());
    Ok((text, covered))
}

/// The value, which must not hold what stands behind it: what is left of it could be taken for the next
/// part.
fn ended<'v>(value: &'v str, next: Option<&&Part>) -> Result<&'v str, Fault> {
    let end = match next {
        Some(Part::Text(next)) => next.chars().next(),
        _ => None,
    };
    match end.is_some_and(|end| value.contains(end)) {
        false => Ok(value),
        true => Err((
            Reason::SignatureMalformed,
            "is over a part that holds what stands behind it in the signed text",
        )),
    }
}

/// Whether this value of its header is one of its signatures.
pub fn is_own(template: &Template, value: &str) -> bool {
    let field = &template.signature;
    let items = field
        .separator
        .map_or(vec![value], |it| value.split(it).collect());
    items.iter().any(|item| {
        let item = item.trim_matches([' ', '\t']);
        item.starts_with(field.prefix.as_str())
    })
}

/// The headers that make the request one of this scheme, at `now` in seconds since the Unix epoch.
///
/// # Errors
/// What the request lacks.
pub fn sign(
    template: &Template,
    secret: &[u8],
    received: &Received<'_>,
    body: &[u8],
    now: i64,
) -> Result<Vec<(String, String)>, &'static str> {
    let time = template.stamp.as_ref();
    let time = time.map_or_else(String::new, |stamp| {
        now.saturating_mul(stamp.per_second).to_string()
    });
    let (start, _) = text(template, &time, received).map_err(|(_, why)| why)?;
    let mac =
        mac(template.hash, secret, &[start.as_bytes(), body]).ok_or("has a secret of no use")?;
    let field = &template.signature;
    let mac = match field.encoding {
        Encoding::Hex => encoding::to_hex(&mac),
        Encoding::Base64 => encoding::to_standard(&mac),
    };
    let item = format!("{}{mac}", field.prefix);
    Ok(match template.stamp.as_ref().map(|it| &it.place) {
        None => vec![(field.header.clone(), item)],
        Some(Place::Header(name)) => vec![(name.clone(), time), (field.header.clone(), item)],
        Some(Place::Item(prefix)) => {
            let separator = field.separator.unwrap_or(',');
            let value = format!("{prefix}{time}{separator}{item}");
            vec![(field.header.clone(), value)]
        }
    })
}

fn items<'v>(field: &Field, value: &'v str) -> Result<Vec<&'v str>, Fault> {
    let Some(separator) = field.separator else {
        return Ok(vec![value]);
    };
    let items: Vec<&str> = value
        .split(separator)
        .map(|item| item.trim_matches([' ', '\t']))
        .take(MOST_ITEMS.saturating_add(1))
        .collect();
    match items.len() > MOST_ITEMS {
        true => Err((
            Reason::SignatureMalformed,
            "has more signatures in its header than anybody sends",
        )),
        false => Ok(items),
    }
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    let bytes = match encoding {
        Encoding::Hex => base16ct::mixed::decode_vec(text).ok(),
        Encoding::Base64 => encoding::standard(text.as_bytes()).ok(),
    };
    bytes.filter(|bytes| !bytes.is_empty())
}

/// The timestamp as it is written, which is how it is signed.
fn written<'v>(
    stamp: &Stamp,
    items: &[&'v str],
    received: &Received<'v>,
) -> Result<&'v str, Fault> {
    match &stamp.place {
        Place::Header(name) => received.needed(name),
        Place::Item(prefix) => {
            let mut found = items
                .iter()
                .filter_map(|it| it.strip_prefix(prefix.as_str()));
            match (found.next(), found.next()) {
                (Some(one), None) => Ok(one),
                _ => Err((
                    Reason::SignatureMalformed,
                    "has no timestamp beside its signature, or several",
                )),
            }
        }
    }
}

fn seconds(stamp: &Stamp, written: &str) -> Result<i64, Fault> {
    let is_number = !written.is_empty() && written.bytes().all(|it| it.is_ascii_digit());
    let count: Option<i64> = written.parse().ok().filter(|_| is_number);
    let fault = (
        Reason::SignatureMalformed,
        "has a timestamp that is no number",
    );
    count
        .and_then(|count| count.checked_div(stamp.per_second))
        .ok_or(fault)
}
