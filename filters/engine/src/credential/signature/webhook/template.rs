//! Signatures over a text of parts of the request that ends with the body.

use super::{BODY, Fault, Over, Plan, Sight, mac, received::Received};
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
    Ok(Sight::Plan(Plan {
        signatures,
        hash: template.hash,
        created,
        covered,
        over: Over::ThenBody(text.into_bytes()),
    }))
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
                received.target()?
            }
            Part::Field(name) => {
                covered.push(name.clone());
                let value = received.needed(name)?;
                // Or what is left of it could be taken for the next part.
                if let Some(Part::Text(next)) = parts.peek()
                    && next.chars().next().is_some_and(|end| value.contains(end))
                {
                    let why =
                        "is over a header that holds what stands behind it in the signed text";
                    return Err((Reason::SignatureMalformed, why));
                }
                value
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
    let (mut message, _) = text(template, &time, received)
        .map(|(text, covered)| (text.into_bytes(), covered))
        .map_err(|(_, why)| why)?;
    message.extend_from_slice(body);
    let mac = mac(template.hash, secret, &message);
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
