//! Twilio's signature: HMAC-SHA1 over the URL, and a form's parameters in the order of their names, each
//! behind its name; of another body the URL says the SHA-256. Source: Twilio's documentation, "Webhooks
//! security".
//!
//! Nothing stands between names and values: `ab=c` and `a=bc` are one text. It is the scheme's own.

use super::{BODY, Content, Fault, Over, Plan, Sight, received::Received};
use crate::{
    body::parse::MAX_FIELDS,
    config::webhooks::TWILIO,
    crypto::{MacHash, encoding},
    query,
    words::Reason,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub struct Text {
    /// What the sender may have called: with the port and without, where that is the scheme's own.
    urls: Vec<String>,
    is_form: bool,
    /// What the URL says of the body.
    body_sha256: Option<Vec<u8>>,
}

pub fn plan(origin: Option<&str>, received: &Received<'_>) -> Result<Sight, Fault> {
    let Some(signature) = received.once(TWILIO)? else {
        return Ok(Sight::Nothing);
    };
    let Ok(signature) = encoding::standard(signature.as_bytes()) else {
        return Ok(Sight::Foreign);
    };
    let target = received.target()?;
    let urls = match origin {
        Some(origin) => vec![format!("{origin}{target}")],
        None => urls(received, target)?,
    };
    let (_, query) = query::split(target);
    let named: Result<Vec<_>, _> = query::parameters(query.unwrap_or(""))
        .filter(|it| it.as_ref().map_or(true, |(name, _)| name == "bodySHA256"))
        .collect();
    let body_sha256 = match named.as_deref() {
        Ok([]) => None,
        Ok([(_, value)]) => Some(base16ct::mixed::decode_vec(value).map_err(|_| SHA256)?),
        _ => return Err(SHA256),
    };
    let kind = received.once("content-type")?.unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    Ok(Sight::Plan(Box::new(Plan {
        signatures: vec![signature],
        hash: MacHash::Sha1,
        created: None,
        covered: vec!["@target-uri".to_owned(), BODY.to_owned()],
        over: Over::Twilio(Text {
            urls,
            is_form: body_sha256.is_none()
                && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"),
            body_sha256,
        }),
    })))
}

const SHA256: Fault = (
    Reason::SignatureMalformed,
    "has a `bodySHA256` that is no hash, or several",
);

fn urls(received: &Received<'_>, target: &str) -> Result<Vec<String>, Fault> {
    let scheme = received.scheme().unwrap_or("").to_ascii_lowercase();
    let authority = received.needed("host")?;
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => {
            let why = "is over a URL whose scheme is not known";
            return Err((Reason::SignatureMalformed, why));
        }
    };
    let url = |authority: &str| format!("{scheme}://{authority}{target}");
    // Twilio's libraries take the URL without its port too, whatever it is. That one is first: it is what a
    // delivery is remembered by, however its host is written.
    let bare = match authority.rsplit_once(':') {
        Some((host, digits)) if digits.bytes().all(|it| it.is_ascii_digit()) => host,
        _ => authority,
    };
    Ok(vec![
        url(bare),
        url(&format!("{bare}{port}")),
        url(authority),
    ])
}

impl Text {
    pub fn is_form(&self) -> bool {
        self.is_form
    }

    /// What may have been called; the first one is the same however the host is written.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// What is signed behind the URL.
    pub fn settled(&self, content: &Content<'_>) -> Result<String, &'static str> {
        match (&self.body_sha256, self.is_form) {
            (Some(claimed), _) if content.sha256.as_ref() == Some(claimed) => Ok(String::new()),
            (Some(_), _) => Err("has a body with another SHA-256 than its URL says"),
            (None, true) => {
                let form = content.bytes.and_then(|it| std::str::from_utf8(it).ok());
                sorted(form.ok_or(FORM)?).ok_or(FORM)
            }
            (None, false) if content.length == 0 => Ok(String::new()),
            (None, false) => Err("has a body that is no form, and no `bodySHA256` in its URL"),
        }
    }
}

const FORM: &str = "has a body that is no form of UTF-8, or one of too many fields";

/// Names and values in their order, each value of a name once, as Twilio's libraries have it.
fn sorted(form: &str) -> Option<String> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (count, field) in query::exact_parameters(form).enumerate() {
        let (name, value) = field.ok()?;
        if count >= MAX_FIELDS {
            return None;
        }
        fields.entry(name?).or_default().insert(value?);
    }
    let mut text = String::new();
    for (name, values) in &fields {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    Some(text)
}
