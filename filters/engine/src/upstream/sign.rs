//! The gate's own signature (RFC 9421) over a request that goes on.
//!
//! What it covers: the components that are configured, as far as the request has them; the digest of a
//! body, where the gate has held the body to it; and every identity header there is. One that is absent
//! cannot be covered (section 2.5), and need not be: clients' own never come this far. Whoever adds one
//! behind the gate adds one that is not covered, so an upstream takes an identity header only where the
//! signature covers it.

use super::Failure;
use crate::{
    body::digest,
    config::upstream::Sign,
    credential::signature::{FIELDS, strip_all},
    headers::Headers,
    message_signature::{self, Component, Message, Proposal, Signed},
    pass::Pass,
    words::Reason,
};
use sfv::{FieldType as _, KeyRef};
use std::borrow::Cow;

/// Takes everything away that stands under the gate's own label. Where the fields cannot be read, both
/// go: nobody can say what stands in them.
pub fn withdraw(label: &str, headers: &mut Headers<'_>) {
    let Ok(label) = KeyRef::from_str(label) else {
        return;
    };
    for name in FIELDS {
        let Some(lines) = joined(headers, name) else {
            continue;
        };
        let Ok(mut members) = message_signature::dictionary(&lines) else {
            return strip_all(headers);
        };
        if members.shift_remove(label).is_some() {
            headers.replace(name, members.serialize().into_iter().collect());
        }
    }
}

/// Adds the signature, beside others that may stand there.
///
/// # Errors
/// A component that is there and has no value that could be signed.
pub fn sign(
    config: &Sign,
    pass: &Pass<'_>,
    has_checked_digest: bool,
    headers: &mut Headers<'_>,
) -> Result<(), Failure> {
    // The policy may have written there.
    withdraw(&config.label, headers);
    let Signed {
        signature_input,
        signature,
        ..
    } = signed(config, pass, has_checked_digest, headers)?;
    for (name, member) in [
        ("signature-input", signature_input),
        ("signature", signature),
    ] {
        let value = match joined(headers, name) {
            Some(others) => format!("{others}, {member}"),
            None => member,
        };
        headers.replace(name, vec![value]);
    }
    Ok(())
}

fn signed(
    config: &Sign,
    pass: &Pass<'_>,
    has_checked_digest: bool,
    headers: &Headers<'_>,
) -> Result<Signed, Failure> {
    let lines: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let malformed = |why: String| (Reason::RequestMalformed, why);
    let message = Message::new(&lines, pass.request.attributes.scheme)
        .ok_or_else(|| malformed("a header is not UTF-8".into()))?;
    // What the policy wrote there, nobody has checked.
    let is_checked = has_checked_digest
        && headers
            .values(digest::FIELD)
            .map(str::as_bytes)
            .eq(pass.request.values(digest::FIELD).map(<[u8]>::trim_ascii));
    let mut components: Vec<Cow<'_, Component>> = Vec::new();
    for component in &config.components {
        let is_there = match component.plain_field() {
            Some(digest::FIELD) => false,
            Some(name) => headers.first(name).is_some(),
            None => message.has(component),
        };
        if is_there {
            components.push(Cow::Borrowed(component));
        }
    }
    let own = pass
        .config
        .identity_headers()
        .chain(pass.config.upstream.replaced());
    let own = own.filter(|name| headers.first(name).is_some());
    for name in own.chain(is_checked.then_some(digest::FIELD)) {
        if !components.iter().any(|it| it.is_of_field(name)) {
            let component = Component::parse(name).map_err(|why| malformed(why.to_string()))?;
            components.push(Cow::Owned(component));
        }
    }
    let components: Result<Vec<Component>, Failure> = components
        .into_iter()
        .map(|component| match component.plain_field() {
            // A signature base is ASCII, and what is not is covered as bytes (section 2.1.3).
            Some(name) if !headers.values(name).all(str::is_ascii) => {
                Component::parse(&format!("\"{name}\";bs"))
                    .map_err(|why| malformed(why.to_string()))
            }
            _ => Ok(component.into_owned()),
        })
        .collect();
    let created = i64::try_from(pass.moment.now_ns / 1_000_000_000).unwrap_or(i64::MAX);
    let lifetime = i64::try_from(config.lifetime.as_secs()).unwrap_or(i64::MAX);
    let proposal = Proposal {
        label: &config.label,
        components: &components?,
        key_id: &config.key.id,
        created: Some(created),
        expires: Some(created.saturating_add(lifetime)),
        nonce: None,
        // The label is not signed; the tag is.
        tag: Some(&config.label),
        name_algorithm: true,
    };
    // No key that was loaded asks for randomness.
    message_signature::sign(&message, &proposal, &config.key.key, &mut |_| {}).map_err(|error| {
        let reason = match error {
            message_signature::CreateError::Unavailable(_) => Reason::RequestMalformed,
            _ => Reason::HostError,
        };
        (
            reason,
            format!("it cannot be signed for the upstream: {error}"),
        )
    })
}

/// All lines of a field as one; `None` where there is none.
fn joined(headers: &Headers<'_>, name: &str) -> Option<String> {
    let lines: Vec<&str> = headers.values(name).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}
