//! `Signature-Input` and `Signature` (RFC 9421 section 4): which signatures a request carries.

use super::{component::Component, message::Message, sf};
use sfv::{BareItem, Dictionary, ListEntry};
use std::fmt;

/// One signature as the request presents it: nothing of it is proven.
pub struct Input {
    pub label: String,
    pub components: Vec<Component>,
    /// The value of `@signature-params`, as it is signed.
    pub parameters: String,
    /// Seconds since the Unix epoch.
    pub created: Option<i64>,
    pub expires: Option<i64>,
    pub key_id: Option<String>,
    pub algorithm: Option<String>,
    pub tag: Option<String>,
    pub nonce: Option<String>,
    pub signature: Vec<u8>,
}

/// The fields cannot be read, or do not belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

/// Whoever forwards a request may add one; nobody needs more.
const MAX_SIGNATURES: usize = 8;
const MAX_COMPONENTS: usize = 64;

/// Every signature in the order of `Signature-Input`; empty where the request has neither field.
///
/// # Errors
/// A field that is no dictionary of its kind, a label in only one of them, a component that no
/// request has or that stands twice, too many of either.
pub fn inputs(message: &Message<'_>) -> Result<Vec<Input>, Malformed> {
    let read = |name: &str| {
        let Some(text) = message.field(name) else {
            return Ok(Dictionary::new());
        };
        sf::dictionary(&text).map_err(|error| {
            Malformed(format!(
                "`{name}` is no dictionary (components and texts in it stand in double quotes): {error}"
            ))
        })
    };
    let (inputs, mut signatures) = (read("signature-input")?, read("signature")?);
    if inputs.len() > MAX_SIGNATURES {
        return Err(Malformed(format!(
            "there are more than {MAX_SIGNATURES} signatures"
        )));
    }
    let mut found = Vec::new();
    for (label, entry) in inputs {
        let label = label.as_str();
        let of = |message: &str| Malformed(format!("`{label}` {message}"));
        let signature = signatures
            .shift_remove(label)
            .ok_or_else(|| of("stands in `signature-input` and not in `signature`"))?;
        let signature = match signature {
            ListEntry::Item(item) => match item.bare_item {
                BareItem::ByteSequence(bytes) => bytes,
                _ => return Err(of("is no byte sequence in `signature`")),
            },
            ListEntry::InnerList(_) => return Err(of("is a list in `signature`")),
        };
        let ListEntry::InnerList(list) = entry else {
            return Err(of("is no list of components in `signature-input`"));
        };
        found.push(input(label, list, signature).map_err(|message| of(&message))?);
    }
    if let Some((label, _)) = signatures.first() {
        return Err(Malformed(format!(
            "`{label}` stands in `signature` and not in `signature-input`"
        )));
    }
    Ok(found)
}

fn input(label: &str, list: sfv::InnerList, signature: Vec<u8>) -> Result<Input, String> {
    if list.items.len() > MAX_COMPONENTS {
        return Err(format!("covers more than {MAX_COMPONENTS} components"));
    }
    let mut components: Vec<Component> = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let component = Component::from_item(item)
            .map_err(|error| format!("covers a component that {error}"))?;
        // Section 2: each identifier occurs once.
        if components.iter().any(|other| other.is_same(&component)) {
            return Err(format!("covers {} twice", component.identifier()));
        }
        components.push(component);
    }
    let mut input = Input {
        label: label.to_owned(),
        components,
        parameters: parameters(&list)?,
        created: None,
        expires: None,
        key_id: None,
        algorithm: None,
        tag: None,
        nonce: None,
        signature,
    };
    for (name, value) in &list.params {
        let text = || match value {
            BareItem::String(text) => Ok(Some(text.as_str().to_owned())),
            _ => Err(format!("has a `{name}` that is no string")),
        };
        let time = || match value {
            BareItem::Integer(seconds) => Ok(Some(i64::from(*seconds))),
            _ => Err(format!("has a `{name}` that is no integer")),
        };
        match name.as_str() {
            "created" => input.created = time()?,
            "expires" => input.expires = time()?,
            "keyid" => input.key_id = text()?,
            "alg" => input.algorithm = text()?,
            "tag" => input.tag = text()?,
            "nonce" => input.nonce = text()?,
            // Signed like the others, and nothing here asks what it means.
            _ => {}
        }
    }
    Ok(input)
}

/// The inner list as it is signed: parsed and written again, in the order it came in.
fn parameters(list: &sfv::InnerList) -> Result<String, String> {
    let mut written = sfv::ListSerializer::new();
    let mut items = written.inner_list();
    items.items(&list.items);
    let _ = items.finish().parameters(&list.params);
    written.finish().ok_or_else(|| "cannot be written".into())
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
